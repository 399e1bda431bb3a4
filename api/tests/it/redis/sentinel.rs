//! Sentinels tell who is the master, also after it has changed.

use super::{
    hits_come_again,
    server::{Server, eventually},
    tier,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_master_dies_and_its_replica_takes_over() {
    let mut master = Server::start(&[]).await;
    let replica = Server::start(&["--replicaof", "127.0.0.1", &master.port.to_string(), "--repl-diskless-sync-delay", "0"]).await;
    let sentinel = Server::sentinel(&master).await;
    let redis = tier(&format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{}/main", sentinel.port));
    hits_come_again(&redis, "key").await;
    assert_eq!(master.ask("EXISTS key").await, ":1\r\n");
    eventually("a replica that sentinels know", async || {
        sentinel.ask("SENTINEL REPLICAS main").await.contains(&replica.port.to_string()).then_some(())
    })
    .await;

    master.kill();

    eventually("another master", async || replica.ask("ROLE").await.contains("master").then_some(())).await;
    hits_come_again(&redis, "key").await;
    assert_eq!(replica.ask("EXISTS key").await, ":1\r\n");
}

#[tokio::test]
async fn sentinels_that_are_away_or_do_not_know_the_service_are_a_miss() {
    let master = Server::start(&[]).await;
    let sentinel = Server::sentinel(&master).await;
    for url in ["redis+sentinel://127.0.0.1:1/main".to_owned(), format!("redis+sentinel://127.0.0.1:{}/other", sentinel.port)] {
        let redis = tier(&url);
        super::misses(&redis, "key", 10).await;
        assert!(!redis.is_up());
    }
}
