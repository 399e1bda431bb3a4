//! Conditional requests: an unmodified document is neither sent nor parsed again.

use entity::sync_run::RunState;
use provider_sim::{InjectedFault, SimCatalogue};
use worker::sync::Counts;

use super::{
    CATALOGUE, FetchTest, SLUG,
    raw::{RawResponse, RawServer},
};
use crate::{copy::provider_of, entries, fixtures, served::ServedProvider};

const STATIC_CATALOGUE: SimCatalogue = SimCatalogue { churn: 0.0, ..CATALOGUE };

#[tokio::test(flavor = "multi_thread")]
async fn does_not_fetch_an_unmodified_document_again() {
    let served = ServedProvider::new(STATIC_CATALOGUE).await;
    let fetching = FetchTest::from(&served.url, "").await;
    fetching.sync().await.unwrap();
    let before = fetching.tables().await;
    let report = fetching.sync().await.unwrap();
    assert_eq!((report.state, report.counts), (RunState::Unchanged, Counts { fetched: 60, unchanged: 60, ..Counts::default() }));
    let run = fetching.last_run().await;
    assert_eq!((run.state, run.http_status, run.bytes), (RunState::Unchanged, Some(304), None));
    assert_eq!(
        provider_of(&fetching.connection, SLUG).await.last_success_at,
        Some(run.started_at),
        "an unchanged run is successful"
    );
    assert_eq!(fetching.tables().await, before);
    let statistics = served.provider.statistics();
    assert_eq!((statistics.full_responses, statistics.not_modified), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_a_modified_document() {
    let served = ServedProvider::new(CATALOGUE).await;
    let fetching = FetchTest::from(&served.url, "").await;
    for inserted in [60, 0] {
        assert_eq!(fetching.sync().await.unwrap().counts.inserted, inserted);
    }
    assert_eq!((fetching.last_run().await.state, served.provider.statistics().full_responses), (RunState::Succeeded, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_no_validators_after_a_rejected_document() {
    // The truncated response has the ETag of the complete document.
    let served = ServedProvider::new(STATIC_CATALOGUE).await;
    served.provider.fail_next(InjectedFault::parse_list("truncate").unwrap());
    let fetching = FetchTest::from(&served.url, "").await;
    assert_eq!(fetching.sync().await.unwrap_err().code(), "truncated");
    assert_eq!(fetching.sync().await.unwrap().counts.inserted, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_no_validators_after_a_change_of_the_settings() {
    for setting in ["time_zone = \"Asia/Tokyo\"", "headers = { Accept-Language = \"es\" }"] {
        let served = ServedProvider::new(STATIC_CATALOGUE).await;
        let mut fetching = FetchTest::from(&served.url, "").await;
        fetching.sync().await.unwrap();
        fetching.entry = entries::entry(SLUG, &served.url, setting);
        for not_modified in [0, 1] {
            fetching.sync().await.unwrap();
            assert_eq!(served.provider.statistics().not_modified, not_modified, "{setting}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_no_validators_to_another_url() {
    // Both providers use the same ETag.
    let (old, new) = (ServedProvider::new(STATIC_CATALOGUE).await, ServedProvider::new(STATIC_CATALOGUE).await);
    let mut fetching = FetchTest::from(&old.url, "").await;
    fetching.sync().await.unwrap();
    fetching.entry = entries::entry(SLUG, &new.url, "");
    assert_eq!(fetching.sync().await.unwrap().state, RunState::Unchanged);
    assert_eq!((new.provider.statistics().full_responses, new.provider.statistics().not_modified), (1, 0));
    assert_eq!(fetching.last_run().await.http_status, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_304_without_a_copy() {
    let served = ServedProvider::with_faults("status:304").await;
    let fetching = FetchTest::from(&served.url, "").await;
    assert_eq!(fetching.sync().await.unwrap_err().code(), "http_status");
    assert_eq!(fetching.last_run().await.http_status, Some(304));
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_validators_unchanged() {
    let feed = fixtures::bytes("sound/small.xml");
    let head = "200 OK\nETag: W/\"a, b\"\nLast-Modified: Tue, 04 Mar 2031 10:00:00 GMT";
    let server = RawServer::new(|_| RawResponse::new(head, &feed)).await;
    let fetching = FetchTest::from(&server.url, "").await;
    assert_eq!(fetching.sync().await.unwrap().state, RunState::Succeeded);
    assert_eq!(fetching.sync().await.unwrap().state, RunState::Unchanged, "the bytes are the same, although the status is 200");
    let requests = server.requests();
    for line in ["\r\nif-none-match: w/\"a, b\"\r\n", "\r\nif-modified-since: tue, 04 mar 2031 10:00:00 gmt\r\n"] {
        assert!(!requests[0].contains(line) && requests[1].contains(line), "{requests:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_the_validators_of_the_last_response() {
    let feed = fixtures::bytes("sound/small.xml");
    let first = RawResponse::new("200 OK\nETag: \"one\"\nLast-Modified: Tue, 04 Mar 2031 10:00:00 GMT", &feed);
    let (one, two, ten, eleven) =
        (Some("\"one\""), Some("\"two\""), Some("tue, 04 mar 2031 10:00:00 gmt"), Some("tue, 04 mar 2031 11:00:00 gmt"));
    for (head, body, etag, last_modified) in [
        ("304 Not Modified\nETag: \"two\"\nLast-Modified: Tue, 04 Mar 2031 11:00:00 GMT", &b""[..], two, eleven),
        ("304 Not Modified\nETag: \"two\"", b"", two, ten),
        ("304 Not Modified\nLast-Modified: Tue, 04 Mar 2031 11:00:00 GMT", b"", one, eleven),
        ("304 Not Modified", b"", one, ten),
        // The same bytes.
        ("200 OK\nETag: \"two\"", &feed, two, None),
        ("200 OK\nETag: W/\"two\"\nLast-Modified: Tue, 04 Mar 2031 11:00:00 GMT", &feed, Some("w/\"two\""), eleven),
        ("200 OK", &feed, None, None),
    ] {
        let server = RawServer::with_script(|_| vec![first.clone(), RawResponse::new(head, body)]).await;
        let fetching = FetchTest::from(&server.url, "").await;
        for state in [RunState::Succeeded, RunState::Unchanged, RunState::Unchanged] {
            assert_eq!(fetching.sync().await.unwrap().state, state, "{head}");
        }
        let request = &server.requests()[2];
        for (name, expected) in [("if-none-match", etag), ("if-modified-since", last_modified)] {
            let sent = request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            assert_eq!(sent, expected, "{name} after {head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_a_confirmed_document_that_has_got_a_second_page() {
    let first = fixtures::bytes("sound/small.xml");
    let second = fixtures::bytes("three_polls/first.xml");
    let link = "\nETag: \"1\"\nLink: </feed/2>; rel=\"next\"";
    let server = RawServer::with_script(|_| {
        vec![
            RawResponse::new("200 OK\nETag: \"1\"", &first),
            RawResponse::new(&format!("304 Not Modified{link}"), b""),
            RawResponse::new(&format!("200 OK{link}"), &first),
            RawResponse::new("404 Not Found", b""),
            RawResponse::new("200 OK", &second),
        ]
    })
    .await;
    let fetching = FetchTest::from(&server.url, "max_requests_per_second = 1000").await;
    assert_eq!(fetching.sync().await.unwrap().counts.inserted, 1);
    assert_eq!(fetching.sync().await.unwrap().counts.inserted, 3);
    let requests: Vec<bool> = server.requests().iter().map(|request| request.contains("if-none-match")).collect();
    assert_eq!(requests, [false, true, false, false, false]);
}
