//! Whatever a provider does, the copy stays as it was, the ledger says why, and the next sound answer is taken.

use entity::sync_run::RunState;
use provider_sim::InjectedFault;
use tokio::net::TcpListener;

use super::{
    CATALOGUE, Fetching,
    raw::{Answer, RawServer},
};
use crate::{entries, fixtures, patience::in_time, served::Served};

const MEBIBYTE: usize = 1024 * 1024;

/// Copies, meets the fault, and copies again without it.
async fn assert_survived(faults: &str, more: &str, code: &str, http_status: Option<i16>) {
    let served = Served::new(CATALOGUE).await;
    let fetching = Fetching::from(&served.url, more).await;
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
    assert_ne!(fetching.tables().await, before, "after {faults} the catalogue had changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_other_than_200() {
    for status in [503, 500, 429, 404, 403, 204, 206, 301] {
        assert_survived(&format!("status:{status}"), "", "http_status", Some(status)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_with_a_time_to_come_again() {
    assert_survived("status:503:120", "", "http_status", Some(503)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_cut_off_in_a_whole_answer() {
    for cut in ["truncate", "truncate:4000"] {
        assert_survived(cut, "", "truncated", None).await;
    }
    assert_survived("truncate:0", "", "empty_document", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_reset_in_the_middle() {
    assert_survived("reset", "", "broken_response", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_within_the_time() {
    assert_survived("hang", "answer_timeout_seconds = 1", "timed_out", None).await;
    assert_survived("latency:60000", "answer_timeout_seconds = 1", "timed_out", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_drips_past_the_time() {
    assert_survived("slow:500", "answer_timeout_seconds = 1", "timed_out", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_for_people() {
    assert_survived("html", "", "doctype", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_without_a_meaning() {
    assert_survived("garbage", "", "malformed", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_encoding_than_declared() {
    assert_survived("encoding", "", "not_utf8", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compression_that_is_none() {
    assert_survived("gzip-garbage", "", "broken_response", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_bomb() {
    assert_survived("bomb:64", &format!("max_body_bytes = {MEBIBYTE}"), "too_large", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_within_the_limit_of_bytes() {
    assert_survived("bomb:8", &format!("max_body_bytes = {}", 9 * MEBIBYTE), "over_limit", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_within_the_time_is_an_answer() {
    let served = Served::with_faults("latency:100,slow:100000").await;
    let fetching = Fetching::from(&served.url, "").await;
    assert_eq!(fetching.sync().await.unwrap().counts.inserted, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down() {
    let served = Served::new(CATALOGUE).await;
    let mut fetching = Fetching::from(&served.url, "").await;
    fetching.sync().await.unwrap();
    let before = fetching.tables().await;

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    fetching.entry = entries::entry(super::SLUG, &format!("http://user:swordfish@{nobody}/feed?key=open-sesame"), "");
    let error = fetching.sync().await.unwrap_err();
    let run = fetching.last_run().await;
    assert_eq!((error.code(), run.state, run.reason_code.as_deref()), ("unreachable", RunState::Failed, Some("unreachable")));
    assert_eq!(fetching.tables().await, before);
    for text in [telemetry::with_causes(&error), run.reason.unwrap()] {
        assert!(!text.contains("open-sesame") && !text.contains("swordfish"), "a URL may hold a secret: {text}");
    }

    fetching.entry = entries::entry(super::SLUG, &served.url, "");
    assert_eq!(fetching.sync().await.unwrap().state, RunState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_shorter_than_it_promised() {
    let feed = fixtures::bytes("sound/small.xml");
    // Whole as a document, so that only the promise tells.
    let server = RawServer::new(|_| Answer::new(&format!("200 OK\nContent-Length: {}", feed.len() + 1), &feed)).await;
    let fetching = Fetching::from(&server.url, "").await;
    assert_eq!(in_time("the answer", fetching.sync()).await.unwrap_err().code(), "broken_response");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_http() {
    let server = RawServer::new(|_| Answer { head: "220 mail.example ESMTP\r\n".to_owned(), body: (vec![], 0) }).await;
    let fetching = Fetching::from(&server.url, "").await;
    assert_eq!(in_time("the answer", fetching.sync()).await.unwrap_err().code(), "not_http");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_without_an_answer() {
    let server = RawServer::new(|_| Answer { head: String::new(), body: (vec![], 0) }).await;
    let fetching = Fetching::from(&server.url, "").await;
    assert_eq!(in_time("the end", fetching.sync()).await.unwrap_err().code(), "not_http");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_promise_of_an_answer_ends_with_the_time() {
    let promise = "HTTP/1.1 100 Continue\r\n\r\n".to_owned();
    let endless = (promise.clone().into_bytes(), usize::MAX);
    let server = RawServer::new(|_| Answer { head: promise, body: endless }).await;
    let fetching = Fetching::from(&server.url, "answer_timeout_seconds = 1").await;
    assert_eq!(in_time("the promises", fetching.sync()).await.unwrap_err().code(), "timed_out");
}
