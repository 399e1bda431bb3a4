//! The request headers, and the size limit.

use super::{
    CATALOGUE, FetchTest,
    raw::{RawResponse, RawServer},
};
use crate::{fixtures, patience::in_time, served::ServedProvider};

const MEBIBYTE: usize = 1024 * 1024;
/// A generous bound for the bytes that socket buffers accept before they are read.
const SOCKET_BUFFERS: usize = 24 * MEBIBYTE;

#[tokio::test(flavor = "multi_thread")]
async fn stops_reading_an_endless_response_at_the_limit() {
    let endless = (vec![b' '; MEBIBYTE / 16], 512 * MEBIBYTE);
    let server = RawServer::new(|_| RawResponse { body: endless, ..RawResponse::new("200 OK", b"") }).await;
    let fetching = FetchTest::from(&server.url, &format!("max_body_bytes = {MEBIBYTE}")).await;
    assert_eq!(in_time("the response", fetching.sync()).await.unwrap_err().code(), "too_large");
    assert!(server.sent() <= MEBIBYTE + SOCKET_BUFFERS, "{} bytes were read", server.sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_content_length_over_the_limit_without_reading() {
    let head = format!("200 OK\nContent-Length: {}", 2 * MEBIBYTE);
    let server = RawServer::new(|_| RawResponse::new(&head, b"")).await;
    let fetching = FetchTest::from(&server.url, &format!("max_body_bytes = {MEBIBYTE}")).await;
    // The body is never sent, so reading it would fail with another code.
    assert_eq!(in_time("the response", fetching.sync()).await.unwrap_err().code(), "too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_a_body_at_the_limit() {
    let feed = fixtures::bytes("sound/small.xml");
    let server = RawServer::new(|_| RawResponse::new("200 OK", &feed)).await;
    let fetching = FetchTest::from(&server.url, &format!("max_body_bytes = {}", feed.len())).await;
    assert_eq!(fetching.sync().await.unwrap().counts.inserted, 1);
    let over = FetchTest::from(&server.url, &format!("max_body_bytes = {}", feed.len() - 1)).await;
    assert_eq!(over.sync().await.unwrap_err().code(), "too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_a_user_agent_and_the_accepted_codings() {
    let server = RawServer::new(|_| RawResponse::new("200 OK", &fixtures::bytes("sound/small.xml"))).await;
    FetchTest::from(&server.url, "").await.sync().await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("get /feed http/1.1\r\n"), "{}", requests[0]);
    let agent = format!("\r\nuser-agent: marquee/{}\r\n", env!("CARGO_PKG_VERSION"));
    for line in [agent.as_str(), "\r\naccept-encoding: gzip, br, zstd\r\n"] {
        assert!(requests[0].contains(line), "{}", requests[0]);
    }
    assert!(!requests[0].contains("if-none-match"), "there are no validators yet: {}", requests[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_the_decompressed_bytes_of_a_feed() {
    let served = ServedProvider::new(CATALOGUE).await;
    let fetching = FetchTest::from(&served.url, "").await;
    let report = fetching.sync().await.unwrap();
    assert_eq!((report.counts.inserted, report.bytes), (60, CATALOGUE.feed(0).len() as u64));
    let run = fetching.last_run().await;
    assert_eq!((run.http_status, run.bytes), (Some(200), i64::try_from(report.bytes).ok()));
}
