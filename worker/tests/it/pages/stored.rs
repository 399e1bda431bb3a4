//! Conditional requests for pages, and the pages that are stored for them.

use std::sync::Arc;

use entity::{event, sync_run::RunState};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{EntityTrait, TransactionTrait};
use worker::{
    progress::ProgressCounter,
    sync::{self, Counts, FeedSource},
};

use super::{PagedTest, collection};
use crate::copy::{hold, provider_of};

on_every_backend!(
    pages_that_are_all_confirmed_are_unchanged,
    a_confirmed_page_is_read_from_the_store,
    a_page_that_fails_changes_nothing,
    a_full_sync_is_unconditional,
    a_single_document_replaces_the_pages,
    pages_with_a_removed_event_are_not_stored,
);

/// Three pages with ETags.
async fn three_pages(database: &TestDatabase) -> PagedTest {
    let test = PagedTest::new(database, "schema-org-json", "").await;
    test.server.page("/feed", "ETag: \"1\"\nCache-Control: max-age=600", collection(&["A"], Some("/feed/2")));
    test.server.page("/feed/2", "ETag: \"2\"\nLink: </feed/3>; rel=next", collection(&["B"], None));
    test.server.page("/feed/3", "ETag: \"3\"", collection(&["C"], None));
    assert_eq!(test.accept().await.inserted, 3);
    assert_eq!(test.server.requests(), ["/feed", "/robots.txt 404", "/feed/2", "/feed/3"]);
    assert_eq!(test.pages().await.len(), 3);
    test
}

async fn pages_that_are_all_confirmed_are_unchanged(database: Arc<TestDatabase>) {
    let test = three_pages(&database).await;
    let before = (test.tables().await, test.pages().await);
    for _ in 0..2 {
        let report = test.sync().await.unwrap();
        assert_eq!(report.state, RunState::Unchanged);
        assert_eq!(report.counts, Counts { fetched: 3, unchanged: 3, ..Counts::default() });
        assert_eq!(report.fresh_for, None, "not every page declares it");
        assert_eq!(test.server.requests(), ["/feed 304", "/robots.txt 404", "/feed/2 304", "/feed/3 304"]);
        let run = test.last_run().await;
        assert_eq!((run.http_status, run.bytes), (Some(304), None));
    }
    assert_eq!((test.tables().await, test.pages().await), before);
    // Its link is that of the store, because a 304 has none.
    assert_eq!(before.1[1].next, Some(format!("{}/feed/3", test.server.url)));
}

async fn a_confirmed_page_is_read_from_the_store(database: Arc<TestDatabase>) {
    let test = three_pages(&database).await;
    test.server.page("/feed/2", "ETag: \"2b\"\nLink: </feed/3>; rel=next", collection(&["B", "D"], None));
    assert_eq!(test.accept().await, Counts { fetched: 4, inserted: 1, unchanged: 3, ..Counts::default() });
    assert_eq!(test.server.requests(), ["/feed 304", "/robots.txt 404", "/feed/2", "/feed/3 304"]);
    assert_eq!(test.last_run().await.http_status, Some(200));
    assert_eq!(test.sync().await.unwrap().state, RunState::Unchanged);
    assert_eq!(test.server.requests().join(" "), "/feed 304 /robots.txt 404 /feed/2 304 /feed/3 304");
    // A page that is gone is not stored any more.
    test.server.page("/feed/2", "ETag: \"2c\"", collection(&["B", "D"], None));
    assert_eq!(test.accept().await.left, 1);
    assert_eq!(test.titles().await, ["A", "B", "D"]);
    assert_eq!(test.pages().await.len(), 2);
    // The same content with other validators.
    test.server.page("/feed/2", "ETag: \"2d\"", collection(&["B", "D"], None));
    assert_eq!(test.sync().await.unwrap().state, RunState::Unchanged);
    assert_eq!(test.pages().await[1].etag.as_deref(), Some("\"2d\""));
}

async fn a_page_that_fails_changes_nothing(database: Arc<TestDatabase>) {
    let test = three_pages(&database).await;
    test.server.page("/feed", "ETag: \"1b\"", collection(&["A", "D"], Some("/feed/2")));
    test.server.page("/feed/2", "ETag: \"2b\"", collection(&[], Some("/feed/3")));
    for head in ["500 Oops", "404 Not Found", "429 Wait\r\nRetry-After: 7"] {
        test.server.respond("/feed/3", head, "");
        let (code, reason) = test.refuse().await;
        assert!(code == "http_status" && reason.ends_with(&format!(" (page 3, {}/feed/3)", test.server.url)), "{reason}");
    }
    test.server.page("/feed/3", "ETag: \"3\"", collection(&["C"], None));
    test.server.requests();
    assert_eq!(test.accept().await, Counts { fetched: 3, inserted: 1, left: 1, unchanged: 2, ..Counts::default() });
    assert_eq!(test.server.requests(), ["/feed", "/robots.txt 404", "/feed/2", "/feed/3 304"]);
}

async fn a_full_sync_is_unconditional(database: Arc<TestDatabase>) {
    let test = three_pages(&database).await;
    let source = FeedSource::Provider(test.client.clone());
    let claim = hold(&test.connection, &test.entry.slug).await;
    let full = (&ProgressCounter::none(), true);
    let report = sync::sync_with_progress(&test.connection, &test.entry, &source, &claim, full).await.unwrap();
    assert_eq!(report.counts, Counts { fetched: 3, unchanged: 3, ..Counts::default() });
    assert_eq!(test.server.requests(), ["/feed", "/robots.txt 404", "/feed/2", "/feed/3"]);
    assert_eq!(test.pages().await.len(), 3);
}

async fn a_single_document_replaces_the_pages(database: Arc<TestDatabase>) {
    let test = three_pages(&database).await;
    test.server.page("/feed", "ETag: \"1b\"", collection(&["A", "B", "C"], None));
    assert_eq!(test.sync().await.unwrap().counts.unchanged, 3);
    assert!(test.pages().await.is_empty());
    assert_eq!(provider_of(&test.connection, super::SLUG).await.etag.as_deref(), Some("\"1b\""));
    assert_eq!(test.sync().await.unwrap().state, RunState::Unchanged);
    assert_eq!(test.server.requests(), ["/feed", "/feed 304"]);
}

async fn pages_with_a_removed_event_are_not_stored(database: Arc<TestDatabase>) {
    let test = three_pages(&database).await;
    let removed = event::Entity::find().one(&test.connection).await.unwrap().unwrap();
    let transaction = test.connection.begin().await.unwrap();
    let entity::takedown::FoundEvent::Stored(event) = entity::takedown::lock(&transaction, removed.id).await.unwrap() else {
        panic!("the event exists");
    };
    event.remove(&transaction, "a court order").await.unwrap();
    transaction.commit().await.unwrap();
    assert!(test.pages().await.is_empty());
    test.sync().await.unwrap();
    assert_eq!(test.server.requests(), ["/feed", "/robots.txt 404", "/feed/2", "/feed/3"]);
    assert!(test.pages().await.is_empty());
    assert_eq!(test.titles().await.len(), 2);
}
