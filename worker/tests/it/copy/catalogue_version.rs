//! The catalogue version is incremented by every change that a reader can see, and only then.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};

use super::Copying;
use crate::feeds::{base_event, event, feed, invalid_event, offline, online};

on_every_backend!(
    every_visible_change_increments_the_version,
    changes_of_events_that_were_never_online_do_not,
    a_new_title_of_removed_events_increments_the_version,
    a_new_title_of_a_rejected_event_increments_the_version,
    coming_online_increments_the_version_once,
    a_reject_does_not_increment_the_version,
);

/// By how much each document increments the version.
async fn increments(copying: &Copying, documents: &[String]) -> Vec<i64> {
    let mut steps = Vec::new();
    for document in documents {
        let before = copying.version().await;
        copying.accept(document).await;
        steps.push(copying.version().await - before);
    }
    steps
}

async fn every_visible_change_increments_the_version(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let one = |prices: &[&str]| online("1", &[event("11", prices)]);
    let documents = [
        feed(&[one(&["5.00"])]),
        feed(&[one(&["6.00"])]),
        feed(&[one(&["6.00", "7.00"]), online("2", &[event("21", &["1.00"]), event("22", &["1.00"])])]),
        feed(&[one(&["6.00", "7.00"])]),
        feed(&[one(&["6.00", "7.00"]), online("2", &[event("21", &["1.00"])])]),
        feed(&[one(&["6.00", "7.00"]), base_event("2", "online", "New Title", &[event("21", &["1.00"])])]),
        feed(&[one(&["6.00", "7.00"]), base_event("2", "offline", "New Title", &[event("21", &["1.00"])])]),
    ];
    assert_eq!(increments(&copying, &documents).await, [1; 7]);
    assert_eq!(increments(&copying, &documents[6..]).await, [0]);
}

async fn changes_of_events_that_were_never_online_do_not(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let documents = [
        feed(&[offline("1", &[event("11", &["5.00"])])]),
        feed(&[offline("1", &[event("11", &["6.00"])])]),
        feed(&[base_event("1", "offline", "New Title", &[event("11", &["6.00"]), event("12", &["6.00"])])]),
        feed(&[base_event("1", "offline", "New Title", &[event("12", &["6.00"])])]),
        feed(&[]),
        feed(&[offline("1", &[event("11", &["5.00"])])]),
    ];
    assert_eq!(increments(&copying, &documents).await, [0; 6]);
}

async fn a_new_title_of_removed_events_increments_the_version(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let documents = [
        feed(&[online("1", &[event("11", &["5.00"])])]),
        feed(&[online("1", &[])]),
        feed(&[base_event("1", "online", "New Title", &[])]),
    ];
    assert_eq!(increments(&copying, &documents).await, [1, 1, 1], "its event is shown under the new title");
    assert_eq!(copying.tables().await.base_events[0].title, "New Title");
}

async fn a_new_title_of_a_rejected_event_increments_the_version(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let other = || online("2", &[event("21", &["5.00"])]);
    let documents = [
        feed(&[online("1", &[event("11", &["5.00"])]), other()]),
        feed(&[base_event("1", "online", "New Title", &[invalid_event("11")]), other()]),
    ];
    assert_eq!(increments(&copying, &documents).await, [1, 1], "its event is shown under the new title");
}

async fn coming_online_increments_the_version_once(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let documents = [
        feed(&[offline("1", &[event("11", &["5.00"])])]),
        feed(&[online("1", &[event("11", &["5.00"])])]),
        feed(&[online("1", &[event("11", &["5.00"])])]).replace('\n', " "),
    ];
    assert_eq!(increments(&copying, &documents).await, [0, 1, 0]);
}

async fn a_reject_does_not_increment_the_version(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let document = |events: &[String]| feed(&[online("1", events), online("2", &[event("21", &["5.00"])])]);
    let documents = [
        document(&[event("11", &["5.00"])]),
        document(&[event("11", &["5.00"]), invalid_event("12")]),
        document(&[invalid_event("11")]),
        document(&[event("11", &["5.00"])]),
    ];
    assert_eq!(increments(&copying, &documents).await, [1, 0, 0, 0]);
}
