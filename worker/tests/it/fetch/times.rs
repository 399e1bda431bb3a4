//! What a provider says of time: when to come again, and how long its document stays what it is.

use std::time::Duration;

use worker::{
    progress::Progress,
    provider::fetch::{FetchOutcome, Validators},
};

use super::{
    CATALOGUE, SLUG, document, fetched,
    raw::{Answer as RawAnswer, RawServer},
};
use crate::{entries, served::Served};

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_tells_when_to_come_again() {
    for (faults, expected) in [
        ("status:503:120", Some(120)),
        ("status:429:0", Some(0)),
        ("status:500:999999", Some(3600)),
        ("status:503", None),
        ("status:404:60", None),
    ] {
        let served = Served::with_faults(faults).await;
        let error = document(&served.url, "").await.unwrap_err();
        assert_eq!(error.retry_after(), expected.map(Duration::from_secs), "{faults}");
    }
    let server = RawServer::new(|_| RawAnswer::new("503 Busy\nRetry-After: Sun, 04 Mar 2131 10:00:00 GMT", b"")).await;
    let error = document(&server.url, "").await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)), "a date in a century is as far as may be");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_tells_how_long_it_is_fresh_and_so_does_one_that_was_not_modified() {
    let served = Served::new(CATALOGUE).await;
    served.provider.freeze();
    served.provider.set_max_age(Some(90));
    let first = document(&served.url, "").await.unwrap();
    assert_eq!(first.fresh_for, Some(Duration::from_secs(90)));
    let again = fetched(&entries::entry(SLUG, &served.url, ""), &first.validators, &Progress::none()).await.unwrap();
    let FetchOutcome::NotModified { fresh_for } = again else { panic!("{again:?}") };
    assert_eq!(fresh_for, Some(Duration::from_secs(90)));
    served.provider.set_max_age(None);
    assert_eq!(document(&served.url, "").await.unwrap().fresh_for, None);
    assert_ne!(first.validators, Validators::default());
}
