//! The tables of the copy after syncs, on both databases.

mod catalogue_version;
mod changes;
mod details;
mod elements;
mod first_load;
mod guards;
mod history;
mod lease_lost;
mod mangled;
mod model;
mod moved;
mod names;
mod rejected;
mod rekey;
mod revert;
mod takedown;
mod three_polls;
mod totals;
mod unchanged;
mod untrusted;
mod whole_catalogue;
mod words;

use std::time::Duration;

use entity::{
    ConnectionRole, EventStatus, GeoArea, GeoCell, UtcInstant, base_event, database_now, event, event_performer, fold_name,
    job::{self, Claim, SyncJob},
    listing, performer, provider, reject,
    sphere::Direction,
    sync_run, venue, zone,
};
use migration::testing::TestDatabase;
use sea_orm::{DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use tempfile::TempDir;
use worker::{
    provider::entry::ProviderEntry,
    sync::{self, Counts, FeedSource, SyncError, SyncReport},
};

use self::words::ShowTexts;
use crate::{entries, patience::eventually};

const SLUG: &str = "northstage";

/// One provider and the copy of its catalogue.
pub(crate) struct Copying {
    pub(crate) database: DatabaseConnection,
    pub(crate) entry: ProviderEntry,
    folder: TempDir,
}

impl Copying {
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        Self::with(database, "").await
    }

    /// With additional lines of the provider's entry.
    pub(crate) async fn with(database: &TestDatabase, more: &str) -> Self {
        let entry = entries::entry(SLUG, "http://localhost/feed", more);
        Self { database: database.connect(ConnectionRole::Worker).await, entry, folder: TempDir::new().unwrap() }
    }

    /// Syncs from a document, as if the provider had sent it.
    pub(crate) async fn sync(&self, document: impl AsRef<[u8]>) -> Result<SyncReport, SyncError> {
        let file = self.folder.path().join("feed.xml");
        std::fs::write(&file, document).unwrap();
        sync_now(&self.database, &self.entry, &FeedSource::File(file)).await
    }

    /// Syncs from a document that must be accepted, and returns what it changed.
    pub(crate) async fn accept(&self, document: impl AsRef<[u8]>) -> Counts {
        self.sync(document).await.unwrap().counts
    }

    pub(crate) async fn tables(&self) -> Tables {
        Tables::of(&self.database).await
    }

    pub(crate) async fn version(&self) -> i64 {
        entity::catalogue_version::fetch_version(&self.database).await.unwrap()
    }

    pub(crate) async fn provider(&self) -> provider::Model {
        provider_of(&self.database, &self.entry.slug).await
    }

    /// The ledger, oldest first.
    pub(crate) async fn runs(&self) -> Vec<sync_run::Model> {
        runs_of(&self.database, &self.entry.slug).await
    }

    pub(crate) async fn last_run(&self) -> sync_run::Model {
        self.runs().await.pop().unwrap()
    }

    /// The rejects of the last run.
    pub(crate) async fn last_rejects(&self) -> Vec<reject::Model> {
        let run = self.last_run().await;
        let rejects = reject::Entity::find().filter(reject::COLUMN.sync_run_id.eq(run.id));
        rejects.order_by_asc(reject::Column::Position).all(&self.database).await.unwrap()
    }

    /// The only event of this id.
    pub(crate) async fn event(&self, source_id: &str) -> event::Model {
        let mut events = self.tables().await.events;
        events.retain(|event| event.source_id == source_id);
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }
}

/// Holds the lane of a provider, which a sync needs; waits until it is free.
pub(crate) async fn hold(database: &DatabaseConnection, slug: &str) -> Claim {
    eventually("no other sync runs", async || {
        let job = SyncJob::new(slug, format!("test/{}", UtcInstant::now().0));
        job::queue::start(database, &job, "test", Duration::from_secs(600)).await.unwrap()
    })
    .await
}

/// Syncs under a lease and releases it.
pub(crate) async fn sync_now(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    source: &FeedSource,
) -> Result<SyncReport, SyncError> {
    let claim = hold(database, &entry.slug).await;
    let outcome = sync::sync(database, entry, source, &claim).await;
    let was_held = job::queue::finish(database, &claim).await.unwrap();
    assert_eq!(was_held, outcome.is_err(), "only a successful sync removes its job");
    outcome
}

pub(crate) async fn provider_of(database: &DatabaseConnection, slug: &str) -> provider::Model {
    provider::Entity::find().filter(provider::COLUMN.slug.eq(slug)).one(database).await.unwrap().unwrap()
}

/// The ledger of a provider, oldest first; empty if it is not registered.
pub(crate) async fn runs_of(database: &DatabaseConnection, slug: &str) -> Vec<sync_run::Model> {
    let Some(provider) = provider::Entity::find().filter(provider::COLUMN.slug.eq(slug)).one(database).await.unwrap() else {
        return vec![];
    };
    let runs = sync_run::Entity::find().filter(sync_run::COLUMN.provider_id.eq(provider.id));
    runs.order_by_asc(sync_run::Column::Id).all(database).await.unwrap()
}

/// All rows that a reader can see, in the order of their keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tables {
    pub(crate) version: i64,
    pub(crate) base_events: Vec<base_event::Model>,
    pub(crate) events: Vec<event::Model>,
    pub(crate) zones: Vec<zone::Model>,
    pub(crate) venues: Vec<venue::Model>,
    pub(crate) performers: Vec<performer::Model>,
    pub(crate) event_performers: Vec<event_performer::Model>,
}

/// Rows that are derived from those of [`Tables`].
struct Listings {
    rows: Vec<listing::Model>,
    show_texts: ShowTexts,
    providers: Vec<provider::Model>,
    now: UtcInstant,
}

impl Tables {
    pub(crate) async fn of(database: &DatabaseConnection) -> Self {
        let mut tables = Self {
            version: entity::catalogue_version::fetch_version(database).await.unwrap(),
            base_events: Self::base_events(database).await,
            events: event::Entity::find().all(database).await.unwrap(),
            zones: zone::Entity::find().all(database).await.unwrap(),
            venues: venue::Entity::find().all(database).await.unwrap(),
            performers: performer::Entity::find().all(database).await.unwrap(),
            event_performers: event_performer::Entity::find().all(database).await.unwrap(),
        };
        tables.base_events.sort_by_key(|row| row.id);
        tables.events.sort_by_key(|row| row.id);
        tables.zones.sort_by_key(|row| (row.event_id, row.position));
        tables.venues.sort_by_key(|row| row.id);
        tables.performers.sort_by_key(|row| row.id);
        tables.event_performers.sort_by_key(|row| (row.event_id, row.position));
        tables.assert_derived_columns();
        Box::pin(Listings::of(database, &tables)).await.assert_derived_from(&tables);
        names::assert_words(database, &tables).await;
        Box::pin(totals::assert_totals(database, &tables)).await;
        tables
    }

    /// Without the hashes of bytes, which no reader sees.
    async fn base_events(database: &DatabaseConnection) -> Vec<base_event::Model> {
        let rows = base_event::Entity::find().all(database).await.unwrap();
        rows.into_iter().map(|row| base_event::Model { element_hash: None, element_events: None, ..row }).collect()
    }

    /// Some columns exist for an index and repeat others.
    fn assert_derived_columns(&self) {
        for concert in &self.event_performers {
            let event = self.events.iter().find(|event| event.id == concert.event_id).unwrap();
            let is_located = self.venues.iter().any(|venue| Some(venue.id) == event.venue_id && venue.located);
            let of_event = (event.venue_id.filter(|_| is_located), event.starts_at, event.shown);
            assert_eq!((concert.venue_id, concert.starts_at, concert.shown || concert.cancelled), of_event, "{concert:?}");
            assert_eq!(concert.cancelled, event.shown && event.status == EventStatus::Cancelled, "{concert:?}");
            assert!(!concert.shown || !concert.cancelled, "{concert:?}");
        }
        for venue in &self.venues {
            let direction = Direction { x: venue.direction_x, y: venue.direction_y, z: venue.direction_z };
            let expected = Direction::from_degrees(venue.latitude, venue.longitude);
            assert_eq!(direction, if venue.located { expected } else { Direction::NOWHERE }, "{venue:?}");
            assert_eq!(venue.cell, venue.located.then(|| GeoCell::at(venue.latitude, venue.longitude).0), "{venue:?}");
            assert_eq!(venue.folded_name, fold_name(&venue.name));
            assert_eq!(venue.folded_city, venue.city.as_deref().map(fold_name));
        }
        for performer in &self.performers {
            assert_eq!(performer.folded_name, fold_name(&performer.name));
        }
    }

    /// The rows without the version and the hashes.
    pub(crate) fn rows(&self) -> Self {
        let mut rows = Self { version: 0, ..self.clone() };
        rows.base_events.iter_mut().for_each(|base_event| base_event.content_hash = None);
        rows.events.iter_mut().for_each(|event| event.content_hash = 0);
        rows
    }

    /// One line per event, ordered by ids, with its latest values and states.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.events.iter().map(|event| self.line(event)).collect();
        lines.sort();
        lines
    }

    fn line(&self, event: &event::Model) -> String {
        let base_event = self.base_events.iter().find(|base_event| base_event.id == event.base_event_id).unwrap();
        let zones: Vec<String> = self
            .zones
            .iter()
            .filter(|zone| zone.event_id == event.id)
            .map(|zone| format!("{}x{}@{}", zone.capacity.unwrap_or(-1), zone.source_id, zone.price))
            .collect();
        let states = [
            (event.shown, "shown"),
            (event.sold_out, "sold out"),
            (event.left_at.is_some(), "left"),
            (event.came_back_at.is_some(), "came back"),
        ];
        let states: Vec<&str> = states.into_iter().filter_map(|(is_set, word)| is_set.then_some(word)).collect();
        format!(
            "{}/{} {} ({}): {} to {}, {} from {} to {}: {}",
            base_event.source_id,
            event.source_id,
            base_event.title,
            base_event.sell_mode,
            event.local_start,
            event.local_end.as_deref().unwrap_or("?"),
            zones.join(" "),
            event.min_price.unwrap_or(-1),
            event.max_price.unwrap_or(-1),
            states.join(", "),
        )
    }
}

impl Listings {
    async fn of(database: &DatabaseConnection, tables: &Tables) -> Self {
        let mut rows = listing::Entity::find().all(database).await.unwrap();
        rows.sort_by_key(|row| row.event_id);
        let providers = provider::Entity::find().all(database).await.unwrap();
        let show_texts = Box::pin(ShowTexts::of(database, tables)).await;
        Self { rows, show_texts, providers, now: database_now(database).await.unwrap() }
    }

    fn assert_derived_from(&self, tables: &Tables) {
        let shown: Vec<&event::Model> = tables.events.iter().filter(|event| event.shown).collect();
        assert_eq!(self.rows.len(), shown.len(), "one row for each shown event");
        self.show_texts.assert_derived_from(tables);
        for (row, event) in self.rows.iter().zip(shown) {
            assert_eq!(*row, self.derive(row, event, tables));
            assert!(row.updated_at >= row.first_seen_at, "{row:?}");
        }
    }

    /// The expected row of an event.
    fn derive(&self, row: &listing::Model, event: &event::Model, tables: &Tables) -> listing::Model {
        let base_event = tables.base_events.iter().find(|base_event| base_event.id == event.base_event_id).unwrap();
        let provider = self.providers.iter().find(|provider| provider.id == base_event.provider_id).unwrap();
        let venue = event.venue_id.and_then(|id| tables.venues.iter().find(|venue| venue.id == id));
        let listed = event.left_at.is_none();
        listing::Model {
            event_id: event.id,
            base_event_id: base_event.id,
            provider_id: provider.id,
            venue_id: event.venue_id,
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            // A job clears it after the end.
            upcoming: if event.ends_at > self.now { listed } else { listed && row.upcoming },
            listed,
            status: event.status,
            category: event.category.clone().or_else(|| base_event.category.clone()),
            city: venue.and_then(|venue| venue.folded_city.clone()),
            country: venue.and_then(|venue| venue.country.clone()),
            area: venue.and_then(|venue| venue.cell).map(|cell| GeoArea::of(GeoCell(cell)).0),
            currency: event.currency.clone().unwrap_or_else(|| provider.currency.clone()),
            min_price: event.min_price,
            max_price: event.max_price,
            first_seen_at: event.first_seen_at,
            updated_at: row.updated_at,
            show_text_id: self.show_texts.id_of(base_event.id, event.venue_id),
        }
    }
}
