//! What is asked for, and that no more is read than may be kept.

use super::{
    CATALOGUE, Fetching,
    raw::{Answer, RawServer},
};
use crate::{fixtures, patience::in_time, served::Served};

const MEBIBYTE: usize = 1024 * 1024;
/// What the system takes from a server before anybody reads it, generously.
const SOCKET_BUFFERS: usize = 24 * MEBIBYTE;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_left_as_soon_as_it_is_over_the_limit() {
    let endless = (vec![b' '; MEBIBYTE / 16], 512 * MEBIBYTE);
    let server = RawServer::new(|_| Answer { body: endless, ..Answer::new("200 OK", b"") }).await;
    let fetching = Fetching::from(&server.url, &format!("max_body_bytes = {MEBIBYTE}")).await;
    assert_eq!(in_time("the answer", fetching.sync()).await.unwrap_err().code(), "too_large");
    assert!(server.sent() <= MEBIBYTE + SOCKET_BUFFERS, "{} bytes were read", server.sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_says_that_it_is_over_the_limit_is_not_read() {
    let head = format!("200 OK\nContent-Length: {}", 2 * MEBIBYTE);
    let server = RawServer::new(|_| Answer::new(&head, b"")).await;
    let fetching = Fetching::from(&server.url, &format!("max_body_bytes = {MEBIBYTE}")).await;
    // Nothing of the body comes, so that whoever waits for it would find the answer broken.
    assert_eq!(in_time("the answer", fetching.sync()).await.unwrap_err().code(), "too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_at_the_limit_goes_in() {
    let feed = fixtures::bytes("sound/small.xml");
    let server = RawServer::new(|_| Answer::new("200 OK", &feed)).await;
    let fetching = Fetching::from(&server.url, &format!("max_body_bytes = {}", feed.len())).await;
    assert_eq!(fetching.sync().await.unwrap().counts.inserted, 1);
    let over = Fetching::from(&server.url, &format!("max_body_bytes = {}", feed.len() - 1)).await;
    assert_eq!(over.sync().await.unwrap_err().code(), "too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_says_who_asks_and_which_codings_are_welcome() {
    let server = RawServer::new(|_| Answer::new("200 OK", &fixtures::bytes("sound/small.xml"))).await;
    Fetching::from(&server.url, "").await.sync().await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("get /feed http/1.1\r\n"), "{}", requests[0]);
    let agent = format!("\r\nuser-agent: marquee/{}\r\n", env!("CARGO_PKG_VERSION"));
    for line in [agent.as_str(), "\r\naccept-encoding: gzip, br, zstd\r\n"] {
        assert!(requests[0].contains(line), "{}", requests[0]);
    }
    assert!(!requests[0].contains("if-none-match"), "nothing is known of it yet: {}", requests[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_feed_is_counted_as_what_it_holds() {
    let served = Served::new(CATALOGUE).await;
    let fetching = Fetching::from(&served.url, "").await;
    let report = fetching.sync().await.unwrap();
    assert_eq!((report.counts.inserted, report.bytes), (60, CATALOGUE.feed(0).len() as u64));
    let run = fetching.last_run().await;
    assert_eq!((run.http_status, run.bytes), (Some(200), i64::try_from(report.bytes).ok()));
}
