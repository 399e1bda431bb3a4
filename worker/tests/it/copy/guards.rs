//! A well-formed feed that is mostly faulty, or of which too much is gone, is not believed.

use std::sync::Arc;

use entity::sync_run::RunState;
use migration::{on_every_backend, testing::TestDatabase};

use super::Copying;
use crate::feeds::{event, feed, impossible_event, online};

on_every_backend!(
    a_small_feed_is_not_refused_for_its_rejects,
    a_feed_with_too_large_a_share_of_rejects_is_refused_and_they_are_kept,
    a_feed_at_the_share_of_rejects_goes_in,
    the_share_of_rejects_is_the_entrys,
    a_feed_that_lost_too_much_is_refused,
    a_small_loss_or_one_within_the_share_goes_in,
    rejected_items_are_no_loss,
);

/// A base event of sound events and rejects.
fn document(sound: usize, rejected: usize) -> String {
    let sound = (0..sound).map(|id| event(&format!("s{id}"), &["5.00"]));
    let rejected = (0..rejected).map(|id| impossible_event(&format!("r{id}")));
    feed(&[online("1", &sound.chain(rejected).collect::<Vec<_>>())])
}

async fn a_small_feed_is_not_refused_for_its_rejects(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    assert_eq!(copying.took(document(2, 1)).await.inserted, 2);
    assert_eq!(copying.took(document(2, 9)).await.rejected, 9, "nine are under the floor, whatever their share");
}

async fn a_feed_with_too_large_a_share_of_rejects_is_refused_and_they_are_kept(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.took(document(5, 0)).await;
    let (tables, provider) = (copying.tables().await, copying.provider().await);
    // The default share is a fifth: 10 of 49 is more.
    let refusal = copying.take(document(39, 10)).await.unwrap_err();
    assert_eq!(refusal.code(), "too_many_rejects");
    let run = copying.last_run().await;
    assert_eq!((run.state, run.reason_code.as_deref()), (RunState::Failed, Some("too_many_rejects")));
    let reason = run.reason.unwrap();
    assert!(
        reason.starts_with("10 of 49 items are rejects") && reason.contains("`price` must be 0 or more, got `-1.00`"),
        "{reason}"
    );
    let rejects = copying.last_rejects().await;
    assert_eq!(rejects.len(), 10);
    assert_eq!(rejects[9].event_source_id.as_deref(), Some("r9"));
    assert_eq!((copying.tables().await, copying.provider().await), (tables, provider));
}

async fn a_feed_at_the_share_of_rejects_goes_in(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let counts = copying.took(document(40, 10)).await;
    assert_eq!((counts.inserted, counts.rejected), (40, 10));
    assert_eq!(copying.last_rejects().await.len(), 10);
}

async fn the_share_of_rejects_is_the_entrys(database: Arc<TestDatabase>) {
    let mut copying = Copying::with(&database, "max_rejects_share = 1.0").await;
    assert_eq!(copying.took(document(0, 12)).await.rejected, 12);
    copying.entry.max_rejects_share = 0.0;
    assert_eq!(copying.take(document(400, 10)).await.unwrap_err().code(), "too_many_rejects");
    assert_eq!(copying.took(document(400, 9)).await.rejected, 9);
}

async fn a_feed_that_lost_too_much_is_refused(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    copying.took(document(30, 0)).await;
    let tables = copying.tables().await;
    // The default share is a half: 14 after 30 is less.
    assert_eq!(copying.take(document(14, 0)).await.unwrap_err().code(), "shrunk");
    let run = copying.last_run().await;
    assert_eq!((run.state, run.reason_code.as_deref()), (RunState::Failed, Some("shrunk")));
    assert!(run.reason.unwrap().starts_with("14 events after 30 before"));
    assert_eq!(copying.tables().await, tables);

    // Refused once more, until somebody says that it is meant.
    assert_eq!(copying.take(document(14, 0)).await.unwrap_err().code(), "shrunk");
    copying.entry.max_shrink_share = 1.0;
    assert_eq!(copying.took(document(14, 0)).await.left, 16);
}

async fn a_small_loss_or_one_within_the_share_goes_in(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.took(document(30, 0)).await;
    assert_eq!(copying.took(document(15, 0)).await.left, 15);
    assert_eq!(copying.took(document(6, 0)).await.left, 9, "nine are under the floor, whatever their share");
    assert_eq!(copying.took(document(0, 0)).await.left, 6);
    assert_eq!(copying.took(document(30, 0)).await.updated, 30);
}

async fn rejected_items_are_no_loss(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    copying.took(document(30, 0)).await;
    copying.entry.max_rejects_share = 1.0;
    let counts = copying.took(document(1, 29)).await;
    assert_eq!((counts.rejected, counts.left), (29, 29), "others than before, but as many");
}
