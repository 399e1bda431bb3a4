//! What is where.

use provider_sim::SimCatalogue;

use crate::client::{End, Served};

#[tokio::test]
async fn the_feed_is_at_its_path() {
    let served = Served::start(SimCatalogue::default()).await;
    let answer = served.get("/feed?page=1", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/xml; charset=utf-8"));
    assert_eq!(answer.end, End::Whole);
    assert!(answer.text() == SimCatalogue::default().feed(0));
}

#[tokio::test]
async fn nothing_is_elsewhere() {
    let served = Served::start(SimCatalogue::default()).await;
    assert_eq!(served.get("/", &[]).await.status, 404);
    assert_eq!(served.provider.statistics().requests, 0);
}

#[tokio::test]
async fn other_methods_are_refused() {
    let served = Served::start(SimCatalogue::default()).await;
    let answer = served.send("POST", "/feed", &[]).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn head_is_get_without_a_body_and_without_a_poll() {
    let served = Served::start(SimCatalogue { churn: 10.0, ..SimCatalogue::default() }).await;
    let head = served.send("HEAD", "/feed", &[]).await;
    let get = served.get("/feed", &[]).await;
    assert_eq!((head.status, head.etag()), (200, get.etag()));
    assert!(head.body.is_empty());
}
