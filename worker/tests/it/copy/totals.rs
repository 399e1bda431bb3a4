//! The totals of days are those of the events, whatever has written these.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use entity::{
    EventStatus, begin_write, catalogue_version, daily_total, event,
    job::{JobKind, queue},
    listing, provider,
};
use migration::{Migrator, MigratorTrait, on_every_backend, testing::TestDatabase};
use sea_orm::{DatabaseConnection, EntityTrait, QueryFilter};
use worker::{
    backfill::{self, totals::Totals},
    jobs::backfill::BackfillJob,
};

use super::{Copying, Tables};
use crate::feeds::{event as event_element, feed, online};

on_every_backend!(
    totals_of_an_earlier_schema_are_computed,
    a_release_of_an_earlier_program_makes_totals_invalid,
    only_days_that_changed_are_computed_again,
);

/// A day, a provider, and a currency with its digits.
type Key = (String, i32, String, i16);

/// Compares the totals of each provider, if they are valid, with its events. Returns whether all are valid.
pub(super) async fn assert_totals(database: &DatabaseConnection, tables: &Tables) -> bool {
    let invalid = daily_total::select_invalid().all(database).await.unwrap();
    let mut stored: BTreeMap<Key, (i64, Option<i64>)> = BTreeMap::new();
    for row in daily_total::Entity::find().all(database).await.unwrap() {
        stored.insert((row.day, row.provider_id, row.currency, row.currency_digits), (row.event_count, row.min_price));
    }
    for provider in provider::Entity::find().all(database).await.unwrap() {
        // While readers do not see it, rows are written without the totals.
        if provider.loading_since.is_some() || invalid.contains(&provider) {
            continue;
        }
        let stored: BTreeMap<_, _> = stored.clone().into_iter().filter(|((_, id, ..), _)| *id == provider.id).collect();
        let counted = count(&provider, tables);
        let differs = |key: &&Key| stored.get(key) != counted.get(key);
        let different: Vec<&Key> = stored.keys().chain(counted.keys()).filter(differs).collect();
        assert!(different.is_empty(), "{different:?} of {}", provider.slug);
    }
    invalid.is_empty()
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

impl Copying {
    /// Compares the totals, and returns whether they are valid.
    async fn has_valid_totals(&self) -> bool {
        let tables = self.tables().await;
        assert_totals(&self.database, &tables).await
    }

    /// Changes all prices without the totals, as a worker of an earlier release does it.
    async fn change_prices(&self, price: i64) {
        let events = self.tables().await.events;
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
    copying.accept(feed(&[online("1", &[on_day(1, "5.00"), on_day(2, "7.00")])])).await;
    let database = &copying.database;
    let before = Migrator::migrations().iter().position(|migration| migration.name().ends_with("daily_totals")).unwrap();
    let reverted = Migrator::migrations().len() - before;
    Migrator::down(database, u32::try_from(reverted).ok()).await.unwrap();
    Migrator::up(database, None).await.unwrap();
    assert!(!copying.has_valid_totals().await);

    let claim = queue::claim(database, &[BackfillJob::<Totals>::KIND], "w", Duration::from_secs(60)).await.unwrap().unwrap();
    BackfillJob::<Totals>::decode(&claim.payload).unwrap();
    let version = copying.version().await;
    assert_eq!(backfill::run::<Totals>(database).await.unwrap(), 1);
    assert!(copying.has_valid_totals().await);
    assert_eq!(copying.version().await, version, "calendars are the same");
    assert_eq!(backfill::run::<Totals>(database).await.unwrap(), 0);
}

async fn a_release_of_an_earlier_program_makes_totals_invalid(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let show = |second: &str| feed(&[online("1", &[on_day(1, "5.00"), on_day(20, second)])]);
    copying.accept(show("7.00")).await;
    assert!(copying.has_valid_totals().await);
    let enqueue = || BackfillJob::<Totals>::enqueue_if_due(&copying.database);
    assert_eq!(enqueue().await.unwrap(), None);

    copying.change_prices(100).await;
    assert!(!copying.has_valid_totals().await);
    copying.accept(show("8.00")).await;
    assert!(!copying.has_valid_totals().await, "the other day is as it was");
    assert!(enqueue().await.unwrap().is_some());
    assert_eq!(enqueue().await.unwrap(), None, "it is enqueued once");
    assert_eq!(backfill::run::<Totals>(&copying.database).await.unwrap(), 1);
    assert!(copying.has_valid_totals().await);
}

async fn only_days_that_changed_are_computed_again(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let shows = |days: &[(u32, &str)]| {
        let events: Vec<String> = days.iter().map(|(day, price)| on_day(*day, price)).collect();
        feed(&[online("1", &events)])
    };
    copying.accept(shows(&[(1, "5.00"), (10, "5.00"), (20, "5.00")])).await;
    let count = |day: &'static str| daily_total::Entity::find().filter(daily_total::COLUMN.day.eq(day)).one(&copying.database);
    let mark = daily_total::Entity::update_many().col_expr(daily_total::Column::EventCount, 99_i64.into());
    mark.exec(&copying.database).await.unwrap();

    copying.accept(shows(&[(1, "5.00"), (12, "6.00"), (20, "5.00")])).await;
    assert_eq!(count("2031-07-01").await.unwrap().unwrap().event_count, 99);
    assert_eq!(count("2031-07-10").await.unwrap(), None, "the event was moved");
    let moved = count("2031-07-12").await.unwrap().unwrap();
    assert_eq!((moved.event_count, moved.min_price), (1, Some(600)));
    assert_eq!(count("2031-07-20").await.unwrap().unwrap().event_count, 99);
}
