//! Pages of a catalogue that changes between requests: every event that is not moved appears exactly once.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use entity::{EventStatus, UtcInstant, catalogue_version, event, listing};
use migration::{on_every_backend, testing::TestDatabase};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sea_orm::{EntityTrait, QueryFilter, prelude::Uuid};
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    cached_responses::create_state,
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(unmoved_events_appear_exactly_once, a_status_may_change_between_two_pages);

const CASES: u32 = 32;
/// Few different starts, so that many events share one.
const STARTS: i64 = 5;

/// A change by a sync. An index selects from all events that were ever inserted.
#[derive(Clone, Debug)]
enum EventChange {
    Insert { start: i64, id: u128 },
    Reprice(prop::sample::Index),
    Move(prop::sample::Index, i64),
    Hide(prop::sample::Index),
}

fn changes() -> impl Strategy<Value = EventChange> {
    prop_oneof![
        3 => (0..STARTS, any::<u128>()).prop_map(|(start, id)| EventChange::Insert { start, id }),
        2 => any::<prop::sample::Index>().prop_map(EventChange::Reprice),
        2 => (any::<prop::sample::Index>(), 0..STARTS).prop_map(|(event, start)| EventChange::Move(event, start)),
        1 => any::<prop::sample::Index>().prop_map(EventChange::Hide),
    ]
}

async fn unmoved_events_appear_exactly_once(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let cases = (vec((0..STARTS, any::<u128>()), 1..25), vec(vec(changes(), 0..4), 30), 1_usize..6);

    block_in_place(|| {
        TestRunner::new(config).run(&cases, |(first, changes, size)| {
            Handle::current().block_on(async {
                catalogue.clear().await;
                catalogue_version::increment(&catalogue.database).await.unwrap();
                let mut changing = ChangingCatalogue { catalogue: &catalogue, unmoved: HashSet::new(), all: Vec::new() };
                for (start, id) in first {
                    changing.apply(EventChange::Insert { start, id }, true).await;
                }
                // A new process, because a cache of the previous case would return its events.
                let state = create_state(&database).await;
                let app = TestApp::with_state(&state);
                let mut seen: HashMap<Uuid, u32> = HashMap::new();
                let mut next = Some(format!("/search?limit={size}"));
                for changes in changes {
                    state.version.refresh().await.unwrap();
                    let Some(uri) = next.take() else { break };
                    next = read_page(&app, &uri, &mut seen).await;
                    for change in changes {
                        changing.apply(change, false).await;
                    }
                }
                // The remaining pages.
                while let Some(uri) = next {
                    next = read_page(&app, &uri, &mut seen).await;
                }
                for id in &changing.unmoved {
                    assert_eq!(seen.get(id), Some(&1), "{id} was not moved");
                }
            });
            Ok(())
        })
    })
    .unwrap();
}

/// Requests a page, counts its events, and returns the link to the next page.
async fn read_page(app: &TestApp, uri: &str, seen: &mut HashMap<Uuid, u32>) -> Option<String> {
    let page = app.get(uri).await;
    let (json, id) = (page.json(), if uri.starts_with("/concerts") { "event_id" } else { "id" });
    for event in json.as_array().or_else(|| json["data"]["events"].as_array()).unwrap() {
        *seen.entry(event[id].as_str().unwrap().parse().unwrap()).or_default() += 1;
    }
    page.next()
}

/// Whichever event is cancelled or scheduled again after the first page: the others appear once, and this one at most once.
async fn a_status_may_change_between_two_pages(database: Arc<TestDatabase>) {
    const EVENTS: usize = 5;
    let catalogue = CatalogueFixture::new(&database).await;
    let concert = |number: usize| {
        let event = NewEvent::titled(&number.to_string()).starts(&format!("2021-02-1{number}T20:00:00"));
        event.performers(&["7"]).venue("Sala", (41.0, 2.0), None)
    };
    let events: Vec<_> = (0..EVENTS).map(concert).collect();
    catalogue.insert(events.clone()).await;
    let changing = ChangingCatalogue { catalogue: &catalogue, unmoved: HashSet::new(), all: Vec::new() };
    for first in [
        "/search?limit=2",
        "/events?range=all&limit=2",
        "/events?range=all&sort=-starts_at&limit=2",
        "/concerts?bandIds=7&limit=2",
    ] {
        for (changed, status) in
            (0..EVENTS).flat_map(|changed| [EventStatus::Cancelled, EventStatus::Scheduled].map(|to| (changed, to)))
        {
            let other = if status == EventStatus::Cancelled { EventStatus::Scheduled } else { EventStatus::Cancelled };
            changing.set_status(&events[changed], other).await;
            // A new process, because a cache would return the pages of the previous case.
            let state = create_state(&database).await;
            let app = TestApp::with_state(&state);
            let mut seen: HashMap<Uuid, u32> = HashMap::new();
            let mut next = read_page(&app, first, &mut seen).await;
            assert_eq!(seen.len(), 2, "{first}");
            changing.set_status(&events[changed], status).await;
            state.version.refresh().await.unwrap();
            while let Some(uri) = next {
                next = read_page(&app, &uri, &mut seen).await;
            }
            let case = format!("{first}: event {changed} becomes {}", status.name());
            assert!(seen.values().all(|times| *times == 1), "{case}: {seen:?}");
            let unchanged = events.iter().enumerate().filter(|(number, _)| *number != changed);
            assert!(unchanged.clone().all(|(_, event)| seen.contains_key(&event.row.id)), "{case}: {seen:?}");
            changing.set_status(&events[changed], EventStatus::Scheduled).await;
        }
    }
}

/// A catalogue and its events that were never moved or hidden.
struct ChangingCatalogue<'a> {
    catalogue: &'a CatalogueFixture,
    unmoved: HashSet<Uuid>,
    all: Vec<Uuid>,
}

impl ChangingCatalogue<'_> {
    async fn apply(&mut self, change: EventChange, is_first: bool) {
        let start_of = |start: i64| UtcInstant(start * 1_000_000);
        match change {
            EventChange::Insert { start, id } => {
                let id = Uuid::from_u128(id);
                if self.all.contains(&id) {
                    return;
                }
                let event = NewEvent::titled(&id.to_string()).id(id).with(|row| {
                    row.starts_at = start_of(start);
                    row.ends_at = row.starts_at;
                });
                self.catalogue.insert([event]).await;
                self.all.push(id);
                if is_first {
                    self.unmoved.insert(id);
                }
            }
            EventChange::Reprice(index) => {
                let id = *index.get(&self.all);
                self.set(id, event::Column::MinPrice, 100_i64).await;
            }
            EventChange::Move(index, start) => {
                let id = *index.get(&self.all);
                self.unmoved.remove(&id);
                self.set(id, event::Column::StartsAt, start_of(start)).await;
            }
            EventChange::Hide(index) => {
                let id = *index.get(&self.all);
                self.unmoved.remove(&id);
                self.set(id, event::Column::Shown, false).await;
            }
        }
        catalogue_version::increment(&self.catalogue.database).await.unwrap();
    }

    async fn set_status(&self, event: &NewEvent, status: EventStatus) {
        self.set(event.row.id, event::Column::Status, status).await;
        listing::refresh_base_events(&self.catalogue.database, vec![event.row.base_event_id]).await.unwrap();
        catalogue_version::increment(&self.catalogue.database).await.unwrap();
    }

    async fn set(&self, id: Uuid, column: event::Column, value: impl Into<sea_orm::Value>) {
        let value = sea_orm::sea_query::Expr::value(value);
        let update = event::Entity::update_many().col_expr(column, value).filter(event::COLUMN.id.eq(id));
        update.exec(&self.catalogue.database).await.unwrap();
    }
}
