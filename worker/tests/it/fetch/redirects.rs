//! Redirects: how many are followed, and which targets are not allowed.

use super::{
    CATALOGUE, FetchTest, fetch_document,
    raw::{RawResponse, RawServer},
};
use crate::{patience::in_time, served::ServedProvider};

async fn serve_redirect(status: &str, location: &str) -> RawServer {
    RawServer::new(|_| RawResponse::new(&format!("{status}\nLocation: {location}"), b"")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_a_redirect() {
    let served = ServedProvider::new(CATALOGUE).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let redirect = serve_redirect(status, &served.url).await;
        let document = fetch_document(&redirect.url, "").await.unwrap();
        assert_eq!((document.http_status, document.spool.is_empty()), (Some(200), false), "{status}");
    }
    let elsewhere = serve_redirect("300 Choices", &served.url).await;
    assert_eq!(fetch_document(&elsewhere.url, "").await.unwrap_err().http_status(), Some(300));
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_five_redirects_but_not_six() {
    let served = ServedProvider::with_faults("redirect:5").await;
    assert!(fetch_document(&served.url, "").await.is_ok());
    let served = ServedProvider::with_faults("redirect:6").await;
    assert_eq!(fetch_document(&served.url, "").await.unwrap_err().code(), "too_many_redirects");
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_a_redirect_loop() {
    let server = RawServer::new(|url| RawResponse::new(&format!("302 Found\nLocation: {url}"), b"")).await;
    let fetching = FetchTest::from(&server.url, "").await;
    assert_eq!(in_time("the redirect loop", fetching.sync()).await.unwrap_err().code(), "too_many_redirects");
    assert_eq!(server.requests().len(), 6, "the first request and five redirects");
    let served = ServedProvider::with_faults("redirect-loop").await;
    assert_eq!(fetch_document(&served.url, "").await.unwrap_err().code(), "too_many_redirects");
}

#[tokio::test(flavor = "multi_thread")]
async fn never_sends_credentials_to_another_origin() {
    // The second redirect stays within the other origin. reqwest's own redirects send the credentials there.
    let other = RawServer::new(|url| RawResponse::new(&format!("302 Found\nLocation: {url}"), b"")).await;
    let server = serve_redirect("302 Found", &other.url).await;
    let url = server.url.replace("http://", "http://user:swordfish@");
    assert_eq!(fetch_document(&url, "").await.unwrap_err().code(), "too_many_redirects");
    assert!(server.requests()[0].contains("\r\nauthorization: basic "), "{:?}", server.requests());
    assert_eq!(other.requests().len(), 5);
    assert!(other.requests().iter().all(|request| !request.contains("authorization")), "{:?}", other.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_the_headers_of_the_entry_to_its_origin_only() {
    let headers =
        "headers = { Authorization = \"Bearer swordfish\", cookie = \"seen=1\", User-Agent = \"Test/1\", Accept = \"text/xml\" }";
    let expected = ["authorization: bearer swordfish", "cookie: seen=1", "user-agent: test/1", "accept: text/xml"];
    let other = RawServer::new(|_| RawResponse::new("200 OK", b"x")).await;
    let server = RawServer::with_script(|_| {
        let redirect = |location: &str| RawResponse::new(&format!("302 Found\nLocation: {location}"), b"");
        vec![redirect("/moved"), redirect(&other.url)]
    })
    .await;
    assert!(fetch_document(&server.url, headers).await.is_ok());
    let (sent, sent_to_other) = (server.requests(), other.requests());
    assert_eq!((sent.len(), sent_to_other.len()), (2, 1));
    for header in expected {
        let has_header = |request: &String| request.lines().filter(|line| *line == header).count() == 1;
        assert!(sent.iter().all(has_header), "{header}: {sent:?}");
        assert!(!sent_to_other.iter().any(has_header), "{header}: {sent_to_other:?}");
    }
    assert!(sent_to_other[0].contains("\r\nuser-agent: marquee/"), "{sent_to_other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_targets_that_are_not_allowed_without_quoting_passwords() {
    for (location, why) in [
        ("file:///etc/passwd", "to a URL that is not http or https"),
        ("http://user:swordfish@127.0.0.1:1/", "to a URL with a user name or password"),
        ("http://[", "to an invalid URL"),
    ] {
        let served = ServedProvider::with_faults(&format!("redirect-to:{location}")).await;
        let error = fetch_document(&served.url, "").await.unwrap_err();
        assert_eq!(error.code(), "redirect_refused");
        assert!(error.to_string().contains(why) && !error.to_string().contains("swordfish"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn applies_the_timeout_to_all_redirects_together() {
    // Each redirect is fast enough, but all together are not.
    let served = ServedProvider::with_faults("latency:400,redirect:5").await;
    let error = in_time("redirects", fetch_document(&served.url, "answer_timeout_seconds = 1")).await.unwrap_err();
    assert_eq!(error.code(), "timed_out");
}
