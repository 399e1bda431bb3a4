//! `ETag` and `If-None-Match`.

use provider_sim::{SimCatalogue, SimStatistics};

use crate::client::SimProviderServer;

#[tokio::test]
async fn a_matching_etag_is_not_modified() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let full = served.get("/feed", &[]).await;
    let etag = full.etag();
    for condition in [etag, "*", &format!("W/{etag}"), &format!("\"other\", {etag}")] {
        let response = served.get("/feed", &[("If-None-Match", condition)]).await;
        assert_eq!((response.status, response.etag()), (304, etag), "{condition}");
        assert!(response.body.is_empty());
    }
    assert_eq!(served.get("/feed", &[("If-None-Match", "\"other\"")]).await.status, 200);
    let expected = SimStatistics { requests: 6, full_responses: 2, not_modified: 4 };
    assert_eq!(served.provider.statistics(), expected);
}

#[tokio::test]
async fn a_full_response_advances_the_poll() {
    let catalogue = SimCatalogue { churn: 10.0, ..SimCatalogue::default() };
    let served = SimProviderServer::start(catalogue).await;
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
        SimCatalogue { details: true, ..default },
        SimCatalogue { anchor: default.anchor.succ_opt().unwrap(), ..default },
    ] {
        etags.push(SimProviderServer::start(catalogue).await.get("/feed", &[]).await.etag().to_owned());
    }
    let count = etags.len();
    etags.sort();
    etags.dedup();
    assert_eq!(etags.len(), count);
}
