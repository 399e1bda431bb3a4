//! How far redirects are followed, and where to they are not.

use super::{
    CATALOGUE, Fetching, document,
    raw::{Answer, RawServer},
};
use crate::{patience::in_time, served::Served};

async fn redirecting(status: &str, location: &str) -> RawServer {
    RawServer::new(|_| Answer::new(&format!("{status}\nLocation: {location}"), b"")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_followed() {
    let served = Served::new(CATALOGUE).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let moved = redirecting(status, &served.url).await;
        let document = document(&moved.url, "").await.unwrap();
        assert_eq!((document.http_status, document.spool.is_empty()), (Some(200), false), "{status}");
    }
    let elsewhere = redirecting("300 Choices", &served.url).await;
    assert_eq!(document(&elsewhere.url, "").await.unwrap_err().http_status(), Some(300));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_redirects_are_followed_and_six_are_not() {
    let served = Served::with_faults("redirect:5").await;
    assert!(document(&served.url, "").await.is_ok());
    let served = Served::with_faults("redirect:6").await;
    assert_eq!(document(&served.url, "").await.unwrap_err().code(), "too_many_redirects");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_of_redirects_is_left() {
    let server = RawServer::new(|url| Answer::new(&format!("302 Found\nLocation: {url}"), b"")).await;
    let fetching = Fetching::from(&server.url, "").await;
    assert_eq!(in_time("the loop", fetching.sync()).await.unwrap_err().code(), "too_many_redirects");
    assert_eq!(server.requests().len(), 6, "the first request and five redirects");
    let served = Served::with_faults("redirect-loop").await;
    assert_eq!(document(&served.url, "").await.unwrap_err().code(), "too_many_redirects");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_should_not_be_followed_is_told() {
    for (location, why) in [
        ("file:///etc/passwd", "to something other than http and https"),
        ("http://user:swordfish@127.0.0.1:1/", "to a URL with a user or a password"),
        ("http://[", "to something that is no URL"),
    ] {
        let served = Served::with_faults(&format!("redirect-to:{location}")).await;
        let error = document(&served.url, "").await.unwrap_err();
        assert_eq!(error.code(), "redirect_refused");
        assert!(error.to_string().contains(why) && !error.to_string().contains("swordfish"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_is_that_of_all_hops_together() {
    // Each hop is in time; their sum is not.
    let served = Served::with_faults("latency:400,redirect:5").await;
    let error = in_time("the hops", document(&served.url, "answer_timeout_seconds = 1")).await.unwrap_err();
    assert_eq!(error.code(), "timed_out");
}
