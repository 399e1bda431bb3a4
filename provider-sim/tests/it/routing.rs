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
async fn the_pictures_of_the_catalogue_are_served() {
    let catalogue = SimCatalogue { details: true, ..SimCatalogue::default() };
    let served = SimProviderServer::start(catalogue).await;
    let (mut with, mut without) = (0, 0);
    for base_event in catalogue.base_events(0).take(40) {
        let path = base_event.details.image_url.clone().unwrap_or_else(|| format!("/images/{}.svg", base_event.id));
        let response = served.get(&path, &[]).await;
        match base_event.details.image_url {
            Some(_) => {
                assert_eq!((response.status, response.header("content-type")), (200, Some("image/svg+xml")));
                assert!(response.text().starts_with("<svg "), "{}", response.text());
                with += 1;
            }
            None => {
                assert_eq!(response.status, 404);
                without += 1;
            }
        }
    }
    assert!(with > 0 && without > 0, "{with} with a picture, {without} without");
    assert_eq!(served.get("/images/0.svg", &[]).await.status, 404);
    assert_eq!(served.get("/images/9999999.svg", &[]).await.status, 404);
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
