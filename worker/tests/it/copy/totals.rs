//! The totals of days are those of the events, whatever has written these.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use entity::{
    EventStatus, begin_write, catalogue_version,
    daily_total::{self, TotalsProgress},
    event,
    job::{self, JobKind, JobState, queue},
    listing, provider,
};
use migration::{Migrator, MigratorTrait, on_every_backend, testing::TestDatabase};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use worker::{
    backfill::{
        self,
        listings::Listings,
        totals::{self, Totals},
    },
    jobs::backfill::BackfillJob,
    sync::identity,
};

use super::{Copying, SLUG, Tables};
use crate::feeds::{event as event_element, feed, online};

on_every_backend!(
    totals_of_an_earlier_schema_are_computed,
    a_release_of_an_earlier_program_makes_totals_invalid,
    only_days_on_which_changed_events_start_are_computed_again,
    releases_update_the_days_that_are_computed,
    totals_are_computed_after_listings,
    a_job_that_failed_too_often_is_tried_again,
);

/// A day, a provider, and a currency with its digits.
type Key = (String, i32, String, i16);

/// Computes the totals that no release has, and compares all with the events.
pub(super) async fn assert_totals(database: &DatabaseConnection, tables: &Tables) {
    for provider in daily_total::select_invalid().all(database).await.unwrap() {
        let is_outdated = provider.totals_release.is_some() && provider.totals_through.is_none();
        assert!(!is_outdated, "a release left totals outdated: {provider:?}");
    }
    backfill::run::<Totals>(database).await.unwrap();
    assert_eq!(totals::find_invalid(database).await.unwrap(), [0; 0]);
    let mut stored: BTreeMap<Key, (i64, Option<i64>)> = BTreeMap::new();
    for row in daily_total::Entity::find().all(database).await.unwrap() {
        stored.insert((row.day, row.provider_id, row.currency, row.currency_digits), (row.event_count, row.min_price));
    }
    let invalid = daily_total::select_invalid().all(database).await.unwrap();
    for provider in provider::Entity::find().all(database).await.unwrap() {
        // While readers do not see it, and until listings are written, totals are not computed.
        if provider.loading_since.is_some() || invalid.contains(&provider) {
            continue;
        }
        let stored: BTreeMap<_, _> = stored.clone().into_iter().filter(|((_, id, ..), _)| *id == provider.id).collect();
        let counted = count(&provider, tables);
        let differs = |key: &&Key| stored.get(key) != counted.get(key);
        let different: Vec<&Key> = stored.keys().chain(counted.keys()).filter(differs).collect();
        assert!(different.is_empty(), "{different:?} of {}", provider.slug);
    }
}

fn count(provider: &provider::Model, tables: &Tables) -> BTreeMap<Key, (i64, Option<i64>)> {
    let mut totals: BTreeMap<Key, (i64, Option<i64>)> = BTreeMap::new();
    for event in &tables.events {
        let base_event = tables.base_events.iter().find(|base_event| base_event.id == event.base_event_id).unwrap();
        let is_counted = event.shown && event.left_at.is_none() && event.status != EventStatus::Cancelled;
        if base_event.provider_id != provider.id || !is_counted {
            continue;
        }
        let currency = event.currency.clone().unwrap_or_else(|| provider.currency.clone());
        let digits = event.currency_digits.unwrap_or(provider.currency_digits);
        let (events, lowest) = totals.entry((event.local_start[..10].to_owned(), provider.id, currency, digits)).or_default();
        *events += 1;
        *lowest = [*lowest, event.min_price].into_iter().flatten().min();
    }
    totals
}

/// An event at a price on a day of July.
fn on_day(day: u32, price: &str) -> String {
    event_element(&day.to_string(), &[price]).replace("2031-07-01T", &format!("2031-07-{day:02}T"))
}

/// A feed with events at prices on days of July.
fn on_days(days: &[(u32, &str)]) -> String {
    feed(&[online("1", &days.iter().map(|(day, price)| on_day(*day, price)).collect::<Vec<_>>())])
}

impl Copying {
    async fn has_valid_totals(&self) -> bool {
        daily_total::select_invalid().one(&self.database).await.unwrap().is_none()
    }

    /// The days of July with their lowest prices and numbers of events.
    async fn july(&self) -> Vec<(String, Option<i64>, i64)> {
        let rows = daily_total::Entity::find().order_by_asc(daily_total::Column::Day).all(&self.database).await.unwrap();
        let day = |row: daily_total::Model| (row.day.trim_start_matches("2031-07-").to_owned(), row.min_price, row.event_count);
        rows.into_iter().map(day).collect()
    }

    /// Computes the totals of a week.
    async fn compute_more(&self) -> bool {
        daily_total::compute_more(&self.database, self.provider().await.id).await.unwrap() != TotalsProgress::Complete
    }

    /// Changes all prices without the totals, as a worker of an earlier release does it.
    async fn change_prices(&self, price: i64) {
        let events = event::Entity::find().all(&self.database).await.unwrap();
        let transaction = begin_write(&self.database).await.unwrap();
        event::Entity::update_many().col_expr(event::Column::MinPrice, price.into()).exec(&transaction).await.unwrap();
        listing::refresh_base_events(&transaction, vec![events[0].base_event_id]).await.unwrap();
        catalogue_version::increment(&transaction).await.unwrap();
        let version = catalogue_version::fetch_version(&transaction).await.unwrap();
        let update = provider::Entity::update_many().col_expr(provider::Column::LastRelease, version.into());
        update.exec(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

async fn totals_of_an_earlier_schema_are_computed(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(on_days(&[(1, "5.00"), (2, "7.00")])).await;
    let database = &copying.database;
    let before = Migrator::migrations().iter().position(|migration| migration.name().ends_with("daily_totals")).unwrap();
    let reverted = Migrator::migrations().len() - before;
    Migrator::down(database, u32::try_from(reverted).ok()).await.unwrap();
    Migrator::up(database, None).await.unwrap();
    assert!(!copying.has_valid_totals().await);

    assert!(BackfillJob::<Totals>::enqueue_if_due(database).await.unwrap().is_some());
    assert_eq!(BackfillJob::<Totals>::enqueue_if_due(database).await.unwrap(), None, "it is enqueued once");
    let version = copying.version().await;
    assert_eq!(backfill::run::<Totals>(database).await.unwrap(), 1);
    assert!(copying.has_valid_totals().await);
    assert_eq!(copying.july().await, [("01".to_owned(), Some(500), 1), ("02".to_owned(), Some(700), 1)]);
    assert_eq!(copying.version().await, version, "calendars are the same");
    assert_eq!(backfill::run::<Totals>(database).await.unwrap(), 0);
}

async fn a_release_of_an_earlier_program_makes_totals_invalid(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(on_days(&[(1, "5.00"), (20, "7.00")])).await;
    copying.tables().await;
    assert!(copying.has_valid_totals().await);
    let enqueue = || BackfillJob::<Totals>::enqueue_if_due(&copying.database);
    assert_eq!(enqueue().await.unwrap(), None);

    copying.change_prices(100).await;
    assert!(!copying.has_valid_totals().await);
    copying.accept(on_days(&[(1, "5.00"), (20, "8.00")])).await;
    assert!(!copying.has_valid_totals().await, "the other day is as it was");
    let before = copying.july().await;
    assert_eq!(before[1].1, Some(700), "no release updates totals that are outdated");
    assert!(enqueue().await.unwrap().is_some());
    assert_eq!(backfill::run::<Totals>(&copying.database).await.unwrap(), 1);
    assert!(copying.has_valid_totals().await);
    copying.tables().await;
}

async fn only_days_on_which_changed_events_start_are_computed_again(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    // It begins on the fifth day and ends on the last one.
    let long = |price: &str| on_day(5, price).replace("2031-07-05T22", "2031-07-31T22");
    let shows = |days: &[(u32, &str)], price: &str| {
        let events = days.iter().map(|(day, price)| on_day(*day, price)).chain([long(price)]);
        feed(&[online("1", &events.collect::<Vec<_>>())])
    };
    copying.accept(shows(&[(1, "5.00"), (10, "5.00"), (20, "5.00")], "5.00")).await;
    copying.tables().await;
    let mark = daily_total::Entity::update_many().col_expr(daily_total::Column::EventCount, 99_i64.into());
    mark.exec(&copying.database).await.unwrap();

    copying.accept(shows(&[(1, "5.00"), (12, "6.00"), (20, "5.00")], "4.00")).await;
    let of = |day: &str, price: i64, count: i64| (day.to_owned(), Some(price), count);
    assert_eq!(copying.july().await, [of("01", 500, 99), of("05", 400, 1), of("12", 600, 1), of("20", 500, 99)]);
    assert!(copying.has_valid_totals().await);
    assert!(copying.remove(identity::event_id(SLUG, "1", "5")).await);
    assert_eq!(copying.july().await, [of("01", 500, 99), of("12", 600, 1), of("20", 500, 99)]);
    assert!(copying.has_valid_totals().await);
}

async fn releases_update_the_days_that_are_computed(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(on_days(&[(1, "5.00"), (2, "5.00"), (20, "5.00")])).await;
    let of = |day: &str, price: i64| (day.to_owned(), Some(price), 1);
    assert!(copying.compute_more().await);
    assert_eq!(copying.july().await, [of("01", 500), of("02", 500)]);
    copying.accept(on_days(&[(1, "6.00"), (2, "5.00"), (20, "6.00")])).await;
    assert_eq!(copying.july().await, [of("01", 600), of("02", 500)]);
    assert!(!copying.has_valid_totals().await);

    copying.change_prices(700).await;
    assert!(copying.compute_more().await);
    assert_eq!(copying.july().await, [of("01", 700), of("02", 700)], "the first days are outdated");
    assert!(copying.compute_more().await);
    assert!(!copying.has_valid_totals().await, "later days may have events");
    assert!(!copying.compute_more().await);
    assert!(copying.has_valid_totals().await);
    assert_eq!(copying.july().await, [of("01", 700), of("02", 700), of("20", 700)]);
}

async fn totals_are_computed_after_listings(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(on_days(&[(1, "5.00")])).await;
    let database = &copying.database;
    queue::enqueue(database, &BackfillJob::<Listings>::decode("{}").unwrap()).await.unwrap();
    let expect = async |count: u64, what: &str| {
        assert_eq!(totals::find_invalid(database).await.unwrap().len() as u64, count, "{what}");
        assert_eq!(backfill::run::<Totals>(database).await.unwrap(), count, "{what}");
    };
    expect(0, "listings are queued").await;
    let kinds = [BackfillJob::<Listings>::KIND];
    let claim = queue::claim(database, &kinds, "w", Duration::from_secs(60)).await.unwrap().unwrap();
    expect(0, "listings are written").await;
    queue::finish(database, &claim).await.unwrap();
    expect(1, "listings are complete").await;
}

async fn a_job_that_failed_too_often_is_tried_again(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(on_days(&[(1, "5.00")])).await;
    let enqueue = || BackfillJob::<Totals>::enqueue_if_due(&copying.database);
    let id = enqueue().await.unwrap().unwrap();
    assert_eq!(enqueue().await.unwrap(), None, "it is queued");
    let death = job::Entity::update_many().col_expr(job::Column::State, JobState::Dead.into());
    death.filter(job::Column::Id.eq(id)).exec(&copying.database).await.unwrap();
    assert_eq!(enqueue().await.unwrap(), Some(id));
    let kinds = [BackfillJob::<Totals>::KIND];
    assert!(queue::claim(&copying.database, &kinds, "w", Duration::from_secs(60)).await.unwrap().is_some());
}
