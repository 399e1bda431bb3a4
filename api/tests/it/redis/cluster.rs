//! A cluster of three masters: every key has its place, and one node that is away takes only its own keys with it.

use std::time::Instant;

use bytes::Bytes;

use super::{
    AT_ONCE, read,
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

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_all_nodes_and_a_node_that_dies_and_comes_back() {
    let mut cluster = Cluster::start().await;
    let redis = tier(&cluster.url());
    all_are_stored(&redis).await;
    for node in &cluster.nodes {
        assert_ne!(node.ask("DBSIZE").await, ":0\r\n");
    }

    cluster.nodes[1].kill();
    // Whoever is left keeps serving, once it is known who is gone.
    let left = eventually("the hits of two nodes", async || Some(hits(&redis).await).filter(|&count| count > KEYS / 3)).await;
    assert!(left < KEYS);
    let started = Instant::now();
    hits(&redis).await;
    println!("{left} hits; {KEYS} reads with a node away took {:?}", started.elapsed());

    cluster.nodes[1].run().await;
    all_are_stored(&redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_delays_nobody_for_long() {
    let cluster = Cluster::start().await;
    let redis = tier(&cluster.url());
    all_are_stored(&redis).await;
    cluster.nodes[2].freeze();
    let started = Instant::now();
    let left = hits(&redis).await;
    println!("{left} hits; {KEYS} reads with a node that hangs took {:?}", started.elapsed());
    assert!(left < KEYS);
    // Its keys are asked for again and again: those who read them now do not wait any more.
    eventually("reads that do not wait", async || {
        let started = Instant::now();
        hits(&redis).await;
        (started.elapsed() < AT_ONCE).then_some(())
    })
    .await;
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
