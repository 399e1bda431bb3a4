//! Paths and methods.

use provider_sim::SimCatalogue;

use crate::client::{ResponseEnd, SimProviderServer};

#[tokio::test]
async fn the_feed_is_served_at_its_path() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let response = served.get("/feed?page=1", &[]).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/xml; charset=utf-8"));
    assert_eq!(response.end, ResponseEnd::Complete);
    assert!(response.text() == SimCatalogue::default().feed(0));
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    assert_eq!(served.get("/", &[]).await.status, 404);
    assert_eq!(served.provider.statistics().requests, 0);
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let response = served.send("POST", "/feed", &[]).await;
    assert_eq!(response.status, 405);
    assert_eq!(response.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_does_not_advance_the_poll() {
    let served = SimProviderServer::start(SimCatalogue { churn: 10.0, ..SimCatalogue::default() }).await;
    let head = served.send("HEAD", "/feed", &[]).await;
    let get = served.get("/feed", &[]).await;
    assert_eq!((head.status, head.etag()), (200, get.etag()));
    assert!(head.body.is_empty());
}
