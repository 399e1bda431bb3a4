//! The connection limit, and isolation of connections from each other.

use std::time::Duration;

use api::server::Limits;
use tokio::time::{Instant, timeout};

use super::{TestServer, within_timeout};
use crate::recorder::RecordedMetrics;

#[tokio::test]
async fn at_the_limit_the_longest_idle_connection_is_closed() {
    let metrics_recorder = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics_recorder);
    let server = TestServer::start(Limits { connections: 10, ..Limits::default() }).await;
    let mut connections = Vec::new();
    for number in 0..9 {
        let mut connection = server.connect().await;
        assert_eq!(connection.get("/a").await.1, "/a");
        assert!((metrics_recorder.gauge("marquee_http_connections{}") - f64::from(number + 1)).abs() < f64::EPSILON);
        connections.push(connection);
    }
    connections[0].get("/b").await;
    let mut tenth = server.connect().await;
    assert_eq!(tenth.get("/c").await.1, "/c");

    connections[1].wait_for_close().await;
    assert_eq!(metrics_recorder.counter("marquee_http_connections_closed_total{reason=evicted}"), 1);
    assert_eq!(connections[0].get("/d").await.1, "/d", "it was used later");
}

#[tokio::test]
async fn connections_with_requests_are_not_closed_for_others() {
    let server = TestServer::start(Limits { connections: 3, ..Limits::default() }).await;
    let mut busy = Vec::new();
    for _ in 0..3 {
        let mut connection = server.connect().await;
        connection.send_get("/gate").await;
        busy.push(connection);
    }
    server.wait_for_requests(3).await;
    let mut waiting = server.connect().await;
    waiting.send_get("/b").await;
    assert!(timeout(Duration::from_millis(300), waiting.read_response()).await.is_err(), "served beyond the limit");

    server.endpoint.gate.add_permits(1);
    assert_eq!(busy[0].read_response().await.1, "opened");
    assert_eq!(waiting.read_response().await.1, "/b");
    server.endpoint.gate.add_permits(2);
    assert_eq!(busy[2].read_response().await.1, "opened");
}

/// With the files that a shell permits, 824 connections are left: more clients than that send nothing, a part of a request, or read
/// nothing.
#[tokio::test]
async fn silent_clients_do_not_block_health_checks() {
    let server = TestServer::start(Limits { connections: 824, ..Limits::default() }).await;
    for _ in 0..3 {
        let mut silent = Vec::new();
        for number in 0..953 {
            let mut connection = server.connect().await;
            match number % 4 {
                0 => connection.send("GET /livez HTTP/1.1\r\nX-Slow: ").await,
                1 => drop(timeout(Duration::from_secs(1), connection.send_get("/a")).await),
                _ => {}
            }
            silent.push(connection);
        }
        for _ in 0..10 {
            let started = Instant::now();
            assert_eq!(server.connect().await.get("/livez").await.1, "/livez");
            assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        }
    }
}

#[tokio::test]
async fn a_panic_closes_only_its_own_connection() {
    let server = TestServer::start(Limits { connections: 3, ..Limits::default() }).await;
    let mut other = server.connect().await;
    assert_eq!(other.get("/a").await.1, "/a");
    for _ in 0..5 {
        let mut connection = server.connect().await;
        connection.send_get("/panic").await;
        connection.wait_for_close().await;
    }
    assert_eq!(other.get("/b").await.1, "/b");
    assert_eq!(server.connect().await.get("/c").await.1, "/c", "a panic frees its slot");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::start(Limits::default()).await;
    let mut connection = server.connect().await;
    let requests: String = (0..50).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: test\r\n\r\n")).collect();
    connection.send(&requests).await;
    for number in 0..50 {
        assert_eq!(connection.read_response().await.1, format!("/{number}"));
    }
}

#[tokio::test]
async fn a_pipelined_request_may_arrive_in_two_parts() {
    let server = TestServer::start(Limits::default()).await;
    let mut connection = server.connect().await;
    connection.send("GET /1 HTTP/1.1\r\nHost: test\r\n\r\nGET /2 HT").await;
    assert_eq!(connection.read_response().await.1, "/1");
    connection.send("TP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(connection.read_response().await.1, "/2");
}

#[tokio::test]
async fn head_responses_have_a_length_and_no_body() {
    let server = TestServer::start(Limits::default()).await;
    let mut connection = server.connect().await;
    connection.send("HEAD /seven. HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    let response = String::from_utf8(within_timeout(connection.read_to_end()).await.unwrap()).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 ") && response.contains("content-length: 7\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\n"), "{response}");
}
