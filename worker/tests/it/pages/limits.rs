//! The limits of a feed with pages. A feed that exceeds one changes nothing.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use tokio_util::sync::CancellationToken;

use super::{PagedTest, collection};

on_every_backend!(
    links_in_a_circle_are_refused,
    links_that_must_not_be_followed_are_refused,
    the_number_of_pages_is_limited,
    the_bytes_of_all_pages_are_limited,
    the_time_of_all_pages_is_limited,
    no_page_is_requested_after_the_shutdown,
);

async fn links_in_a_circle_are_refused(database: Arc<TestDatabase>) {
    let test = PagedTest::new(&database, "schema-org-json", "").await;
    test.server.page("/feed", "", collection(&["A"], Some("/feed/2")));
    test.server.page("/feed/2", "", collection(&["B"], Some("/feed#again")));
    let (code, reason) = test.refuse().await;
    assert_eq!(code, "page_loop");
    let expected =
        format!("the link to the next page leads to a page that was fetched before (page 3, {}/feed)", test.server.url);
    assert_eq!(reason, expected);
    // A redirect to a page that was fetched.
    test.server.page("/feed/2", "", collection(&["B"], Some("/feed/3")));
    test.server.respond("/feed/3", "302 Found\r\nLocation: /feed/2", "");
    assert_eq!(test.refuse().await.0, "page_loop");
    // Not a circle, but the same page again.
    test.server.page("/feed", "", collection(&["A"], Some("/feed")));
    assert_eq!(test.refuse().await.0, "page_loop");
}

async fn links_that_must_not_be_followed_are_refused(database: Arc<TestDatabase>) {
    let test = PagedTest::new(&database, "schema-org-json", "").await;
    let long = "x".repeat(2_000);
    for (next, expected) in [
        ("ftp://server/feed", "leads to a URL that is not http or https, which is not allowed"),
        ("http://user:swordfish@localhost/", "leads to a URL with a user name or password, which is not allowed"),
        (&long, "leads to a URL with more than 2000 characters, which is not allowed"),
    ] {
        test.server.page("/feed", "", collection(&["A"], Some(next)));
        let (code, reason) = test.refuse().await;
        assert!(code == "link_refused" && reason.ends_with(expected), "{reason}");
    }
    assert_eq!(test.server.requests(), ["/feed"; 3]);
    // The address of the next page is checked like that of the first one.
    let mut test = PagedTest::new(&database, "schema-org-json", "").await;
    test.server.page("/feed", "", collection(&["A"], Some("/feed/2")));
    test.entry.allow_private_addresses = false;
    assert_eq!(test.refuse().await.0, "address_refused");
}

async fn the_number_of_pages_is_limited(database: Arc<TestDatabase>) {
    let test = PagedTest::new(&database, "schema-org-json", "max_pages = 2").await;
    test.server.page("/feed", "", collection(&["A"], Some("/feed/2")));
    test.server.page("/feed/2", "", collection(&["B"], Some("/feed/3")));
    test.server.page("/feed/3", "", collection(&["C"], None));
    let (code, reason) = test.refuse().await;
    assert_eq!(code, "too_many_pages");
    assert_eq!(reason, "the feed has more than 2 pages; if that is correct, raise `max_pages` in the provider's entry");
    assert_eq!(test.server.requests(), ["/feed", "/robots.txt 404", "/feed/2"]);
    test.server.page("/feed/2", "", collection(&["B"], None));
    assert_eq!(test.accept().await.inserted, 2);
}

async fn the_bytes_of_all_pages_are_limited(database: Arc<TestDatabase>) {
    let (first, second) = (collection(&["A"], Some("/feed/2")), collection(&["B"], None));
    let bytes = first.len() + second.len();
    let mut test = PagedTest::new(&database, "schema-org-json", &format!("max_body_bytes = {}", bytes - 1)).await;
    test.server.page("/feed", "ETag: \"1\"", first);
    test.server.page("/feed/2", "ETag: \"2\"", second);
    let (code, reason) = test.refuse().await;
    assert!(code == "too_large" && reason.contains(&format!("the limit of {} bytes; if that is", bytes - 1)), "{reason}");
    test.entry.max_body_bytes = bytes as u64;
    assert_eq!(test.accept().await.inserted, 2);
    // Those of the stored pages count, too.
    test.entry.max_body_bytes = bytes as u64 - 1;
    assert_eq!(test.refuse().await.0, "too_large");
}

async fn the_time_of_all_pages_is_limited(database: Arc<TestDatabase>) {
    let test = PagedTest::new(&database, "schema-org-json", "max_requests_per_second = 0.001\npages_timeout_seconds = 1").await;
    test.server.page("/feed", "", collection(&["A"], Some("/feed/2")));
    let (code, reason) = test.refuse().await;
    assert_eq!(code, "pages_timed_out");
    assert!(reason.contains("not fetched within 1 seconds") && reason.contains("raise `pages_timeout_seconds`"), "{reason}");
    assert_eq!(test.server.requests(), ["/feed"]);
}

async fn no_page_is_requested_after_the_shutdown(database: Arc<TestDatabase>) {
    let mut test = PagedTest::new(&database, "schema-org-json", "").await;
    test.server.page("/feed", "", collection(&["A"], Some("/feed/2")));
    let shutdown = CancellationToken::new();
    test.client = test.client.clone().stopped_by(shutdown.clone());
    shutdown.cancel();
    let error = test.sync().await.unwrap_err();
    assert_eq!((error.code(), error.is_internal()), ("stopped", true));
    assert_eq!(test.server.requests(), ["/feed"]);
    assert_eq!(test.titles().await, Vec::<String>::new());
}
