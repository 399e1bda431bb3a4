//! Controlling a provider while it serves.

use provider_sim::{InjectedFault, SimCatalogue};

use crate::client::SimProviderServer;

const UNAVAILABLE: InjectedFault = InjectedFault::Status { code: 503, retry_after: None };

#[tokio::test]
async fn the_next_responses_fail_in_order() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    served.provider.fail_next([UNAVAILABLE]);
    served.provider.fail_next([]);
    served.provider.fail_next([InjectedFault::Html]);
    assert_eq!(served.get("/feed", &[]).await.status, 503);
    assert_eq!(served.get("/feed", &[]).await.status, 200);
    assert!(served.get("/feed", &[]).await.text().contains("<h1>"));
    assert!(served.get("/feed", &[]).await.text().contains("<eventList"));
}

#[tokio::test]
async fn every_response_has_the_set_faults_unless_the_request_has_its_own() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    served.provider.set_faults([UNAVAILABLE]);
    assert_eq!(served.get("/feed", &[]).await.status, 503);
    assert_eq!(served.get("/feed", &[]).await.status, 503);
    assert_eq!(served.get("/feed?fault=status:404", &[]).await.status, 404);
    assert_eq!(served.get("/feed?fault=", &[]).await.status, 200);
    served.provider.set_faults([]);
    assert_eq!(served.get("/feed", &[]).await.status, 200);
}

#[tokio::test]
async fn a_document_replaces_the_catalogue() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    served.provider.serve_document("<eventList/>");
    let first = served.get("/feed", &[]).await;
    assert_eq!(first.text(), "<eventList/>");
    assert_eq!(first.header("content-length"), Some("12"));
    assert_eq!(served.get("/feed", &[("If-None-Match", first.etag())]).await.status, 304);
    served.provider.serve_document("<eventList></eventList>");
    assert_eq!(served.get("/feed", &[("If-None-Match", first.etag())]).await.status, 200);
    served.provider.serve_catalogue();
    assert!(served.get("/feed", &[("If-None-Match", first.etag())]).await.text() == SimCatalogue::default().feed(0));
}

#[tokio::test]
async fn a_frozen_poll_advances_only_by_hand() {
    let catalogue = SimCatalogue { churn: 10.0, ..SimCatalogue::default() };
    let served = SimProviderServer::start(catalogue).await;
    served.provider.freeze();
    let first = served.get("/feed", &[]).await;
    assert_eq!(served.get("/feed", &[("If-None-Match", first.etag())]).await.status, 304);
    served.provider.advance();
    assert!(served.get("/feed", &[("If-None-Match", first.etag())]).await.text() == catalogue.feed(1));
    served.provider.thaw();
    assert_eq!(served.provider.poll(), 1);
    served.get("/feed", &[]).await;
    assert_eq!(served.provider.poll(), 2);
}
