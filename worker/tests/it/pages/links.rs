//! Pages that are linked from page to page.

use std::sync::Arc;

use entity::sync_run::RunState;
use migration::{on_every_backend, testing::TestDatabase};
use worker::sync::Counts;

use super::{PageServer, PagedTest, collection, json_event};
use crate::feeds::{event, feed, online};

on_every_backend!(
    follows_links_in_headers,
    follows_links_in_documents,
    positions_are_those_in_a_page,
    a_single_document_needs_no_robots_file,
    only_the_origin_of_the_entry_gets_its_headers,
    a_page_that_is_no_feed_rejects_the_document,
);

async fn follows_links_in_headers(database: Arc<TestDatabase>) {
    let test = PagedTest::new(&database, "event-list-xml", "").await;
    let performer = "<performer performer_id=\"7\" name=\"The Kettles\"/>".to_owned();
    test.server.page("/feed", "Link: </feed?page=2>; rel=\"next\"", feed(&[online("1", &[event("11", &["5.00"])])]));
    let second = feed(&[online("1", &[performer, event("12", &["6.00"])]), online("2", &[event("21", &[])])]);
    test.server.page("/feed?page=2", "Link: </feed>; rel=prev, <{url}/feed?page=3>; rel=next", second);
    test.server.page("/feed?page=3", "Link: </feed?page=2>; rel=prev", feed(&[online("3", &[event("31", &[])])]));
    assert_eq!(test.accept().await, Counts { fetched: 4, inserted: 4, ..Counts::default() });
    assert_eq!(test.server.requests(), ["/feed", "/robots.txt 404", "/feed?page=2", "/feed?page=3"]);
    let tables = test.tables().await;
    assert_eq!(tables.base_events.len(), 3, "the elements of two pages are one base event");
    let of_performer = tables.event_performers.iter().map(|row| row.event_id);
    let played: Vec<&str> = tables
        .events
        .iter()
        .filter(|event| of_performer.clone().any(|id| id == event.id))
        .map(|event| event.source_id.as_str())
        .collect();
    assert_eq!(played, ["12"]);
    let run = test.last_run().await;
    assert_eq!((run.state, run.http_status), (RunState::Succeeded, Some(200)));
}

async fn follows_links_in_documents(database: Arc<TestDatabase>) {
    let test = PagedTest::new(&database, "schema-org-json", "").await;
    test.server.page("/feed", "", collection(&["A", "B"], Some("/events/2")));
    test.server.page("/events/2", "", collection(&["C"], Some("3?x=1#top")));
    test.server.page("/events/3?x=1", "", collection(&[], None));
    assert_eq!(test.accept().await.inserted, 3);
    assert_eq!(test.server.requests(), ["/feed", "/robots.txt 404", "/events/2", "/events/3?x=1"]);
    assert_eq!(test.titles().await, ["A", "B", "C"]);
    // The same bytes, although nothing has a validator.
    assert_eq!(test.sync().await.unwrap().state, RunState::Unchanged);
    assert_eq!(test.last_run().await.http_status, Some(200));
    // The events of a page that is not linked any more leave.
    test.server.page("/feed", "", collection(&["A", "B"], None));
    assert_eq!(test.accept().await, Counts { fetched: 2, unchanged: 2, left: 1, ..Counts::default() });
    assert_eq!(test.titles().await, ["A", "B"]);
    assert!(test.pages().await.is_empty());
}

async fn positions_are_those_in_a_page(database: Arc<TestDatabase>) {
    let test = PagedTest::new(&database, "schema-org-json", "max_rejects_share = 1.0").await;
    let without_start = "{\"@type\":\"Event\",\"@id\":\"C\",\"name\":\"C\"}";
    let second = format!("[{},\n {without_start}]", json_event("B"));
    test.server.page("/feed", "", collection(&["A"], Some("/feed?key=secret")));
    test.server.page("/feed?key=secret", "", second);
    assert_eq!(test.accept().await.rejected, 1);
    let notes = test.notes().await;
    assert_eq!(notes.len(), 1);
    let (line, column, reason) = &notes[0];
    assert_eq!((*line, *column), (2, 2), "{reason}");
    assert!(reason.ends_with(" (page 2, http://server/feed)"), "{reason}");
}

async fn a_single_document_needs_no_robots_file(database: Arc<TestDatabase>) {
    let test = PagedTest::new(&database, "schema-org-json", "").await;
    test.server.page("/feed", "ETag: \"1\"\nLink: </other>; rel=\"alternate\"", collection(&["A"], None));
    assert_eq!(test.accept().await.inserted, 1);
    assert_eq!(test.sync().await.unwrap().state, RunState::Unchanged);
    assert_eq!(test.server.requests(), ["/feed", "/feed 304"]);
    assert!(test.pages().await.is_empty());
}

async fn only_the_origin_of_the_entry_gets_its_headers(database: Arc<TestDatabase>) {
    let test = PagedTest::new(&database, "schema-org-json", "headers = { X-Key = \"swordfish\" }").await;
    let other = PageServer::new().await;
    test.server.page("/feed", "", collection(&["A"], Some("/feed/2")));
    test.server.page("/feed/2", "", collection(&["B"], Some(&format!("{}/feed/3", other.url))));
    other.page("/feed/3", "", collection(&["C"], None));
    assert_eq!(test.accept().await.inserted, 3);
    assert_eq!(test.server.requests(), ["/feed key swordfish", "/robots.txt 404 key swordfish", "/feed/2 key swordfish"]);
    assert_eq!(other.requests(), ["/robots.txt 404", "/feed/3"], "each host has its own file");
}

async fn a_page_that_is_no_feed_rejects_the_document(database: Arc<TestDatabase>) {
    let test = PagedTest::new(&database, "schema-org-json", "").await;
    test.server.page("/feed", "", collection(&["A"], Some("/feed/2")));
    for (body, code) in [
        ("<!doctype html><title>Down</title>", "html_page"),
        ("{\"hydra:member\":[", "truncated"),
        ("{\"@type\":\"hydra:Error\"}", "no_items"),
        ("", "empty_document"),
    ] {
        test.server.page("/feed/2", "", body);
        let (actual, reason) = test.refuse().await;
        let page = format!(" (page 2, {}/feed/2)", test.server.url);
        assert!(actual == code && reason.ends_with(&page), "{actual}: {reason}");
    }
}
