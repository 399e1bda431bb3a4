//! A worker that is killed during a write leaves nothing partial, and the next run completes the copy.

use std::{
    process::Child,
    sync::Arc,
    time::{Duration, Instant},
};

use entity::{ConnectionRole, catalogue_version, event, sync_run, zone};
use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, Statement, TransactionTrait};

use crate::{
    deployment::{Deployment, SLUG},
    wait::eventually,
};

/// How long the worker may take to reach its write on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
/// Short compared with the write, and a pause that leaves the processor to the worker.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

#[derive(Debug, PartialEq, Eq)]
struct CopyCounts {
    version: i64,
    events: u64,
    zones: u64,
}

async fn count_copy(database: &DatabaseConnection) -> CopyCounts {
    CopyCounts {
        version: catalogue_version::fetch_version(database).await.unwrap(),
        events: event::Entity::find().count(database).await.unwrap(),
        zones: zone::Entity::find().count(database).await.unwrap(),
    }
}

fn kill_running(mut worker: Child) {
    assert!(worker.try_wait().unwrap().is_none(), "the worker exited before it was killed");
    worker.kill().unwrap();
    worker.wait().unwrap();
}

async fn assert_nothing_written_then_complete(deployment: &Deployment, reader: &DatabaseConnection, events: u64) {
    assert_eq!(count_copy(reader).await, CopyCounts { version: 0, events: 0, zones: 0 }, "the killed worker left rows behind");
    let runs = sync_run::Entity::find().all(reader).await.unwrap();
    let states: Vec<_> = runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [sync_run::RunState::Running], "the ledger contains the attempt");

    assert!(deployment.sync(), "the next run succeeds");
    let copy = count_copy(reader).await;
    assert_eq!((copy.version, copy.events), (1, events));
    assert!(copy.zones > events);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_during_a_write_on_postgres() {
    let database = Arc::new(TestDatabase::migrated(Backend::Postgres).await);
    let deployment = Deployment::new(database, SimCatalogue::default()).await;
    let reader = deployment.database.connect(ConnectionRole::Api).await;

    // The worker writes events, then zones: a lock on the zones stops it between the two.
    let blocker = deployment.database.connect(ConnectionRole::Worker).await;
    let lock = blocker.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE zone IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let worker = deployment.worker_command(&["sync", SLUG]).spawn().unwrap();
    let waiting = "SELECT 1 FROM pg_locks WHERE relation = 'zone'::regclass AND NOT granted";
    eventually("the worker reaches the zones", async || {
        reader.query_one_raw(Statement::from_string(reader.get_database_backend(), waiting)).await.unwrap()
    })
    .await;
    kill_running(worker);
    lock.rollback().await.unwrap();

    assert_nothing_written_then_complete(&deployment, &reader, SimCatalogue::default().events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_during_a_write_on_sqlite() {
    // Larger than the page cache of SQLite, so that pages of the open transaction reach the write-ahead log.
    let catalogue = SimCatalogue { events: 20_000, ..SimCatalogue::default() };
    let deployment = Deployment::new(Arc::new(TestDatabase::migrated(Backend::Sqlite).await), catalogue).await;
    let reader = deployment.database.connect(ConnectionRole::Api).await;
    let url = deployment.database.settings.url.expose();
    let file = url.trim_start_matches("sqlite://").split('?').next().unwrap();
    let log_bytes = || std::fs::metadata(format!("{file}-wal")).map_or(0, |log| log.len());

    let before = log_bytes();
    let worker = deployment.worker_command(&["sync", SLUG]).spawn().unwrap();
    let started = Instant::now();
    while log_bytes() < before + 1_000_000 {
        assert!(started.elapsed() < PATIENCE, "the worker did not write");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    kill_running(worker);

    assert_nothing_written_then_complete(&deployment, &reader, catalogue.events).await;
}
