//! `Retry-After` and `Cache-Control` of responses.

use std::time::Duration;

use worker::{
    progress::ProgressCounter,
    provider::fetch::{FetchOutcome, Validators},
};

use super::{
    CATALOGUE, SLUG, fetch_document, fetch_entry,
    raw::{RawResponse, RawServer},
};
use crate::{entries, served::ServedProvider};

#[tokio::test(flavor = "multi_thread")]
async fn reads_retry_after_of_an_error_response() {
    for (faults, expected) in [
        ("status:503:120", Some(120)),
        ("status:429:0", Some(0)),
        ("status:500:999999", Some(3600)),
        ("status:503", None),
        ("status:404:60", None),
    ] {
        let served = ServedProvider::with_faults(faults).await;
        let error = fetch_document(&served.url, "").await.unwrap_err();
        assert_eq!(error.retry_after(), expected.map(Duration::from_secs), "{faults}");
    }
    let server = RawServer::new(|_| RawResponse::new("503 Busy\nRetry-After: Sun, 04 Mar 2131 10:00:00 GMT", b"")).await;
    let error = fetch_document(&server.url, "").await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)), "a date in a century is limited to an hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_the_freshness_of_modified_and_unmodified_documents() {
    let served = ServedProvider::new(CATALOGUE).await;
    served.provider.freeze();
    served.provider.set_max_age(Some(90));
    let first = fetch_document(&served.url, "").await.unwrap();
    assert_eq!(first.fresh_for, Some(Duration::from_secs(90)));
    let again = fetch_entry(&entries::entry(SLUG, &served.url, ""), &first.validators, &ProgressCounter::none()).await.unwrap();
    let FetchOutcome::NotModified { fresh_for, .. } = again else { panic!("{again:?}") };
    assert_eq!(fresh_for, Some(Duration::from_secs(90)));
    served.provider.set_max_age(None);
    assert_eq!(fetch_document(&served.url, "").await.unwrap().fresh_for, None);
    assert_ne!(first.validators, Validators::default());
}
