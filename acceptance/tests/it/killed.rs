//! A worker that is killed in the middle of a write leaves nothing half done, and the next run makes it whole.

use std::{
    process::Child,
    sync::Arc,
    time::{Duration, Instant},
};

use entity::{ConnectionRole, catalogue_version, event, sync_run, zone};
use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, TransactionTrait};

use crate::house::{House, SLUG};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq, Eq)]
struct Copy {
    version: i64,
    events: u64,
    zones: u64,
}

async fn copy(database: &DatabaseConnection) -> Copy {
    Copy {
        version: catalogue_version::fetch_version(database).await.unwrap(),
        events: event::Entity::find().count(database).await.unwrap(),
        zones: zone::Entity::find().count(database).await.unwrap(),
    }
}

/// Kills the worker, as the kernel or an impatient operator would, and makes sure that it had not ended by itself.
fn kill(mut worker: Child) {
    assert!(worker.try_wait().unwrap().is_none(), "the worker ended before it could be killed");
    worker.kill().unwrap();
    worker.wait().unwrap();
}

async fn assert_nothing_half_done_then_whole(house: &House, reader: &DatabaseConnection, events: u64) {
    assert_eq!(copy(reader).await, Copy { version: 0, events: 0, zones: 0 }, "a killed worker left something behind");
    let runs = sync_run::Entity::find().all(reader).await.unwrap();
    assert_eq!(
        runs.iter().map(|run| run.state).collect::<Vec<_>>(),
        [sync_run::RunState::Running],
        "the ledger shows the attempt"
    );

    assert!(house.sync(), "the next run goes well");
    let whole = copy(reader).await;
    assert_eq!((whole.version, whole.events), (1, events));
    assert!(whole.zones > events);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_write_on_postgres() {
    let house = House::new(Arc::new(TestDatabase::migrated(Backend::Postgres).await), SimCatalogue::default()).await;
    let reader = house.database.connect(ConnectionRole::Api).await;

    // The worker writes events, then zones: a lock on the zones holds it fast between the two.
    let blocker = house.database.connect(ConnectionRole::Worker).await;
    let lock = blocker.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE zone IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let worker = house.worker(&["sync", SLUG]).spawn().unwrap();
    let waiting = "SELECT 1 FROM pg_locks WHERE relation = 'zone'::regclass AND NOT granted";
    let started = Instant::now();
    while reader.query_one_raw(sea_orm::Statement::from_string(reader.get_database_backend(), waiting)).await.unwrap().is_none() {
        assert!(started.elapsed() < PATIENCE, "the worker never came to its zones");
        tokio::task::yield_now().await;
    }
    kill(worker);
    lock.rollback().await.unwrap();

    assert_nothing_half_done_then_whole(&house, &reader, SimCatalogue::default().events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_write_on_sqlite() {
    // Large enough to outgrow SQLite's page cache, so that pages of the open transaction reach the write-ahead log.
    let catalogue = SimCatalogue { events: 20_000, ..SimCatalogue::default() };
    let house = House::new(Arc::new(TestDatabase::migrated(Backend::Sqlite).await), catalogue).await;
    let reader = house.database.connect(ConnectionRole::Api).await;
    let url = house.database.settings.url.expose();
    let file = url.trim_start_matches("sqlite://").split('?').next().unwrap();
    let log_bytes = || std::fs::metadata(format!("{file}-wal")).map_or(0, |log| log.len());

    let before = log_bytes();
    let worker = house.worker(&["sync", SLUG]).spawn().unwrap();
    let started = Instant::now();
    while log_bytes() < before + 1_000_000 {
        assert!(started.elapsed() < PATIENCE, "the worker never wrote");
        tokio::task::yield_now().await;
    }
    kill(worker);

    assert_nothing_half_done_then_whole(&house, &reader, catalogue.events).await;
}
