//! Catalogues larger than one statement, and concurrent syncs.

use std::sync::Arc;

use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use provider_sim::{SellMode, SimCatalogue};
use worker::sync::Counts;

use super::{Copying, Tables};

on_every_backend!(
    copies_a_large_catalogue,
    a_copy_after_every_poll_equals_a_copy_of_the_last_one,
    concurrent_syncs_leave_one_complete_copy,
);

const CATALOGUE: SimCatalogue = SimCatalogue {
    seed: 7,
    events: 1_100,
    zones: 3,
    churn: 25.0,
    anchor: chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap(),
    details: false,
};

async fn copies_a_large_catalogue(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    assert_eq!(copying.accept(CATALOGUE.feed(0)).await, Counts { fetched: 1_100, inserted: 1_100, ..Counts::default() });
    let Tables { version, base_events, events, zones, venues, performers, event_performers } = copying.tables().await;

    let expected: Vec<_> = CATALOGUE.base_events(0).collect();
    let expected_events: Vec<_> = expected.iter().flat_map(|base_event| &base_event.events).collect();
    assert_eq!((version, base_events.len(), events.len(), zones.len()), (1, expected.len(), 1_100, 3_300));
    let shown: usize = expected
        .iter()
        .filter(|base_event| base_event.sell_mode == SellMode::Online)
        .map(|base_event| base_event.events.len())
        .sum();
    assert_eq!(events.iter().filter(|event| event.shown).count(), shown);
    let expected_cents: i64 = expected_events.iter().flat_map(|event| &event.zones).map(|zone| i64::from(zone.price_cents)).sum();
    assert_eq!(zones.iter().map(|zone| zone.price).sum::<i64>(), expected_cents);

    let mut expected_venues: Vec<String> = expected_events.iter().map(|event| event.venue.id.to_string()).collect();
    expected_venues.sort();
    expected_venues.dedup();
    assert_eq!(venues.len(), expected_venues.len());
    let names: std::collections::BTreeSet<&str> = expected
        .iter()
        .flat_map(|base_event| base_event.performers.iter().chain(base_event.events.iter().flat_map(|event| &event.support)))
        .map(|performer| performer.name.as_str())
        .collect();
    assert_eq!(performers.iter().map(|performer| performer.name.as_str()).collect::<std::collections::BTreeSet<_>>(), names);
    assert!(event_performers.len() >= events.len());
}

async fn a_copy_after_every_poll_equals_a_copy_of_the_last_one(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    for poll in 0..=4 {
        let counts = copying.accept(CATALOGUE.feed(poll)).await;
        assert_eq!(counts.fetched, counts.inserted + counts.updated + counts.unchanged, "poll {poll}");
        assert!(poll == 0 || (counts.updated > 50 && counts.unchanged > 500 && counts.left > 0), "poll {poll}: {counts:?}");
    }
    let followed = copying.tables().await;

    let fresh = TestDatabase::migrated(Backend::Sqlite).await;
    let at_once = Copying::new(&fresh).await;
    at_once.accept(CATALOGUE.feed(4)).await;
    let expected = at_once.tables().await;

    let mut present: Vec<_> = followed.events.iter().filter(|event| event.left_at.is_none()).cloned().collect();
    assert!(followed.events.len() > present.len(), "removed events are retained");
    assert_eq!(present.len(), expected.events.len());
    for (event, expected) in present.iter_mut().zip(&expected.events) {
        // These depend on the earlier polls.
        (event.first_seen_at, event.came_back_at) = (expected.first_seen_at, expected.came_back_at);
        event.previous_start_at = None;
        event.shown = expected.shown;
    }
    assert!(present == expected.events, "the events differ");
    let is_present = |id| present.binary_search_by_key(&id, |event| event.id).is_ok();
    let zones: Vec<_> = followed.zones.into_iter().filter(|zone| is_present(zone.event_id)).collect();
    assert!(zones == expected.zones, "the zones differ");
    let bills: Vec<_> = followed.event_performers.into_iter().filter(|row| is_present(row.event_id)).collect();
    assert!(bills == expected.event_performers, "the performers differ");
}

async fn concurrent_syncs_leave_one_complete_copy(database: Arc<TestDatabase>) {
    let (one, other) = (Copying::new(&database).await, Copying::new(&database).await);
    let (first, second) = tokio::join!(one.sync(CATALOGUE.feed(0)), other.sync(CATALOGUE.feed(0)));
    let mut outcomes = [first, second].map(|outcome| match outcome {
        Ok(report) => report.state.name(),
        Err(error) => error.code(),
    });
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["succeeded", "unchanged"], "the second sync starts after the first one has ended");
    let tables = one.tables().await;
    assert_eq!((tables.version, tables.events.len(), tables.zones.len()), (1, 1_100, 3_300));
}
