//! The log of changes that syncs write.

use std::{collections::BTreeMap, sync::Arc};

use entity::{
    change::{self, ChangeKind},
    event, release,
};
use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Copying, Tables};
use crate::feeds::{self, base_event, feed, offline, online};

on_every_backend!(
    each_change_is_logged_with_its_kind,
    changes_state_the_old_and_the_new_values,
    a_renamed_venue_is_logged_for_each_of_its_events,
    a_first_load_and_ticket_counts_are_not_logged,
    hidden_events_are_logged_when_they_are_shown,
    a_failed_run_logs_nothing,
    the_log_contains_every_difference,
);

type Changes = Vec<(ChangeKind, Value)>;

impl Copying {
    /// The changes after a version, in the order of the log.
    async fn changes_after(&self, version: i64) -> Changes {
        let rows = change::Entity::find().filter(change::COLUMN.version.gt(version));
        let rows = rows.order_by_asc(change::Column::Version).order_by_asc(change::Column::Ordinal);
        let rows = rows.all(&self.database).await.unwrap();
        rows.into_iter().map(|row| (row.kind, serde_json::from_str(&row.changed).unwrap())).collect()
    }

    /// The changes that a document makes.
    async fn changes_of(&self, document: &str) -> Changes {
        let before = self.version().await;
        self.accept(document).await;
        self.changes_after(before).await
    }

    async fn kinds_of(&self, document: &str) -> Vec<ChangeKind> {
        let mut kinds: Vec<ChangeKind> = self.changes_of(document).await.into_iter().map(|(kind, _)| kind).collect();
        kinds.sort_unstable();
        kinds
    }
}

/// An event with an attribute replaced.
fn with(event: &str, from: &str, to: &str) -> String {
    assert!(event.contains(from), "{event}");
    event.replace(from, to)
}

async fn each_change_is_logged_with_its_kind(database: Arc<TestDatabase>) {
    use ChangeKind::{Created, Left, OnSale, PriceChanged, Rescheduled, Returned, SoldOut, Updated};
    let copying = Copying::new(&database).await;
    let plain = feeds::event("11", &["5.00"]);
    let sold_out = with(&plain, "<event ", "<event sold_out=\"true\" ");
    let later = with(&plain, "2031-07-01T20", "2031-07-02T20").replace("2031-07-01T22", "2031-07-02T22");
    let longer = with(&plain, "2031-07-01T22", "2031-07-01T23");
    let all_at_once = with(&later, "<event ", "<event sold_out=\"true\" ").replace("5.00", "9.00");
    let one = |event: &str| feed(&[online("1", &[event.to_owned()])]);
    copying.accept(one(&plain)).await;
    for (document, kinds) in [
        (one(&sold_out), vec![SoldOut]),
        (one(&plain), vec![OnSale]),
        (one(&with(&plain, "5.00", "6.00")), vec![PriceChanged]),
        (one(&plain), vec![PriceChanged]),
        (one(&longer), vec![Updated]),
        (one(&all_at_once), vec![Rescheduled]),
        (one(&plain), vec![Rescheduled]),
        (feed(&[base_event("1", "online", "New Title", std::slice::from_ref(&plain))]), vec![Updated]),
        (feed(&[online("1", &[plain.clone(), feeds::event("12", &["5.00"])])]), vec![Created, Updated]),
        (one(&plain), vec![Left]),
        (feed(&[online("1", &[plain.clone(), feeds::event("12", &["7.00"])])]), vec![Returned]),
        (feed(&[]), vec![Left, Left]),
        (one(&later), vec![Returned]),
        (one(&later).replace('\n', " "), vec![]),
    ] {
        assert_eq!(copying.kinds_of(&document).await, kinds, "{document}");
    }
}

async fn changes_state_the_old_and_the_new_values(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[online("1", &[feeds::event("11", &["5.00", "6.50"])])])).await;
    let later = feeds::event("11", &["5.00", "7.25"]).replace("2031-07-01T20:00:00", "2031-06-30T20:30:00");
    let changes = copying.changes_of(&feed(&[base_event("1", "online", "New Title", &[later])])).await;
    let zones = |second: f64| json!([{"name": "Zone 1", "price": 5.0}, {"name": "Zone 2", "price": second}]);
    let expected = json!({
        "title": {"old": "Show 1", "new": "New Title"},
        "start_date": {"old": "2031-07-01", "new": "2031-06-30"},
        "start_time": {"old": "20:00:00", "new": "20:30:00"},
        "max_price": {"old": 6.5, "new": 7.25},
        "zones": {"old": zones(6.5), "new": zones(7.25)},
    });
    assert_eq!(changes, [(ChangeKind::Rescheduled, expected)]);
    let provider = copying.provider().await;
    let run = copying.last_run().await;
    assert_eq!(run.changes.as_deref(), Some(r#"{"rescheduled":1}"#));
    assert_eq!((run.release, provider.last_release), (Some(copying.version().await), run.release));
    let release = release::Entity::find_by_id(run.release.unwrap()).one(&copying.database).await.unwrap().unwrap();
    assert_eq!((release.cause_id, Some(release.raised_at)), (Some(run.id), provider.last_release_at));
    let changes = copying.changes_of(&feed(&[])).await;
    assert_eq!(changes, [(ChangeKind::Left, json!({"listed": {"old": true, "new": false}}))]);
}

/// Enough events for several batches: later ones see the new name in the database.
async fn a_renamed_venue_is_logged_for_each_of_its_events(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let document = |venue: &str| {
        let base_events: Vec<String> = (0..2_000)
            .map(|id| {
                let event = feeds::event(&id.to_string(), &["5.00", "6.00", "7.00", "8.00"]);
                let venue = format!("<venue venue_id=\"7\" name=\"{venue}\" latitude=\"41.374\" longitude=\"2.169\"/></event>");
                online(&id.to_string(), &[event.replace("</event>", &venue)])
            })
            .collect();
        feed(&base_events)
    };
    copying.accept(document("Old Hall")).await;
    let changes = copying.changes_of(&document("New Hall")).await;
    let expected = (ChangeKind::Updated, json!({"venue": {"old": "Old Hall", "new": "New Hall"}}));
    assert_eq!(changes.len(), 2_000);
    assert!(changes.iter().all(|change| *change == expected), "{:?}", changes.iter().find(|change| **change != expected));
}

async fn a_first_load_and_ticket_counts_are_not_logged(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let document = feed(&[online("1", &[feeds::event("11", &["5.00", "6.00"])])]);
    assert_eq!(copying.changes_of(&document).await, []);
    assert_eq!(copying.version().await, 1);
    assert_eq!(copying.changes_of(&document.replace("capacity=\"9\"", "capacity=\"8\"")).await, []);
    assert_eq!(copying.version().await, 2, "the page of the event shows the tickets");
}

async fn hidden_events_are_logged_when_they_are_shown(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[])).await;
    let events = [feeds::event("11", &["5.00"]), feeds::event("12", &["5.00"])];
    assert_eq!(copying.kinds_of(&feed(&[offline("1", &events)])).await, []);
    assert_eq!(copying.kinds_of(&feed(&[offline("1", &events[..1])])).await, []);
    let kinds = copying.kinds_of(&feed(&[online("1", &events[..1])])).await;
    assert_eq!(kinds, [ChangeKind::Created, ChangeKind::Created], "also the one that was removed from the feed is shown now");
}

async fn a_failed_run_logs_nothing(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[online("1", &[feeds::event("11", &["5.00"])])])).await;
    let before = copying.version().await;
    copying.sync("<eventList>").await.unwrap_err();
    assert_eq!((copying.version().await, copying.changes_after(0).await), (before, vec![]));
}

/// What a reader sees of each shown event, in the fields of the log.
fn views(tables: &Tables) -> BTreeMap<Uuid, Map<String, Value>> {
    let shown = tables.events.iter().filter(|event| event.shown);
    shown.map(|event| (event.id, view(tables, event))).collect()
}

fn view(tables: &Tables, event: &event::Model) -> Map<String, Value> {
    let base_event = tables.base_events.iter().find(|base_event| base_event.id == event.base_event_id).unwrap();
    let venue = tables.venues.iter().find(|venue| Some(venue.id) == event.venue_id);
    let concerts = tables.event_performers.iter().filter(|concert| concert.event_id == event.id);
    let name = |id| tables.performers.iter().find(|performer| performer.id == id).unwrap().name.clone();
    let performers: Vec<String> = concerts.map(|concert| name(concert.performer_id)).collect();
    let euros = |cents: i64| cents as f64 / 100.0;
    let zones = tables.zones.iter().filter(|zone| zone.event_id == event.id);
    let mut zones: Vec<Value> = zones.map(|zone| json!({"name": zone.name, "price": euros(zone.price)})).collect();
    zones.sort_by_key(|zone| (zone["name"].to_string(), (zone["price"].as_f64().unwrap() * 100.0) as i64));
    let date = |local: &str| local.split('T').next().map(str::to_owned);
    let time = |local: &str| local.split_once('T').map(|(_, time)| time.to_owned());
    let fields = json!({
        "title": base_event.title,
        "sell_mode": base_event.sell_mode,
        "organizer_company_id": base_event.organizer_company_id,
        "listed": event.left_at.is_none(),
        "start_date": date(&event.local_start),
        "start_time": time(&event.local_start),
        "end_date": event.local_end.as_deref().and_then(date),
        "end_time": event.local_end.as_deref().and_then(time),
        "sell_from": event.sell_from,
        "sell_to": event.sell_to,
        "sold_out": event.sold_out,
        "min_price": event.min_price.map(euros),
        "max_price": event.max_price.map(euros),
        "venue": venue.map(|venue| &venue.name),
        "performers": performers,
        "zones": zones,
    });
    fields.as_object().unwrap().clone()
}

/// What the log must contain, computed from the tables before and after a run.
fn differences(before: &Tables, after: &Tables) -> BTreeMap<Uuid, Option<Value>> {
    let (before, after) = (views(before), views(after));
    let mut differences = BTreeMap::new();
    for (id, new) in after {
        let Some(old) = before.get(&id) else {
            differences.insert(id, None);
            continue;
        };
        let changed: Map<String, Value> = new
            .iter()
            .filter(|(field, value)| old[*field] != **value)
            .map(|(field, value)| (field.clone(), json!({"old": old[field], "new": value})))
            .collect();
        if !changed.is_empty() {
            differences.insert(id, Some(Value::Object(changed)));
        }
    }
    differences
}

async fn the_log_contains_every_difference(database: Arc<TestDatabase>) {
    let copying = Copying::with(&database, "max_shrink_share = 1.0").await;
    let catalogue = SimCatalogue { events: 400, churn: 30.0, ..SimCatalogue::default() };
    copying.accept(catalogue.feed(0)).await;
    let mut before = copying.tables().await;
    for poll in 1..6 {
        copying.accept(catalogue.feed(poll)).await;
        let after = copying.tables().await;
        let rows = change::Entity::find().filter(change::COLUMN.version.gt(before.version));
        let rows = rows.all(&copying.database).await.unwrap();
        let expected = differences(&before, &after);
        assert!(expected.len() > 20, "the catalogue changes");
        assert_eq!(rows.len(), expected.len(), "each event has at most one change");
        let mut counts: BTreeMap<ChangeKind, u32> = BTreeMap::new();
        for row in rows {
            *counts.entry(row.kind).or_default() += 1;
            let logged: Value = serde_json::from_str(&row.changed).unwrap();
            match &expected[&row.event_id] {
                Some(changed) => assert_eq!(logged, *changed, "{:?}", row.kind),
                None => assert_eq!((row.kind, logged), (ChangeKind::Created, json!({}))),
            }
        }
        let stored: BTreeMap<ChangeKind, u32> = serde_json::from_str(&copying.last_run().await.changes.unwrap()).unwrap();
        assert_eq!(stored, counts);
        before = after;
    }
}
