//! A failing provider leaves the copy unchanged, the ledger has the reason, and the next valid response is imported.

use entity::sync_run::RunState;
use provider_sim::InjectedFault;
use tokio::net::TcpListener;

use super::{
    CATALOGUE, FetchTest,
    raw::{RawResponse, RawServer},
};
use crate::{entries, fixtures, patience::in_time, served::ServedProvider};

const MEBIBYTE: usize = 1024 * 1024;

/// Syncs, syncs with the fault, and syncs again without it.
async fn assert_recovers(faults: &str, more: &str, code: &str, http_status: Option<i16>) {
    let served = ServedProvider::new(CATALOGUE).await;
    let fetching = FetchTest::from(&served.url, more).await;
    fetching.sync().await.unwrap();
    let before = fetching.tables().await;

    served.provider.set_faults(InjectedFault::parse_list(faults).unwrap());
    let error = in_time(faults, fetching.sync()).await.expect_err(faults);
    assert_eq!(error.code(), code, "{faults}: {error}");
    let run = fetching.last_run().await;
    assert_eq!((run.state, run.reason_code.as_deref(), run.http_status), (RunState::Failed, Some(code), http_status), "{faults}");
    assert_eq!(run.reason, Some(error.to_string()), "{faults}");
    assert!(run.ended_at.is_some(), "{faults}");
    assert_eq!(fetching.tables().await, before, "{faults}");

    served.provider.set_faults([]);
    let report = fetching.sync().await.unwrap();
    assert_eq!(report.state, RunState::Succeeded, "after {faults}");
    assert_ne!(fetching.tables().await, before, "after {faults} the catalogue has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_any_status_other_than_200() {
    for status in [503, 500, 429, 404, 403, 204, 206, 301] {
        assert_recovers(&format!("status:{status}"), "", "http_status", Some(status)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_status_with_retry_after() {
    assert_recovers("status:503:120", "", "http_status", Some(503)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_truncated_document_in_a_complete_response() {
    for fault in ["truncate", "truncate:4000"] {
        assert_recovers(fault, "", "truncated", None).await;
    }
    assert_recovers("truncate:0", "", "empty_document", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_connection_reset() {
    assert_recovers("reset", "", "broken_response", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_timeout() {
    assert_recovers("hang", "answer_timeout_seconds = 1", "timed_out", None).await;
    assert_recovers("latency:60000", "answer_timeout_seconds = 1", "timed_out", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_response_that_is_too_slow() {
    assert_recovers("slow:500", "answer_timeout_seconds = 1", "timed_out", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_an_html_page() {
    assert_recovers("html", "", "html_page", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_random_bytes() {
    assert_recovers("garbage", "", "malformed", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_another_encoding_than_declared() {
    assert_recovers("encoding", "", "not_utf8", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_invalid_gzip() {
    assert_recovers("gzip-garbage", "", "broken_response", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_decompression_bomb() {
    assert_recovers("bomb:64", &format!("max_body_bytes = {MEBIBYTE}"), "too_large", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_decompression_bomb_within_the_byte_limit() {
    assert_recovers("bomb:8", &format!("max_body_bytes = {}", 9 * MEBIBYTE), "over_limit", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_a_slow_response_within_the_timeout() {
    let served = ServedProvider::with_faults("latency:100,slow:100000").await;
    let fetching = FetchTest::from(&served.url, "").await;
    assert_eq!(fetching.sync().await.unwrap().counts.inserted, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_provider_that_is_down_without_logging_secrets() {
    let served = ServedProvider::new(CATALOGUE).await;
    let mut fetching = FetchTest::from(&served.url, "").await;
    fetching.sync().await.unwrap();
    let before = fetching.tables().await;

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    fetching.entry = entries::entry(super::SLUG, &format!("http://user:swordfish@{closed}/feed?key=open-sesame"), "");
    let error = fetching.sync().await.unwrap_err();
    let run = fetching.last_run().await;
    assert_eq!((error.code(), run.state, run.reason_code.as_deref()), ("unreachable", RunState::Failed, Some("unreachable")));
    assert_eq!(fetching.tables().await, before);
    for text in [telemetry::with_causes(&error), run.reason.unwrap()] {
        assert!(!text.contains("open-sesame") && !text.contains("swordfish"), "the URL contains a secret: {text}");
    }

    fetching.entry = entries::entry(super::SLUG, &served.url, "");
    assert_eq!(fetching.sync().await.unwrap().state, RunState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_response_shorter_than_its_content_length() {
    let feed = fixtures::bytes("sound/small.xml");
    // The document is complete, so only the length reveals the error.
    let server = RawServer::new(|_| RawResponse::new(&format!("200 OK\nContent-Length: {}", feed.len() + 1), &feed)).await;
    let fetching = FetchTest::from(&server.url, "").await;
    assert_eq!(in_time("the response", fetching.sync()).await.unwrap_err().code(), "broken_response");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_response_that_is_not_http() {
    let server = RawServer::new(|_| RawResponse { head: "220 mail.example ESMTP\r\n".to_owned(), body: (vec![], 0) }).await;
    let fetching = FetchTest::from(&server.url, "").await;
    assert_eq!(in_time("the response", fetching.sync()).await.unwrap_err().code(), "not_http");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_connection_closed_without_a_response() {
    let server = RawServer::new(|_| RawResponse { head: String::new(), body: (vec![], 0) }).await;
    let fetching = FetchTest::from(&server.url, "").await;
    assert_eq!(in_time("the closed connection", fetching.sync()).await.unwrap_err().code(), "not_http");
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_endless_interim_responses_at_the_timeout() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".to_owned();
    let endless = (interim.clone().into_bytes(), usize::MAX);
    let server = RawServer::new(|_| RawResponse { head: interim, body: endless }).await;
    let fetching = FetchTest::from(&server.url, "answer_timeout_seconds = 1").await;
    assert_eq!(in_time("interim responses", fetching.sync()).await.unwrap_err().code(), "timed_out");
}
