//! Three polls of one provider: events change, are removed and stay; one base event is never online.

use std::sync::Arc;

use entity::{
    event,
    reject::{self, Severity},
    sync_run::RunState,
};
use migration::{on_every_backend, testing::TestDatabase};
use worker::sync::{Counts, SyncReport, identity};

use super::{Copying, SLUG, Tables};
use crate::fixtures;

on_every_backend!(
    retains_the_latest_values_of_every_event_that_was_online,
    ids_are_the_same_in_every_run_and_on_every_database,
    stores_rejects_in_the_ledger,
    records_when_an_event_was_first_seen_and_removed,
    records_each_run_in_the_ledger,
);

async fn sync(copying: &Copying, name: &str) -> SyncReport {
    copying.sync(fixtures::bytes(&format!("three_polls/{name}.xml"))).await.unwrap()
}

async fn retains_the_latest_values_of_every_event_that_was_online(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;

    let first = sync(&copying, "first").await;
    assert_eq!(first.state, RunState::Succeeded);
    assert_eq!(first.counts, Counts { fetched: 3, inserted: 3, ..Counts::default() });
    assert_eq!(
        copying.tables().await.lines(),
        [
            "1591/1642 Opera Under the Pines (online): 2031-07-31T20:00:00 to 2031-07-31T21:00:00, 2x186@7500 16x186@6500 from 6500 to 7500: shown",
            "291/291 Lamplight Guitars (online): 2031-06-30T21:00:00 to 2031-06-30T22:00:00, 243x40@2000 100x38@1500 90x30@3000 from 1500 to 3000: shown",
            "322/1642 An Hour of Wit (online): 2031-02-10T20:00:00 to 2031-02-10T21:30:00, 2x311@5500 from 5500 to 5500: shown",
        ]
    );

    let second = sync(&copying, "second").await;
    assert_eq!(second.state, RunState::Succeeded);
    assert_eq!(second.counts, Counts { fetched: 2, updated: 2, left: 1, rejected: 1, ..Counts::default() });
    assert_eq!(
        copying.tables().await.lines(),
        [
            "1591/1642 Opera Under the Pines (online): 2031-07-31T20:00:00 to 2031-07-31T21:20:00, 2x186@7500 14x186@6500 from 6500 to 7500: shown",
            "291/291 Lamplight Guitars (online): 2031-06-30T21:00:00 to 2031-06-30T21:30:00, 240x40@2000 50x38@1500 90x30@3000 from 1500 to 3000: shown",
            "322/1642 An Hour of Wit (online): 2031-02-10T20:00:00 to 2031-02-10T21:30:00, 2x311@5500 from 5500 to 5500: shown, left",
        ]
    );

    let third = sync(&copying, "third").await;
    assert_eq!(third.state, RunState::Succeeded);
    assert_eq!(third.counts, Counts { fetched: 2, updated: 2, rejected: 1, ..Counts::default() });
    let Tables { base_events, events, .. } = &copying.tables().await;
    assert_eq!((base_events.len(), events.len()), (4, 3));
    assert_eq!(
        copying.tables().await.lines(),
        [
            "1591/1642 Opera Under the Pines (online): 2031-07-31T20:00:00 to 2031-07-31T21:10:00, 1x186@7500 0x186@6000 from 6000 to 7500: shown",
            "291/291 Lamplight Guitars (online): 2031-06-30T21:00:00 to 2031-06-30T22:30:00, 210x40@2250 40x38@1500 0x30@3000 from 1500 to 3000: shown, sold out",
            "322/1642 An Hour of Wit (online): 2031-02-10T20:00:00 to 2031-02-10T21:30:00, 2x311@5500 from 5500 to 5500: shown, left",
        ]
    );
    let never_online = base_events.iter().find(|base_event| base_event.source_id == "444").unwrap();
    assert_eq!(never_online.first_online_at, None);
    assert!(!events.iter().any(|event| event.base_event_id == never_online.id), "its only event is a reject");
}

async fn ids_are_the_same_in_every_run_and_on_every_database(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    // Computed independently, with Python's uuid5, from the same names.
    let pinned = [
        ("291", "080fd6a3-7041-5f72-a63d-c79ac71de880", "291", "defbc9d1-c240-582b-a1d1-00479046dae0"),
        ("322", "3acc2a5a-29ab-56d8-bcf0-64e4801d946d", "1642", "5489b2bd-6c78-58e9-9de9-1f38cb933a0d"),
        ("1591", "f8f84044-bd62-5f6a-acf9-02b1e2c53a9e", "1642", "13a9e3b1-93c7-502f-bf20-dc7d3f6b9d7d"),
    ];
    for poll in ["first", "second", "third"] {
        sync(&copying, poll).await;
        let tables = copying.tables().await;
        for (base_event, base_event_id, event, event_id) in pinned {
            assert_eq!(identity::event_id(SLUG, base_event, event).to_string(), event_id);
            let row = tables.events.iter().find(|row| row.id.to_string() == event_id).unwrap();
            assert_eq!((row.base_event_id.to_string().as_str(), row.source_id.as_str()), (base_event_id, event), "{poll}");
        }
    }
}

async fn stores_rejects_in_the_ledger(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    sync(&copying, "first").await;
    assert!(copying.last_rejects().await.is_empty());
    sync(&copying, "second").await;

    let rejects = copying.last_rejects().await;
    let [reject::Model { raw, reason, .. }] = rejects.as_slice() else { panic!("{rejects:?}") };
    assert!(raw.starts_with("<event event_start_date=\"2021-09-31T20:00:00\"") && raw.ends_with("</event>"), "{raw}");
    assert!(reason.contains("`event_start_date` must be an existing date, got `2021-09-31T20:00:00`"), "{reason}");
    let expected = reject::Model {
        sync_run_id: copying.last_run().await.id,
        position: 0,
        line: 18,
        column: 7,
        base_event_source_id: Some("444".to_owned()),
        event_source_id: Some("1642".to_owned()),
        reason: reason.clone(),
        raw: raw.clone(),
        severity: Severity::Error,
    };
    assert_eq!(rejects, [expected]);
}

async fn records_when_an_event_was_first_seen_and_removed(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    for poll in ["first", "second", "third"] {
        sync(&copying, poll).await;
    }
    let runs = copying.runs().await;
    let [first, second, third] = runs.as_slice() else { panic!("{runs:?}") };
    assert!(first.started_at < second.started_at && second.started_at < third.started_at);
    for event in copying.tables().await.events {
        assert_eq!(event.first_seen_at, first.started_at);
        assert_eq!(event.came_back_at, None);
        let event::Model { left_at, last_seen_at, .. } = event;
        let expected = match event.id.to_string().as_str() {
            "5489b2bd-6c78-58e9-9de9-1f38cb933a0d" => (Some(second.started_at), Some(first.started_at)),
            _ => (None, None),
        };
        assert_eq!((left_at, last_seen_at), expected, "{}", event.id);
    }
    for base_event in copying.tables().await.base_events {
        let expected = (base_event.source_id != "444").then_some(first.started_at);
        assert_eq!(base_event.first_online_at, expected, "{}", base_event.source_id);
    }
    assert_eq!(copying.provider().await.last_success_at, Some(third.started_at));
}

async fn records_each_run_in_the_ledger(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    for poll in ["first", "second", "third"] {
        let report = sync(&copying, poll).await;
        let run = copying.last_run().await;
        assert_eq!((run.id, run.state), (report.run_id, RunState::Succeeded));
        assert_eq!(run.bytes, Some(i64::try_from(fixtures::bytes(&format!("three_polls/{poll}.xml")).len()).unwrap()));
        assert_eq!(report.bytes, u64::try_from(run.bytes.unwrap()).unwrap());
        assert_eq!((run.http_status, &run.reason_code, &run.reason), (None, &None, &None));
        assert!(run.ended_at.unwrap() >= run.started_at);
        let Counts { fetched, inserted, updated, unchanged, left, rejected, warned } = report.counts;
        let counts = [fetched, inserted, updated, unchanged, left, rejected, warned].map(|count| i32::try_from(count).unwrap());
        assert_eq!([run.fetched, run.inserted, run.updated, run.unchanged, run.left, run.rejected, run.warned], counts);
    }
    assert_eq!(copying.runs().await.len(), 3);
}
