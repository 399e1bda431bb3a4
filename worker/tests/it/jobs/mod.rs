//! Background jobs: the guarantees of the queue, the runner, the registry of kinds, and the handling of ticks.

mod cleanup;
mod clocks;
mod leases;
mod queue;
mod registry;
mod running;
mod syncs;
mod ticks;

use std::time::Duration;

use entity::job::{self, Claim, JobKind, queue as jobs};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, Statement};
use serde::{Deserialize, Serialize};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// A job that does what its test needs.
#[derive(Serialize, Deserialize)]
struct TestJob {
    key: String,
    lane: String,
}

impl TestJob {
    fn new(key: &str, lane: &str) -> Self {
        Self { key: key.to_owned(), lane: lane.to_owned() }
    }
}

impl JobKind for TestJob {
    const KIND: &'static str = "test";
    const MAX_ATTEMPTS: i32 = 3;

    fn key(&self) -> String {
        self.key.clone()
    }

    fn lane(&self) -> String {
        self.lane.clone()
    }
}

async fn enqueue(database: &DatabaseConnection, key: &str, lane: &str) -> i64 {
    jobs::enqueue(database, &TestJob::new(key, lane)).await.unwrap().expect("a new key")
}

async fn claim_next(database: &DatabaseConnection, worker: &str) -> Option<Claim> {
    jobs::claim(database, &[TestJob::KIND], worker, LONG).await.unwrap()
}

async fn find_job(database: &DatabaseConnection, id: i64) -> Option<job::Model> {
    job::Entity::find_by_id(id).one(database).await.unwrap()
}

/// Makes the lease of a job expire.
async fn expire(database: &DatabaseConnection, id: i64) {
    update(database, id, "lease_until = 1").await;
}

async fn update(database: &DatabaseConnection, id: i64, assignment: &str) {
    let sql = format!("UPDATE job SET {assignment} WHERE id = {id}");
    database.execute_raw(Statement::from_string(database.get_database_backend(), sql)).await.unwrap();
}
