//! A rejected item counts as present: its last valid values are retained.

use std::sync::Arc;

use entity::{reject, sync_run::RunState};
use migration::{on_every_backend, testing::TestDatabase};
use worker::{provider::format, sync::Counts};

use super::Copying;
use crate::feeds::{event, feed, invalid_event, offline, online};

on_every_backend!(
    a_rejected_event_retains_its_last_valid_values,
    a_removed_event_that_is_rejected_is_unchanged,
    a_rejected_base_event_retains_its_events,
    a_base_event_without_an_id_may_be_any_missing_one,
    a_base_event_that_had_no_id_before_is_no_missing_one,
    a_rejected_event_of_json_ld_retains_its_copy,
    an_event_without_an_id_may_be_any_missing_one_of_its_base_event,
    events_of_a_partly_rejected_base_event_are_not_removed,
    a_corrected_event_is_accepted,
    a_rejected_event_can_be_removed_later,
    a_rejected_new_event_does_not_affect_others,
    rejects_are_stored_in_the_order_of_the_document,
);

async fn a_rejected_event_retains_its_last_valid_values(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])])])).await;
    let before = copying.event("11").await;
    let invalid = feed(&[online("1", &[invalid_event("11"), event("12", &["6.00"])])]);
    assert_eq!(copying.accept(&invalid).await, Counts { fetched: 1, updated: 1, rejected: 1, ..Counts::default() });
    assert_eq!(copying.event("11").await, before);
    assert_eq!(copying.event("12").await.min_price, Some(600));

    // The same when it is read again.
    let report = copying.sync(invalid.replace('\n', " ")).await.unwrap();
    assert_eq!(
        (report.state, report.counts),
        (RunState::Unchanged, Counts { fetched: 1, unchanged: 1, rejected: 1, ..Counts::default() })
    );
    assert_eq!(copying.event("11").await, before);
}

async fn a_removed_event_that_is_rejected_is_unchanged(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])])])).await;
    copying.accept(feed(&[online("1", &[event("12", &["5.00"])])])).await;
    let left = copying.event("11").await;
    copying.accept(feed(&[online("1", &[invalid_event("11"), event("12", &["5.00"])])])).await;
    assert_eq!(copying.event("11").await, left);
}

async fn a_rejected_base_event_retains_its_events(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let whole = feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])]), online("2", &[event("21", &["5.00"])])]);
    copying.accept(&whole).await;
    let before = copying.tables().await;
    let without_title = whole.replace("title=\"Show 1\"", "").replace("5.00", "6.00");
    assert_eq!(copying.accept(&without_title).await, Counts { fetched: 1, updated: 1, rejected: 1, ..Counts::default() });
    let after = copying.tables().await;
    assert_eq!(after.events.iter().filter(|event| before.events.contains(event)).count(), 2);
    assert_eq!(copying.event("21").await.min_price, Some(600));

    // It is removed once the feed no longer contains it.
    assert_eq!(copying.accept(feed(&[online("2", &[event("21", &["6.00"])])])).await.left, 2);
}

async fn a_base_event_without_an_id_may_be_any_missing_one(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let (one, two) = (online("1", &[event("11", &["5.00"]), event("12", &["5.00"])]), online("2", &[event("21", &["5.00"])]));
    copying.accept(feed(&[one, two.clone()])).await;
    let before = copying.tables().await;

    let unidentified = online("", &[event("99", &["5.00"])]);
    let only_two = Counts { fetched: 1, unchanged: 1, rejected: 1, ..Counts::default() };
    assert_eq!(copying.accept(feed(&[unidentified.clone(), two.clone()])).await, only_two);
    assert_eq!(copying.tables().await, before, "base event 1 may be the one without an id");

    // A missing event of a base event that is present has certainly been removed.
    let two_without_id = [unidentified.clone(), unidentified.clone()].concat();
    let smaller_one = online("1", &[event("11", &["5.00"])]);
    assert_eq!(copying.accept(feed(&[two_without_id, smaller_one.clone()])).await.left, 1);
    assert_eq!(copying.accept(feed(&[smaller_one])).await.left, 1, "base event 2 was removed");
}

async fn a_base_event_that_had_no_id_before_is_no_missing_one(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let [one, two, three] = ["1", "2", "3"].map(|id| online(id, &[event(&format!("{id}1"), &["5.00"])]));
    let unidentified = online("", &[event("99", &["5.00"])]);
    copying.accept(feed(&[one.clone(), two.clone(), three.clone(), unidentified.clone()])).await;
    assert_eq!(copying.provider().await.unidentified_count, 1);
    let document = feed(&[one.clone(), two.clone(), unidentified.clone()]);
    assert_eq!(copying.accept(&document).await.left, 1, "base event 3 had its id while this one had none");

    // A further one may be base event 2, until the next feed has as many.
    let document = feed(&[one.clone(), unidentified.clone(), unidentified.clone()]);
    assert_eq!(copying.accept(&document).await.left, 0);
    assert_eq!(copying.accept(&document.replace("5.00", "6.00")).await.left, 1);
}

async fn a_rejected_event_of_json_ld_retains_its_copy(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    copying.entry.format = format::find("schema-org-json").unwrap();
    let event = |id: &str, start: &str| format!("{{\"@type\":\"Event\",{id},\"name\":\"Jazz\",\"startDate\":\"{start}\"}}");
    for id in ["\"@id\":\"1\"", "\"url\":\"https://a.example/jazz\""] {
        let document = |start| format!("[{},{}]", event(id, start), event("\"@id\":\"2\"", "2131-07-01T20:00"));
        copying.accept(document("2131-07-02T20:00")).await;
        assert_eq!(copying.accept(document("2131-13-32")).await.left, 0, "{id}");
        assert_eq!(copying.last_rejects().await.len(), 1);
    }
    assert_eq!(copying.accept(format!("[{}]", event("\"@id\":\"2\"", "2131-07-01T20:00"))).await.left, 1);
}

async fn an_event_without_an_id_may_be_any_missing_one_of_its_base_event(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let two = [event("21", &["5.00"]), event("22", &["5.00"])];
    copying.accept(feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])]), online("2", &two)])).await;
    let document = feed(&[online("1", &[event("11", &["5.00"]), event("", &["5.00"])]), online("2", &two[..1])]);
    assert_eq!(copying.accept(&document).await, Counts { fetched: 2, unchanged: 2, left: 1, rejected: 1, ..Counts::default() });
    assert!(copying.event("12").await.left_at.is_none() && copying.event("22").await.left_at.is_some());
    let certain = feed(&[online("1", &[event("11", &["5.00"])]), online("2", &two[..1])]);
    assert_eq!(copying.accept(&certain).await.left, 1, "base event 1 without its event 12");
}

async fn events_of_a_partly_rejected_base_event_are_not_removed(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let (first, second) = (online("1", &[event("11", &["5.00"])]), online("1", &[event("12", &["5.00"])]));
    copying.accept(feed(&[first.clone(), second.clone()])).await;
    let half = feed(&[first, second.replace("title=\"Show 1\"", "")]);
    assert_eq!(copying.accept(&half).await, Counts { fetched: 1, unchanged: 1, rejected: 1, ..Counts::default() });
    assert!(copying.event("12").await.left_at.is_none());
}

async fn a_corrected_event_is_accepted(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let other = || event("12", &["5.00"]);
    copying.accept(feed(&[online("1", &[invalid_event("11"), other()])])).await;
    assert_eq!(copying.tables().await.events.len(), 1);
    assert_eq!(copying.accept(feed(&[online("1", &[event("11", &["5.00"]), other()])])).await.inserted, 1);
    assert!(copying.last_rejects().await.is_empty());
    assert!(copying.event("11").await.shown);
}

async fn a_rejected_event_can_be_removed_later(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])])])).await;
    copying.accept(feed(&[online("1", &[invalid_event("11"), event("12", &["5.00"])])])).await;
    let second = copying.last_run().await;
    assert_eq!(copying.accept(feed(&[online("1", &[event("12", &["5.00"])])])).await.left, 1);
    assert_eq!(copying.event("11").await.last_seen_at, Some(second.started_at), "it was present as a reject");
}

async fn a_rejected_new_event_does_not_affect_others(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let document = feed(&[
        offline("1", &[invalid_event("11"), event("12", &["5.00"])]),
        online("2", &[event("21", &["5.00"]), event("21", &["9.00"])]),
        online("3", &[event("31", &["5.00"])]),
    ]);
    assert_eq!(copying.accept(document).await, Counts { fetched: 3, inserted: 3, rejected: 1, warned: 1, ..Counts::default() });
    assert_eq!(copying.event("21").await.min_price, Some(900), "the last of two entries is accepted");
    assert_eq!(copying.tables().await.events.len(), 3);
}

async fn rejects_are_stored_in_the_order_of_the_document(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let long = "é".repeat(3_000);
    let document = feed(&[
        online("1", &[invalid_event("11"), event("", &["5.00"])]),
        online("2", &[event("21", &["5.00"])]).replace("title=\"Show 2\"", &format!("mood=\"{long}\"")),
        online("", &[]),
        online("3", &[event("31", &["5.00"])]),
    ]);
    copying.accept(document).await;
    let run = copying.last_run().await;
    assert_eq!((run.state, run.rejected), (RunState::Succeeded, 4));
    let rejects = copying.last_rejects().await;
    let stored: Vec<_> = rejects
        .iter()
        .map(|reject| {
            let reject::Model { position, line, base_event_source_id, event_source_id, reason, .. } = reject;
            (*position, *line, base_event_source_id.as_deref(), event_source_id.as_deref(), reason.as_str())
        })
        .collect();
    assert_eq!(
        stored,
        [
            (0, 4, Some("1"), Some("11"), "`event_start_date` must be an existing date, got `2031-02-30T20:00:00`"),
            (1, 4, Some("1"), None, "`event_id` or `plan_id` is missing"),
            (2, 5, Some("2"), None, "`title` is missing"),
            (3, 6, None, None, "`base_event_id` or `base_plan_id` is missing"),
        ]
    );
    assert!(rejects[0].column < rejects[1].column);
    assert_eq!((rejects[2].column, rejects[2].raw.chars().count()), (5, 2_000), "a long item is truncated");
    assert_eq!(rejects[3].raw, "<base_event base_event_id=\"\" sell_mode=\"online\" title=\"Show \"></base_event>");
}
