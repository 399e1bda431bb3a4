//! The boundaries of events that an earlier release has stored.

use std::{sync::Arc, time::Duration};

use entity::{
    ConnectionRole, database_now, event,
    job::{JobKind, queue},
};
use migration::{
    Migrator, MigratorTrait, on_every_backend,
    testing::{Backend, TestDatabase},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use worker::{
    backfill::{self, boundaries::Boundaries, listings::Listings},
    jobs::backfill::BackfillJob,
};

use super::{MINUTE, TimedEvent};
use crate::{
    copy::{Copying, Tables},
    feeds::{feed, online},
};

on_every_backend!(events_of_an_earlier_release_are_filled);

const LEASE: Duration = Duration::from_secs(600);

async fn events_of_an_earlier_release_are_filled(database: Arc<TestDatabase>) {
    let copying = Copying::with(&database, "time_zone = \"Europe/Madrid\"").await;
    let now = database_now(&copying.database).await.unwrap();
    let upcoming = TimedEvent::new("upcoming", (Some(500), Some(1_000)), 2_000).xml(now);
    let whole_days = "<event event_id=\"days\" event_date=\"2031-07-01\" sell_from=\"2031-05-01\" sell_to=\"2031-06-01\"/>";
    let past = TimedEvent::new("past", (None, None), 0).xml(now - 24 * 60 * MINUTE);
    copying.accept(feed(&[online("1", &[upcoming, whole_days.to_owned(), past])])).await;
    let expected = copying.tables().await;
    let database = &copying.database;

    let migrations = Migrator::migrations();
    let before = migrations.iter().position(|migration| migration.name() == "m20261126_000013_changes").unwrap();
    Migrator::down(database, u32::try_from(migrations.len() - before).ok()).await.unwrap();
    Migrator::up(database, None).await.unwrap();
    assert_eq!(backfill::run::<Listings>(database).await.unwrap(), 1);
    assert_eq!(backfill::run::<Listings>(database).await.unwrap(), 0);
    // Cached lists lack the words, also if the first run was interrupted before its release.
    let expected = Tables { version: expected.version + 2, ..expected };
    let events = event::Entity::find().filter(event::Column::NextBoundaryAt.is_null());
    assert_eq!(events.limit(10).all(database).await.unwrap().len(), 3, "the columns are new");
    let claim = queue::claim(database, &[BackfillJob::<Boundaries>::KIND], "w", LEASE).await.unwrap().unwrap();
    BackfillJob::<Boundaries>::decode(&claim.payload).unwrap();
    assert_eq!(backfill::run::<Boundaries>(database).await.unwrap(), 2);
    assert_eq!(copying.tables().await, expected);
    assert_eq!(backfill::run::<Boundaries>(database).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_has_nothing_to_fill() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let connection = database.connect(ConnectionRole::Worker).await;
    assert!(queue::list(&connection).await.unwrap().is_empty());
}
