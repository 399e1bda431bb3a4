//! Masters that are discovered through sentinels.

use super::{
    assert_recovers, connect,
    redis_process::{RedisProcess, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn follows_a_failover_to_the_replica() {
    let mut master = RedisProcess::start(&[]).await;
    let replica =
        RedisProcess::start(&["--replicaof", "127.0.0.1", &master.port.to_string(), "--repl-diskless-sync-delay", "0"]).await;
    let sentinel = RedisProcess::start_sentinel(&master).await;
    let redis = connect(&format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{}/main", sentinel.port));
    assert_recovers(&redis, "key").await;
    assert_eq!(master.query("EXISTS key").await, ":1\r\n");
    eventually("the sentinel knows the replica", async || {
        sentinel.query("SENTINEL REPLICAS main").await.contains(&replica.port.to_string()).then_some(())
    })
    .await;

    master.kill();

    eventually("a new master", async || replica.query("ROLE").await.contains("master").then_some(())).await;
    assert_recovers(&redis, "key").await;
    assert_eq!(replica.query("EXISTS key").await, ":1\r\n");
}

#[tokio::test]
async fn unreachable_sentinels_and_unknown_masters_are_misses() {
    let master = RedisProcess::start(&[]).await;
    let sentinel = RedisProcess::start_sentinel(&master).await;
    for url in ["redis+sentinel://127.0.0.1:1/main".to_owned(), format!("redis+sentinel://127.0.0.1:{}/other", sentinel.port)] {
        let redis = connect(&url);
        super::assert_misses(&redis, "key", 10).await;
        assert!(!redis.is_up());
    }
}
