//! One server that is not there, dies, hangs, is full, or does not want us.

use std::time::Instant;

use api::cache::redis::VALUE_BYTES;
use bytes::Bytes;
use tokio::net::TcpListener;

use super::{
    AT_ONCE, hits_come_again, misses,
    observed::{Log, Metrics},
    read,
    server::{Server, eventually},
    stored, tier,
};

const GET_ERRORS: &str = "marquee_redis_errors_total{operation=get}";
const PUT_ERRORS: &str = "marquee_redis_errors_total{operation=put}";
const UP: &str = "marquee_redis_up{}";

fn dropped(metrics: &Metrics) -> u64 {
    ["away", "busy", "large"].iter().map(|reason| metrics.count(&format!("marquee_redis_dropped_total{{reason={reason}}}"))).sum()
}

#[tokio::test]
async fn a_server_that_comes_later() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut server = Server::absent(&[]);
    let started = Instant::now();
    let redis = tier(&server.url());
    assert!(started.elapsed() < AT_ONCE);
    misses(&redis, "key", 100).await;
    eventually("a word that it is away", async || (log.lines().len() == 1).then_some(())).await;
    assert!(!redis.is_up());
    assert!(log.lines()[0].starts_with("WARN") && log.lines()[0].contains("refused"), "{:?}", log.lines());

    server.run().await;

    hits_come_again(&redis, "key").await;
    assert_eq!(log.lines().len(), 2, "{:?}", log.lines());
    assert!(log.lines()[1].starts_with("INFO"), "{:?}", log.lines());
}

#[tokio::test]
async fn a_server_that_is_killed_and_started_again() {
    let (log, metrics) = (Log::default(), Metrics::default());
    let _guards = (tracing::subscriber::set_default(log.clone()), metrics::set_default_local_recorder(&metrics));
    let mut server = Server::start(&[]).await;
    let redis = tier(&server.url());
    for round in 1..=2 {
        hits_come_again(&redis, "key").await;
        assert!((metrics.gauge(UP) - 1.0).abs() < f64::EPSILON);
        server.kill();
        eventually("a miss", async || read(&redis, "key").await.is_none().then_some(())).await;
        eventually("the news that it is away", async || {
            misses(&redis, "key", 10).await;
            (!redis.is_up()).then_some(())
        })
        .await;
        assert!(metrics.gauge(UP).abs() < f64::EPSILON);
        // Or none, if the heartbeat was first.
        assert!(metrics.count(GET_ERRORS) <= round, "one reader finds the line broken, the others do not try");
        server.run().await;
    }
    hits_come_again(&redis, "key").await;
    let levels: Vec<_> = log.lines().iter().map(|line| line[..4].to_owned()).collect();
    assert_eq!(levels, ["WARN", "INFO", "WARN", "INFO"], "{:?}", log.lines());
}

#[tokio::test]
async fn a_server_that_hangs_and_wakes() {
    let (log, metrics) = (Log::default(), Metrics::default());
    let _guards = (tracing::subscriber::set_default(log.clone()), metrics::set_default_local_recorder(&metrics));
    let server = Server::start(&[]).await;
    let redis = tier(&server.url());
    hits_come_again(&redis, "key").await;

    server.freeze();
    eventually("the news that it is away", async || {
        misses(&redis, "key", 10).await;
        (!redis.is_up()).then_some(())
    })
    .await;
    let errors = metrics.count(GET_ERRORS);
    let started = Instant::now();
    misses(&redis, "key", 1_000).await;
    assert!(started.elapsed() < AT_ONCE, "who knows that it is away does not wait: {:?}", started.elapsed());
    assert_eq!(metrics.count(GET_ERRORS), errors);
    assert!((1..=4).contains(&errors), "{errors} readers waited");
    server.wake();

    hits_come_again(&redis, "key").await;
    assert_eq!(log.lines().len(), 2, "{:?}", log.lines());
}

#[tokio::test]
async fn a_server_that_dies_while_nobody_asks_is_missed() {
    let mut server = Server::start(&[]).await;
    let redis = tier(&server.url());
    eventually("a connection", async || redis.is_up().then_some(())).await;
    server.kill();
    eventually("the news that it is away", async || (!redis.is_up()).then_some(())).await;
}

#[tokio::test]
async fn a_flood_of_values_for_a_server_that_hangs() {
    let metrics = Metrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    let server = Server::start(&[]).await;
    let redis = tier(&server.url());
    hits_come_again(&redis, "key").await;

    server.freeze();
    let value = Bytes::from(vec![1; 100_000]);
    let started = Instant::now();
    for number in 0..10_000 {
        redis.put(format!("flood:{number}"), value.clone());
        if number % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(started.elapsed() < AT_ONCE * 2, "{:?}", started.elapsed());
    // 64 MiB may wait: no more than 512 of these.
    assert!(dropped(&metrics) >= 10_000 - 512, "{}", dropped(&metrics));
    misses(&redis, "key", 10).await;
    server.wake();

    hits_come_again(&redis, "key").await;
}

#[tokio::test]
async fn a_value_that_is_too_large_is_not_stored() {
    let metrics = Metrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    let server = Server::start(&[]).await;
    let redis = tier(&server.url());
    hits_come_again(&redis, "key").await;
    let before = dropped(&metrics);
    redis.put("large".to_owned(), Bytes::from(vec![1; VALUE_BYTES + 1]));
    assert_eq!(dropped(&metrics), before + 1);
    stored(&redis, "other").await;
    assert_eq!(server.ask("EXISTS large").await, ":0\r\n");
}

#[tokio::test]
async fn a_server_without_memory_still_answers() {
    let (log, metrics) = (Log::default(), Metrics::default());
    let _guards = (tracing::subscriber::set_default(log.clone()), metrics::set_default_local_recorder(&metrics));
    let server = Server::start(&["--maxmemory-policy", "noeviction"]).await;
    let redis = tier(&server.url());
    hits_come_again(&redis, "key").await;
    assert_eq!(server.ask("CONFIG SET maxmemory 1").await, "+OK\r\n");

    for _ in 0..50 {
        redis.put("late".to_owned(), Bytes::from_static(b"value"));
        tokio::task::yield_now().await;
        assert_eq!(read(&redis, "key").await.unwrap(), "value");
    }
    eventually("refusals", async || (metrics.count(PUT_ERRORS) == 50).then_some(())).await;
    assert_eq!(read(&redis, "late").await, None);
    assert_eq!((metrics.count(GET_ERRORS), log.lines()), (0, Vec::new()));
    assert_eq!(server.ask("CONFIG SET maxmemory 0").await, "+OK\r\n");
    stored(&redis, "late").await;
}

#[tokio::test]
async fn a_replica_answers_and_stores_nothing() {
    let metrics = Metrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    let server = Server::start(&["--replica-serve-stale-data", "yes"]).await;
    let redis = tier(&server.url());
    hits_come_again(&redis, "key").await;
    assert_eq!(server.ask("REPLICAOF 127.0.0.1 1").await, "+OK\r\n");

    redis.put("key".to_owned(), Bytes::from_static(b"newer"));
    eventually("a refusal", async || (metrics.count(PUT_ERRORS) == 1).then_some(())).await;
    assert_eq!(read(&redis, "key").await.unwrap(), "value");
    assert!(redis.is_up());

    assert_eq!(server.ask("REPLICAOF NO ONE").await, "+OK\r\n");
    stored(&redis, "other").await;
}

#[tokio::test]
async fn another_type_under_our_key_is_a_miss() {
    let server = Server::start(&[]).await;
    let redis = tier(&server.url());
    hits_come_again(&redis, "key").await;
    assert_eq!(server.ask("LPUSH list one").await, ":1\r\n");
    misses(&redis, "list", 20).await;
    assert_eq!(read(&redis, "key").await.unwrap(), "value");
    assert!(redis.is_up());
    redis.put("list".to_owned(), Bytes::from_static(b"value"));
    eventually("the value in its place", async || read(&redis, "list").await).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_once_and_can_be_mended_at_the_server() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let server = Server::start(&["--requirepass", "right"]).await;
    let redis = tier(&format!("redis://:secret@127.0.0.1:{}", server.port));
    let started = Instant::now();
    eventually("some tries", async || {
        misses(&redis, "key", 10).await;
        (started.elapsed().as_millis() > 1_200).then_some(())
    })
    .await;
    assert_eq!(log.lines().len(), 1, "{:?}", log.lines());
    let line = &log.lines()[0];
    assert!(line.contains("WRONGPASS") || line.contains("uthentication"), "{line}");
    assert!(!line.contains("secret"), "{line}");

    let cli = tokio::process::Command::new("redis-cli")
        .args(["-p", &server.port.to_string(), "-a", "right", "--no-auth-warning", "CONFIG", "SET", "requirepass", "secret"])
        .output();
    assert!(cli.await.unwrap().status.success());
    hits_come_again(&redis, "key").await;
    assert_eq!(log.lines().len(), 2, "{:?}", log.lines());
}

#[tokio::test]
async fn a_server_without_tls_is_a_miss_for_who_wants_it() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let server = Server::start(&[]).await;
    let redis = tier(&server.url().replace("redis://", "rediss://"));
    eventually("a word that it is away", async || {
        misses(&redis, "key", 10).await;
        (!log.lines().is_empty()).then_some(())
    })
    .await;
    assert!(!redis.is_up());
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_a_miss() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redis = tier(&format!("redis://{}", listener.local_addr().unwrap()));
    let talker = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    eventually("a word that it is away", async || {
        misses(&redis, "key", 10).await;
        (!log.lines().is_empty()).then_some(())
    })
    .await;
    assert!(!redis.is_up());
    talker.abort();
}
