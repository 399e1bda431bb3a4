//! How many connections there may be, and what one of them may do to the others.

use std::time::Duration;

use api::server::Limits;
use tokio::time::timeout;

use super::{Served, in_time, recorder::Recorded};

#[tokio::test]
async fn beyond_the_bound_a_client_waits_until_another_leaves() {
    let recorded = Recorded::default();
    let _recording = metrics::set_default_local_recorder(&recorded);
    let served = Served::with(Limits { connections: 10, ..Limits::default() }).await;
    let mut lines = Vec::new();
    for _ in 0..10 {
        let mut line = served.connect().await;
        assert_eq!(line.get("/a").await.1, "/a");
        lines.push(line);
    }
    let mut eleventh = served.connect().await;
    eleventh.ask("/b").await;
    assert!(timeout(Duration::from_millis(300), eleventh.answer()).await.is_err(), "it was served beyond the bound");
    assert_eq!(lines[0].get("/livez").await.1, "/livez", "those that are there are served");
    assert!((recorded.gauge("marquee_http_connections") - 10.0).abs() < f64::EPSILON);

    drop(lines.pop());
    assert_eq!(eleventh.answer().await.1, "/b");
}

#[tokio::test]
async fn a_panic_ends_its_connection_alone() {
    let served = Served::with(Limits { connections: 2, ..Limits::default() }).await;
    let mut other = served.connect().await;
    assert_eq!(other.get("/a").await.1, "/a");
    for _ in 0..5 {
        let mut line = served.connect().await;
        line.ask("/panic").await;
        line.is_let_go().await;
    }
    assert_eq!(other.get("/b").await.1, "/b");
    assert_eq!(served.connect().await.get("/c").await.1, "/c", "a panic gives its place back");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let served = Served::with(Limits::default()).await;
    let mut line = served.connect().await;
    let requests: String = (0..50).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: test\r\n\r\n")).collect();
    line.send(&requests).await;
    for number in 0..50 {
        assert_eq!(line.answer().await.1, format!("/{number}"));
    }
}

#[tokio::test]
async fn a_request_in_two_parts_behind_another_is_answered() {
    let served = Served::with(Limits::default()).await;
    let mut line = served.connect().await;
    line.send("GET /1 HTTP/1.1\r\nHost: test\r\n\r\nGET /2 HT").await;
    assert_eq!(line.answer().await.1, "/1");
    line.send("TP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(line.answer().await.1, "/2");
}

#[tokio::test]
async fn a_head_request_has_the_length_and_no_body() {
    let served = Served::with(Limits::default()).await;
    let mut line = served.connect().await;
    line.send("HEAD /seven. HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    let answer = String::from_utf8(in_time(line.rest()).await.unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("content-length: 7\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}
