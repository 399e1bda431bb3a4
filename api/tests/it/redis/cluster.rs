//! A cluster of three masters.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    connect, get,
    redis_process::{RedisCluster, eventually},
};
use crate::recorder::RecordedLog;

/// Enough that every node holds some.
const KEYS: usize = 100;

fn key(number: usize) -> String {
    format!("cluster:{number}")
}

async fn count_hits(redis: &api::cache::redis::Redis) -> usize {
    let mut count = 0;
    for number in 0..KEYS {
        count += usize::from(get(redis, &key(number)).await.is_some_and(|value| value == key(number)));
    }
    count
}

async fn store_all(redis: &api::cache::redis::Redis) {
    eventually("all keys are stored", async || {
        for number in 0..KEYS {
            redis.put(&key(number), Bytes::from(key(number)));
        }
        (count_hits(redis).await == KEYS).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_killed_node_loses_only_its_own_keys() {
    let (log, _guard) = RecordedLog::start();
    let mut cluster = RedisCluster::start().await;
    let redis = connect(&cluster.url());
    store_all(&redis).await;
    for node in &cluster.nodes {
        assert_ne!(node.query("DBSIZE").await, ":0\r\n");
    }
    let before = log.lines();

    cluster.nodes[1].kill();
    // The other nodes keep serving for several heartbeats.
    let killed = Instant::now();
    while killed.elapsed() < Duration::from_secs(2) {
        let hits = count_hits(&redis).await;
        assert!(hits < KEYS && redis.is_up());
    }
    eventually("hits of the other two nodes", async || (count_hits(&redis).await > KEYS / 3).then_some(())).await;
    assert_eq!(log.lines(), before, "the failure of one node is not an outage");

    cluster.nodes[1].run().await;
    store_all(&redis).await;
}

#[tokio::test]
async fn a_frozen_node_does_not_block_reads() {
    let (log, _guard) = RecordedLog::start();
    let cluster = RedisCluster::start().await;
    let redis = connect(&cluster.url());
    store_all(&redis).await;
    cluster.nodes[2].freeze();
    let hits = count_hits(&redis).await;
    assert!(hits > 0 && hits < KEYS, "{hits} hits while one of three nodes is frozen");
    assert!(redis.is_up() && log.lines().is_empty(), "{:?}", log.lines());
    cluster.nodes[2].wake();
    store_all(&redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_after_all_nodes_were_killed() {
    let mut cluster = RedisCluster::start().await;
    let redis = connect(&cluster.url());
    store_all(&redis).await;
    for node in &mut cluster.nodes {
        node.kill();
    }
    eventually("Redis is unavailable", async || {
        count_hits(&redis).await;
        (!redis.is_up()).then_some(())
    })
    .await;
    for node in &mut cluster.nodes {
        node.run().await;
    }
    store_all(&redis).await;
    assert!(redis.is_up());
}
