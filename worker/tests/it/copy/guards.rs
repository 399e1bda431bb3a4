//! A well-formed feed with too many rejects or too many missing events is rejected.

use std::sync::Arc;

use entity::sync_run::RunState;
use migration::{on_every_backend, testing::TestDatabase};

use super::Copying;
use crate::feeds::{event, feed, invalid_event, online};

on_every_backend!(
    a_small_feed_is_not_rejected_for_its_rejects,
    a_feed_with_too_many_rejects_is_rejected_and_they_are_stored,
    a_feed_with_the_allowed_share_of_rejects_is_accepted,
    the_allowed_share_of_rejects_is_a_setting_of_the_provider,
    a_feed_that_lost_too_many_events_is_rejected,
    a_small_or_allowed_loss_is_accepted,
    rejected_items_are_not_lost,
);

/// A base event with valid and invalid events.
fn document(sound: usize, rejected: usize) -> String {
    let sound = (0..sound).map(|id| event(&format!("s{id}"), &["5.00"]));
    let rejected = (0..rejected).map(|id| invalid_event(&format!("r{id}")));
    feed(&[online("1", &sound.chain(rejected).collect::<Vec<_>>())])
}

async fn a_small_feed_is_not_rejected_for_its_rejects(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    assert_eq!(copying.accept(document(2, 1)).await.inserted, 2);
    assert_eq!(copying.accept(document(2, 9)).await.rejected, 9, "nine are below the minimum, whatever their share");
}

async fn a_feed_with_too_many_rejects_is_rejected_and_they_are_stored(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(document(5, 0)).await;
    let (tables, provider) = (copying.tables().await, copying.provider().await);
    // The default share is a fifth: 10 of 49 is more.
    let refusal = copying.sync(document(39, 10)).await.unwrap_err();
    assert_eq!(refusal.code(), "too_many_rejects");
    let run = copying.last_run().await;
    assert_eq!((run.state, run.reason_code.as_deref()), (RunState::Failed, Some("too_many_rejects")));
    let reason = run.reason.unwrap();
    assert!(
        reason.starts_with("10 of 49 items were rejected") && reason.contains("`price` must be 0 or more, got `-1.00`"),
        "{reason}"
    );
    let rejects = copying.last_rejects().await;
    assert_eq!(rejects.len(), 10);
    assert_eq!(rejects[9].event_source_id.as_deref(), Some("r9"));
    assert_eq!((copying.tables().await, copying.provider().await), (tables, provider));
}

async fn a_feed_with_the_allowed_share_of_rejects_is_accepted(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let counts = copying.accept(document(40, 10)).await;
    assert_eq!((counts.inserted, counts.rejected), (40, 10));
    assert_eq!(copying.last_rejects().await.len(), 10);
}

async fn the_allowed_share_of_rejects_is_a_setting_of_the_provider(database: Arc<TestDatabase>) {
    let mut copying = Copying::with(&database, "max_rejects_share = 1.0").await;
    assert_eq!(copying.accept(document(0, 12)).await.rejected, 12);
    copying.entry.max_rejects_share = 0.0;
    assert_eq!(copying.sync(document(400, 10)).await.unwrap_err().code(), "too_many_rejects");
    assert_eq!(copying.accept(document(400, 9)).await.rejected, 9);
}

async fn a_feed_that_lost_too_many_events_is_rejected(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    copying.accept(document(30, 0)).await;
    let tables = copying.tables().await;
    // The default share is a half: 14 after 30 is less.
    assert_eq!(copying.sync(document(14, 0)).await.unwrap_err().code(), "shrunk");
    let run = copying.last_run().await;
    assert_eq!((run.state, run.reason_code.as_deref()), (RunState::Failed, Some("shrunk")));
    assert!(run.reason.unwrap().starts_with("the feed has 14 events after 30"));
    assert_eq!(copying.tables().await, tables);

    // Rejected until an operator accepts it.
    assert_eq!(copying.sync(document(14, 0)).await.unwrap_err().code(), "shrunk");
    copying.entry.max_shrink_share = 1.0;
    assert_eq!(copying.accept(document(14, 0)).await.left, 16);
}

async fn a_small_or_allowed_loss_is_accepted(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(document(30, 0)).await;
    assert_eq!(copying.accept(document(15, 0)).await.left, 15);
    assert_eq!(copying.accept(document(6, 0)).await.left, 9, "nine are below the minimum, whatever their share");
    assert_eq!(copying.accept(document(0, 0)).await.left, 6);
    assert_eq!(copying.accept(document(30, 0)).await.updated, 30);
}

async fn rejected_items_are_not_lost(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    copying.accept(document(30, 0)).await;
    copying.entry.max_rejects_share = 1.0;
    let counts = copying.accept(document(1, 29)).await;
    assert_eq!((counts.rejected, counts.left), (29, 29), "other events than before, but the same number");
}
