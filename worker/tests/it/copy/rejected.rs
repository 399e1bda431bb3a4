//! A rejected item counts as present: its last good values stay, and it does not leave.

use std::sync::Arc;

use entity::{reject, sync_run::RunState};
use migration::{on_every_backend, testing::TestDatabase};
use worker::sync::Counts;

use super::Copying;
use crate::feeds::{event, feed, impossible_event, offline, online};

on_every_backend!(
    an_event_that_is_rejected_keeps_its_last_good_values,
    an_event_that_left_and_is_rejected_stays_as_it_was,
    a_base_event_that_is_rejected_keeps_all_its_events,
    after_a_base_event_without_an_id_no_base_event_has_left,
    after_an_event_without_an_id_no_event_of_its_base_event_has_left,
    an_event_whose_base_event_is_half_rejected_has_not_left,
    an_event_that_is_mended_is_taken,
    an_event_that_is_gone_after_it_was_rejected_has_left,
    the_reject_of_a_new_event_keeps_the_others,
    rejects_of_every_kind_stand_in_the_ledger_in_the_documents_order,
);

async fn an_event_that_is_rejected_keeps_its_last_good_values(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.took(feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])])])).await;
    let before = copying.event("11").await;
    let spoiled = feed(&[online("1", &[impossible_event("11"), event("12", &["6.00"])])]);
    assert_eq!(copying.took(&spoiled).await, Counts { fetched: 1, updated: 1, rejected: 1, ..Counts::default() });
    assert_eq!(copying.event("11").await, before);
    assert_eq!(copying.event("12").await.min_price, Some(600));

    // And again, read anew.
    let report = copying.take(spoiled.replace('\n', " ")).await.unwrap();
    assert_eq!(
        (report.state, report.counts),
        (RunState::Unchanged, Counts { fetched: 1, unchanged: 1, rejected: 1, ..Counts::default() })
    );
    assert_eq!(copying.event("11").await, before);
}

async fn an_event_that_left_and_is_rejected_stays_as_it_was(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.took(feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])])])).await;
    copying.took(feed(&[online("1", &[event("12", &["5.00"])])])).await;
    let left = copying.event("11").await;
    copying.took(feed(&[online("1", &[impossible_event("11"), event("12", &["5.00"])])])).await;
    assert_eq!(copying.event("11").await, left);
}

async fn a_base_event_that_is_rejected_keeps_all_its_events(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let whole = feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])]), online("2", &[event("21", &["5.00"])])]);
    copying.took(&whole).await;
    let before = copying.tables().await;
    let without_title = whole.replace("title=\"Show 1\"", "").replace("5.00", "6.00");
    assert_eq!(copying.took(&without_title).await, Counts { fetched: 1, updated: 1, rejected: 1, ..Counts::default() });
    let after = copying.tables().await;
    assert_eq!(after.events.iter().filter(|event| before.events.contains(event)).count(), 2);
    assert_eq!(copying.event("21").await.min_price, Some(600));

    // It can still leave once it is gone indeed.
    assert_eq!(copying.took(feed(&[online("2", &[event("21", &["6.00"])])])).await.left, 2);
}

async fn after_a_base_event_without_an_id_no_base_event_has_left(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let (one, two) = (online("1", &[event("11", &["5.00"]), event("12", &["5.00"])]), online("2", &[event("21", &["5.00"])]));
    copying.took(feed(&[one, two.clone()])).await;
    let before = copying.tables().await;

    let nameless = online("", &[event("99", &["5.00"])]);
    let only_two = Counts { fetched: 1, unchanged: 1, rejected: 1, ..Counts::default() };
    assert_eq!(copying.took(feed(&[nameless.clone(), two.clone()])).await, only_two);
    assert_eq!(copying.tables().await, before, "base event 1 may be the nameless one");

    // What is certain is still seen: an event that left a base event that is there.
    let smaller_one = online("1", &[event("11", &["5.00"])]);
    assert_eq!(copying.took(feed(&[nameless, smaller_one.clone()])).await.left, 1);
    assert_eq!(copying.took(feed(&[smaller_one])).await.left, 1, "base event 2 has left for certain");
}

async fn after_an_event_without_an_id_no_event_of_its_base_event_has_left(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let two = [event("21", &["5.00"]), event("22", &["5.00"])];
    copying.took(feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])]), online("2", &two)])).await;
    let document = feed(&[online("1", &[event("11", &["5.00"]), event("", &["5.00"])]), online("2", &two[..1])]);
    assert_eq!(copying.took(&document).await, Counts { fetched: 2, unchanged: 2, left: 1, rejected: 1, ..Counts::default() });
    assert!(copying.event("12").await.left_at.is_none() && copying.event("22").await.left_at.is_some());
    let certain = feed(&[online("1", &[event("11", &["5.00"])]), online("2", &two[..1])]);
    assert_eq!(copying.took(&certain).await.left, 1, "base event 1 without its event 12");
}

async fn an_event_whose_base_event_is_half_rejected_has_not_left(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let (first, second) = (online("1", &[event("11", &["5.00"])]), online("1", &[event("12", &["5.00"])]));
    copying.took(feed(&[first.clone(), second.clone()])).await;
    let half = feed(&[first, second.replace("title=\"Show 1\"", "")]);
    assert_eq!(copying.took(&half).await, Counts { fetched: 1, unchanged: 1, rejected: 1, ..Counts::default() });
    assert!(copying.event("12").await.left_at.is_none());
}

async fn an_event_that_is_mended_is_taken(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.took(feed(&[online("1", &[impossible_event("11")])])).await;
    assert!(copying.tables().await.events.is_empty());
    assert_eq!(copying.took(feed(&[online("1", &[event("11", &["5.00"])])])).await.inserted, 1);
    assert!(copying.last_rejects().await.is_empty());
    assert!(copying.event("11").await.shown);
}

async fn an_event_that_is_gone_after_it_was_rejected_has_left(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.took(feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])])])).await;
    copying.took(feed(&[online("1", &[impossible_event("11"), event("12", &["5.00"])])])).await;
    let second = copying.last_run().await;
    assert_eq!(copying.took(feed(&[online("1", &[event("12", &["5.00"])])])).await.left, 1);
    assert_eq!(copying.event("11").await.last_seen_at, Some(second.started_at), "as a reject it was there");
}

async fn the_reject_of_a_new_event_keeps_the_others(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let document = feed(&[
        offline("1", &[impossible_event("11"), event("12", &["5.00"])]),
        online("2", &[event("21", &["5.00"]), event("21", &["9.00"])]),
        online("3", &[event("31", &["5.00"])]),
    ]);
    assert_eq!(copying.took(document).await, Counts { fetched: 3, inserted: 3, rejected: 2, ..Counts::default() });
    assert_eq!(copying.event("21").await.min_price, Some(500), "the first of two is the one");
    assert_eq!(copying.tables().await.events.len(), 3);
}

async fn rejects_of_every_kind_stand_in_the_ledger_in_the_documents_order(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let long = "é".repeat(3_000);
    let document = feed(&[
        online("1", &[impossible_event("11"), event("", &["5.00"])]),
        online("2", &[event("21", &["5.00"])]).replace("title=\"Show 2\"", &format!("mood=\"{long}\"")),
        online("", &[]),
    ]);
    copying.took(document).await;
    let run = copying.last_run().await;
    assert_eq!((run.state, run.rejected), (RunState::Unchanged, 4));
    let rejects = copying.last_rejects().await;
    let told: Vec<_> = rejects
        .iter()
        .map(|reject| {
            let reject::Model { position, line, base_event_source_id, event_source_id, reason, .. } = reject;
            (*position, *line, base_event_source_id.as_deref(), event_source_id.as_deref(), reason.as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            (0, 4, Some("1"), Some("11"), "`price` must be 0 or more, got `-1.00`"),
            (1, 4, Some("1"), None, "`event_id` or `plan_id` is missing"),
            (2, 5, Some("2"), None, "`title` is missing"),
            (3, 6, None, None, "`base_event_id` or `base_plan_id` is missing"),
        ]
    );
    assert!(rejects[0].column < rejects[1].column);
    assert_eq!((rejects[2].column, rejects[2].raw.chars().count()), (5, 2_000), "a long item is kept in part");
    assert_eq!(rejects[3].raw, "<base_event base_event_id=\"\" sell_mode=\"online\" title=\"Show \"></base_event>");
}
