//! The connection limit, and isolation of connections from each other.

use std::time::Duration;

use api::server::Limits;
use tokio::time::timeout;

use super::{TestServer, within_timeout};
use crate::recorder::RecordedMetrics;

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_free_slot() {
    let metrics_recorder = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics_recorder);
    let server = TestServer::start(Limits { connections: 10, ..Limits::default() }).await;
    let mut connections = Vec::new();
    for _ in 0..10 {
        let mut connection = server.connect().await;
        assert_eq!(connection.get("/a").await.1, "/a");
        connections.push(connection);
    }
    let mut eleventh = server.connect().await;
    eleventh.send_get("/b").await;
    assert!(timeout(Duration::from_millis(300), eleventh.read_response()).await.is_err(), "served beyond the limit");
    assert_eq!(connections[0].get("/livez").await.1, "/livez", "open connections are served");
    assert!((metrics_recorder.gauge("marquee_http_connections{}") - 10.0).abs() < f64::EPSILON);

    drop(connections.pop());
    assert_eq!(eleventh.read_response().await.1, "/b");
}

#[tokio::test]
async fn a_panic_closes_only_its_own_connection() {
    let server = TestServer::start(Limits { connections: 2, ..Limits::default() }).await;
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
