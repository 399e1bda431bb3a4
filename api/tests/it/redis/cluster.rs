//! A cluster of three masters: every key has its place, and one node that is away takes only its own keys with it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    AT_ONCE,
    observed::Log,
    read,
    server::{Cluster, eventually},
    tier,
};

/// Enough that every node has some.
const KEYS: usize = 100;

fn key(number: usize) -> String {
    format!("cluster:{number}")
}

/// How many of the keys are there.
async fn hits(redis: &api::cache::redis::Redis) -> usize {
    let mut count = 0;
    for number in 0..KEYS {
        count += usize::from(read(redis, &key(number)).await.is_some_and(|value| value == key(number)));
    }
    count
}

async fn all_are_stored(redis: &api::cache::redis::Redis) {
    eventually("all keys", async || {
        for number in 0..KEYS {
            redis.put(key(number), Bytes::from(key(number)));
        }
        (hits(redis).await == KEYS).then_some(())
    })
    .await;
}

#[tokio::test]
async fn keys_of_all_nodes_and_a_node_that_dies_and_comes_back() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut cluster = Cluster::start().await;
    let redis = tier(&cluster.url());
    all_are_stored(&redis).await;
    for node in &cluster.nodes {
        assert_ne!(node.ask("DBSIZE").await, ":0\r\n");
    }
    let before = log.lines();

    cluster.nodes[1].kill();
    // Whoever is left keeps serving, over some heartbeats.
    let killed = Instant::now();
    while killed.elapsed() < Duration::from_secs(2) {
        let left = hits(&redis).await;
        assert!(left < KEYS && redis.is_up());
    }
    eventually("the hits of two nodes", async || (hits(&redis).await > KEYS / 3).then_some(())).await;
    assert_eq!(log.lines(), before, "one node is not the cluster");

    cluster.nodes[1].run().await;
    all_are_stored(&redis).await;
}

#[tokio::test]
async fn a_node_that_hangs_delays_nobody_for_long() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let cluster = Cluster::start().await;
    let redis = tier(&cluster.url());
    all_are_stored(&redis).await;
    cluster.nodes[2].freeze();
    assert!(hits(&redis).await < KEYS);
    // Those who read the same keys now do not wait any more, but for one now and then who tries.
    let started = Instant::now();
    hits(&redis).await;
    assert!(started.elapsed() < AT_ONCE * 2, "{KEYS} reads took {:?}", started.elapsed());
    assert!(redis.is_up() && log.lines().is_empty(), "{:?}", log.lines());
    cluster.nodes[2].wake();
    all_are_stored(&redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_dies_as_a_whole_and_comes_back() {
    let mut cluster = Cluster::start().await;
    let redis = tier(&cluster.url());
    all_are_stored(&redis).await;
    for node in &mut cluster.nodes {
        node.kill();
    }
    eventually("the news that it is away", async || {
        hits(&redis).await;
        (!redis.is_up()).then_some(())
    })
    .await;
    for node in &mut cluster.nodes {
        node.run().await;
    }
    all_are_stored(&redis).await;
    assert!(redis.is_up());
}
