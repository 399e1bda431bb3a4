//! `robots.txt` is honored by the requests for pages.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use migration::{on_every_backend, testing::TestDatabase};

use super::{PagedTest, collection};

on_every_backend!(
    a_disallowed_page_is_refused,
    the_rules_of_marquee_are_those_that_count,
    an_unavailable_file_disallows_all_pages,
    the_crawl_delay_makes_requests_slower,
);

async fn two_pages(database: &TestDatabase, more: &str) -> PagedTest {
    let test = PagedTest::new(database, "schema-org-json", more).await;
    test.server.page("/feed", "", collection(&["A"], Some("/events?page=2")));
    test.server.page("/events?page=2", "", collection(&["B"], None));
    test
}

async fn a_disallowed_page_is_refused(database: Arc<TestDatabase>) {
    let test = two_pages(&database, "").await;
    test.server.page("/robots.txt", "", "User-agent: *\nDisallow: /events?page=");
    let (code, reason) = test.refuse().await;
    assert_eq!(code, "robots_disallowed");
    assert!(reason.contains(&format!("disallows the next page (page 2, {}/events)", test.server.url)), "{reason}");
    assert_eq!(test.server.requests(), ["/feed", "/robots.txt"]);
    test.server.page(
        "/robots.txt",
        "",
        "User-agent: *\nAllow: /\n\nUser-agent: marquee/1.0 (+https://a.example)\nDisallow: /events",
    );
    assert_eq!(test.refuse().await.0, "robots_disallowed");
}

async fn the_rules_of_marquee_are_those_that_count(database: Arc<TestDatabase>) {
    let test = two_pages(&database, "").await;
    for robots in [
        "User-agent: *\nDisallow: /\n\nUser-agent: Marquee\nAllow: /events\nDisallow: /",
        "User-agent: other\nDisallow: /",
        "User-agent: *\nDisallow: /\n\nUSER-AGENT: Marquee/1.0 # a robot\nAllow: /events\nDisallow: /",
        "User-agent: marquees\nDisallow: /\nUser-agent: other/marquee\nDisallow: /",
        "<!doctype html><title>Not a file</title>",
        "",
    ] {
        test.server.page("/robots.txt", "", robots);
        assert_eq!(test.sync().await.map(|report| report.counts.fetched).ok(), Some(2), "{robots}");
    }
    for status in ["204 No Content", "404 Not Found", "403 Forbidden", "401 Unauthorized", "302 Found\r\nLocation: /robots.txt"] {
        test.server.respond("/robots.txt", status, "");
        assert_eq!(test.sync().await.map(|report| report.counts.fetched).ok(), Some(2), "{status}");
    }
}

async fn an_unavailable_file_disallows_all_pages(database: Arc<TestDatabase>) {
    let test = two_pages(&database, "").await;
    for status in ["500 Oops", "503 Unavailable", "429 Wait"] {
        test.server.respond("/robots.txt", status, "");
        let error = test.sync().await.unwrap_err();
        assert_eq!((error.code(), error.is_transient()), ("robots_unavailable", true), "{status}");
        let reason = test.last_run().await.reason.unwrap();
        assert!(reason.starts_with("robots.txt of the provider cannot be read") && reason.contains(&status[..3]), "{reason}");
    }
    assert_eq!(test.titles().await, Vec::<String>::new());
}

async fn the_crawl_delay_makes_requests_slower(database: Arc<TestDatabase>) {
    let test = two_pages(&database, "").await;
    test.server.page("/robots.txt", "", "User-agent: *\nCrawl-delay: 0.4");
    test.server.page("/events?page=2", "", collection(&["B"], Some("/events?page=3")));
    test.server.page("/events?page=3", "", collection(&["C"], None));
    let start = Instant::now();
    assert_eq!(test.accept().await.inserted, 3);
    // One after the file, and one between two pages.
    assert!(start.elapsed() >= Duration::from_millis(800), "{:?}", start.elapsed());
}
