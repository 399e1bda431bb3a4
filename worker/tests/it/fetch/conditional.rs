//! A document that the copy holds already is not sent again, and not read again.

use entity::sync_run::RunState;
use provider_sim::{InjectedFault, SimCatalogue};
use worker::sync::Counts;

use super::{
    CATALOGUE, Fetching, SLUG,
    raw::{Answer, RawServer},
};
use crate::{copy::provider_of, entries, fixtures, served::Served};

const STILL: SimCatalogue = SimCatalogue { churn: 0.0, ..CATALOGUE };

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_not_modified_is_not_sent_again() {
    let served = Served::new(STILL).await;
    let fetching = Fetching::from(&served.url, "").await;
    fetching.sync().await.unwrap();
    let before = fetching.tables().await;
    let report = fetching.sync().await.unwrap();
    assert_eq!((report.state, report.counts), (RunState::Unchanged, Counts { fetched: 60, unchanged: 60, ..Counts::default() }));
    let run = fetching.last_run().await;
    assert_eq!((run.state, run.http_status, run.bytes), (RunState::Unchanged, Some(304), None));
    assert_eq!(provider_of(&fetching.connection, SLUG).await.last_success_at, Some(run.started_at), "the copy is fresh");
    assert_eq!(fetching.tables().await, before);
    let statistics = served.provider.statistics();
    assert_eq!((statistics.full_responses, statistics.not_modified), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_modified_is_sent() {
    let served = Served::new(CATALOGUE).await;
    let fetching = Fetching::from(&served.url, "").await;
    for inserted in [60, 0] {
        assert_eq!(fetching.sync().await.unwrap().counts.inserted, inserted);
    }
    assert_eq!((fetching.last_run().await.state, served.provider.statistics().full_responses), (RunState::Succeeded, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_could_not_be_taken_is_asked_for_again() {
    // The broken answer carries the ETag of the sound document.
    let served = Served::new(STILL).await;
    served.provider.fail_next(InjectedFault::parse_list("truncate").unwrap());
    let fetching = Fetching::from(&served.url, "").await;
    assert_eq!(fetching.sync().await.unwrap_err().code(), "truncated");
    assert_eq!(fetching.sync().await.unwrap().counts.inserted, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_would_be_read_otherwise_is_asked_for_again() {
    let served = Served::new(STILL).await;
    let mut fetching = Fetching::from(&served.url, "").await;
    fetching.sync().await.unwrap();
    fetching.entry = entries::entry(SLUG, &served.url, "time_zone = \"Asia/Tokyo\"");
    assert_eq!(fetching.sync().await.unwrap().counts.updated, 60);
    assert_eq!(served.provider.statistics().not_modified, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_is_asked_for_the_whole_document() {
    // Both call it by the same ETag.
    let (old, new) = (Served::new(STILL).await, Served::new(STILL).await);
    let mut fetching = Fetching::from(&old.url, "").await;
    fetching.sync().await.unwrap();
    fetching.entry = entries::entry(SLUG, &new.url, "");
    assert_eq!(fetching.sync().await.unwrap().state, RunState::Unchanged);
    assert_eq!((new.provider.statistics().full_responses, new.provider.statistics().not_modified), (1, 0));
    assert_eq!(fetching.last_run().await.http_status, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_copied_cannot_be_unmodified() {
    let served = Served::with_faults("status:304").await;
    let fetching = Fetching::from(&served.url, "").await;
    assert_eq!(fetching.sync().await.unwrap_err().code(), "http_status");
    assert_eq!(fetching.last_run().await.http_status, Some(304));
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_are_sent_back_as_they_came() {
    let feed = fixtures::bytes("sound/small.xml");
    let head = "200 OK\nETag: W/\"a, b\"\nLast-Modified: Tue, 04 Mar 2031 10:00:00 GMT";
    let server = RawServer::new(|_| Answer::new(head, &feed)).await;
    let fetching = Fetching::from(&server.url, "").await;
    assert_eq!(fetching.sync().await.unwrap().state, RunState::Succeeded);
    assert_eq!(fetching.sync().await.unwrap().state, RunState::Unchanged, "the bytes are the same, whatever the status");
    let requests = server.requests();
    for line in ["\r\nif-none-match: w/\"a, b\"\r\n", "\r\nif-modified-since: tue, 04 mar 2031 10:00:00 gmt\r\n"] {
        assert!(!requests[0].contains(line) && requests[1].contains(line), "{requests:?}");
    }
}
