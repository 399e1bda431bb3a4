//! `ETag` and `If-None-Match`.

use provider_sim::{SimCatalogue, SimStatistics};

use crate::client::Served;

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let served = Served::start(SimCatalogue::default()).await;
    let full = served.get("/feed", &[]).await;
    let etag = full.etag();
    for known in [etag, "*", &format!("W/{etag}"), &format!("\"other\", {etag}")] {
        let answer = served.get("/feed", &[("If-None-Match", known)]).await;
        assert_eq!((answer.status, answer.etag()), (304, etag), "{known}");
        assert!(answer.body.is_empty());
    }
    assert_eq!(served.get("/feed", &[("If-None-Match", "\"other\"")]).await.status, 200);
    let counted = SimStatistics { requests: 6, full_responses: 2, not_modified: 4 };
    assert_eq!(served.provider.statistics(), counted);
}

#[tokio::test]
async fn a_full_answer_ends_the_poll() {
    let catalogue = SimCatalogue { churn: 10.0, ..SimCatalogue::default() };
    let served = Served::start(catalogue).await;
    let first = served.get("/feed", &[]).await;
    let second = served.get("/feed", &[("If-None-Match", first.etag())]).await;
    assert_eq!(second.status, 200);
    assert_ne!(first.etag(), second.etag());
    assert!(second.text() == catalogue.feed(1));
}

#[tokio::test]
async fn settings_that_change_the_feed_change_its_etag() {
    let default = SimCatalogue::default();
    let mut etags = Vec::new();
    for catalogue in [
        default,
        SimCatalogue { seed: 2, ..default },
        SimCatalogue { events: 501, ..default },
        SimCatalogue { zones: 5, ..default },
        SimCatalogue { churn: 1.0, ..default },
        SimCatalogue { anchor: default.anchor.succ_opt().unwrap(), ..default },
    ] {
        etags.push(Served::start(catalogue).await.get("/feed", &[]).await.etag().to_owned());
    }
    let count = etags.len();
    etags.sort();
    etags.dedup();
    assert_eq!(etags.len(), count);
}
