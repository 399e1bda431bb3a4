//! A single server that is absent, killed, frozen, full or misconfigured.

use std::time::Instant;

use api::cache::redis::MAX_VALUE_BYTES;
use bytes::Bytes;
use tokio::net::TcpListener;

use super::{
    GET_ERRORS, assert_misses, assert_recovers, connect, get,
    redis_process::{RedisProcess, eventually},
    store_until_readable,
};
use crate::recorder::{RecordedLog, RecordedMetrics};

const PUT_ERRORS: &str = "marquee_redis_errors_total{operation=put}";
const UP: &str = "marquee_redis_up{}";

fn count_dropped(metrics: &RecordedMetrics) -> u64 {
    ["unavailable", "busy", "large"]
        .iter()
        .map(|reason| metrics.counter(&format!("marquee_redis_dropped_total{{reason={reason}}}")))
        .sum()
}

#[tokio::test]
async fn connects_once_the_server_starts() {
    let (log, _guard) = RecordedLog::start();
    let mut server = RedisProcess::stopped(&[]);
    let redis = connect(&server.url());
    assert_misses(&redis, "key", 100).await;
    eventually("a log line", async || (log.lines().len() == 1).then_some(())).await;
    assert!(!redis.is_up());
    assert!(log.lines()[0].starts_with("WARN") && log.lines()[0].contains("refused"), "{:?}", log.lines());

    server.run().await;

    assert_recovers(&redis, "key").await;
    assert_eq!(log.lines().len(), 2, "{:?}", log.lines());
    assert!(log.lines()[1].starts_with("INFO"), "{:?}", log.lines());
}

#[tokio::test]
async fn recovers_after_the_server_was_killed() {
    let ((log, _guard), metrics) = (RecordedLog::start(), RecordedMetrics::default());
    let _recorder = metrics::set_default_local_recorder(&metrics);
    let mut server = RedisProcess::start(&[]).await;
    let redis = connect(&server.url());
    for round in 1..=2 {
        assert_recovers(&redis, "key").await;
        assert!((metrics.gauge(UP) - 1.0).abs() < f64::EPSILON);
        server.kill();
        eventually("a miss", async || get(&redis, "key").await.is_none().then_some(())).await;
        eventually("Redis is unavailable", async || {
            assert_misses(&redis, "key", 10).await;
            (!redis.is_up()).then_some(())
        })
        .await;
        assert!(metrics.gauge(UP).abs() < f64::EPSILON);
        // No error if the heartbeat detected it first.
        assert!(metrics.counter(GET_ERRORS) <= round, "only one read per outage fails");
        server.run().await;
    }
    assert_recovers(&redis, "key").await;
    let levels: Vec<_> = log.lines().iter().map(|line| line[..4].to_owned()).collect();
    assert_eq!(levels, ["WARN", "INFO", "WARN", "INFO"], "{:?}", log.lines());
}

#[tokio::test]
async fn recovers_after_the_server_was_frozen() {
    let ((log, _guard), metrics) = (RecordedLog::start(), RecordedMetrics::default());
    let _recorder = metrics::set_default_local_recorder(&metrics);
    let server = RedisProcess::start(&[]).await;
    let redis = connect(&server.url());
    assert_recovers(&redis, "key").await;

    server.freeze();
    eventually("Redis is unavailable", async || {
        assert_misses(&redis, "key", 10).await;
        (!redis.is_up()).then_some(())
    })
    .await;
    let errors = metrics.counter(GET_ERRORS);
    assert_misses(&redis, "key", 1_000).await;
    assert_eq!(metrics.counter(GET_ERRORS), errors, "reads do not wait for a server that is known to be unavailable");
    assert!((1..=4).contains(&errors), "{errors} reads waited");
    server.wake();

    assert_recovers(&redis, "key").await;
    assert_eq!(log.lines().len(), 2, "{:?}", log.lines());
}

#[tokio::test]
async fn the_heartbeat_detects_a_killed_server() {
    let mut server = RedisProcess::start(&[]).await;
    let redis = connect(&server.url());
    eventually("a connection", async || redis.is_up().then_some(())).await;
    server.kill();
    eventually("Redis is unavailable", async || (!redis.is_up()).then_some(())).await;
}

#[tokio::test]
async fn writes_to_a_frozen_server_are_dropped_beyond_the_buffer() {
    let metrics = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    let server = RedisProcess::start(&[]).await;
    let redis = connect(&server.url());
    assert_recovers(&redis, "key").await;

    server.freeze();
    let value = Bytes::from(vec![1; 100_000]);
    for number in 0..10_000 {
        redis.put(&format!("flood:{number}"), value.clone());
        if number % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // At most 64 MiB are buffered: 512 of these values.
    assert!(count_dropped(&metrics) >= 10_000 - 512, "{}", count_dropped(&metrics));
    assert_misses(&redis, "key", 10).await;
    server.wake();

    assert_recovers(&redis, "key").await;
}

#[tokio::test]
async fn oversized_values_are_not_stored() {
    let metrics = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    let server = RedisProcess::start(&[]).await;
    let redis = connect(&server.url());
    assert_recovers(&redis, "key").await;
    let before = count_dropped(&metrics);
    redis.put("large", Bytes::from(vec![1; MAX_VALUE_BYTES + 1]));
    assert_eq!(count_dropped(&metrics), before + 1);
    store_until_readable(&redis, "other").await;
    assert_eq!(server.query("EXISTS large").await, ":0\r\n");
}

#[tokio::test]
async fn a_server_out_of_memory_still_serves_reads() {
    let ((log, _guard), metrics) = (RecordedLog::start(), RecordedMetrics::default());
    let _recorder = metrics::set_default_local_recorder(&metrics);
    let server = RedisProcess::start(&["--maxmemory-policy", "noeviction"]).await;
    let redis = connect(&server.url());
    assert_recovers(&redis, "key").await;
    assert_eq!(server.query("CONFIG SET maxmemory 1").await, "+OK\r\n");

    for _ in 0..50 {
        redis.put("late", Bytes::from_static(b"value"));
        tokio::task::yield_now().await;
        assert_eq!(get(&redis, "key").await.unwrap(), "value");
    }
    eventually("rejected writes", async || (metrics.counter(PUT_ERRORS) == 50).then_some(())).await;
    assert_eq!(get(&redis, "late").await, None);
    assert_eq!((metrics.counter(GET_ERRORS), log.lines()), (0, Vec::new()));
    assert_eq!(server.query("CONFIG SET maxmemory 0").await, "+OK\r\n");
    store_until_readable(&redis, "late").await;
}

#[tokio::test]
async fn a_read_only_replica_serves_reads() {
    let metrics = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    let server = RedisProcess::start(&["--replica-serve-stale-data", "yes"]).await;
    let redis = connect(&server.url());
    assert_recovers(&redis, "key").await;
    assert_eq!(server.query("REPLICAOF 127.0.0.1 1").await, "+OK\r\n");

    redis.put("key", Bytes::from_static(b"newer"));
    eventually("a rejected write", async || (metrics.counter(PUT_ERRORS) == 1).then_some(())).await;
    assert_eq!(get(&redis, "key").await.unwrap(), "value");
    assert!(redis.is_up());

    assert_eq!(server.query("REPLICAOF NO ONE").await, "+OK\r\n");
    store_until_readable(&redis, "other").await;
}

#[tokio::test]
async fn a_key_of_another_type_is_a_miss() {
    let server = RedisProcess::start(&[]).await;
    let redis = connect(&server.url());
    assert_recovers(&redis, "key").await;
    assert_eq!(server.query("LPUSH list one").await, ":1\r\n");
    assert_misses(&redis, "list", 20).await;
    assert_eq!(get(&redis, "key").await.unwrap(), "value");
    assert!(redis.is_up());
    redis.put("list", Bytes::from_static(b"value"));
    eventually("the replaced value", async || get(&redis, "list").await).await;
}

#[tokio::test]
async fn a_wrong_password_is_logged_once_and_recovers_when_corrected() {
    let (log, _guard) = RecordedLog::start();
    let server = RedisProcess::start(&["--requirepass", "right"]).await;
    let redis = connect(&format!("redis://:secret@127.0.0.1:{}", server.port));
    let started = Instant::now();
    eventually("several attempts", async || {
        assert_misses(&redis, "key", 10).await;
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
    assert_recovers(&redis, "key").await;
    assert_eq!(log.lines().len(), 2, "{:?}", log.lines());
}

#[tokio::test]
async fn a_server_without_tls_is_unavailable_over_rediss() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (log, _guard) = RecordedLog::start();
    let server = RedisProcess::start(&[]).await;
    let redis = connect(&server.url().replace("redis://", "rediss://"));
    eventually("a log line", async || {
        assert_misses(&redis, "key", 10).await;
        (!log.lines().is_empty()).then_some(())
    })
    .await;
    assert!(!redis.is_up());
}

#[tokio::test]
async fn a_server_of_another_protocol_is_unavailable() {
    let (log, _guard) = RecordedLog::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redis = connect(&format!("redis://{}", listener.local_addr().unwrap()));
    let responder = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    eventually("a log line", async || {
        assert_misses(&redis, "key", 10).await;
        (!log.lines().is_empty()).then_some(())
    })
    .await;
    assert!(!redis.is_up());
    responder.abort();
}
