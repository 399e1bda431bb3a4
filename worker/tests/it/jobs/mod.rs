//! Durable jobs: what the queue promises, who runs what is in it, and what ticks make of it.

mod leases;
mod old_data;
mod queue;
mod running;
mod ticks;

use std::time::Duration;

use entity::job::{self, Claim, NewJob, queue as jobs};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, Statement};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);
const KIND: &str = "probe";

/// A job that is due now.
fn new_job(key: &str, lane: &str) -> NewJob {
    NewJob {
        kind: KIND.to_owned(),
        key: key.to_owned(),
        lane: lane.to_owned(),
        payload: "{}".to_owned(),
        run_at: None,
        max_attempts: 3,
        in_order: false,
    }
}

async fn enqueued(database: &DatabaseConnection, key: &str, lane: &str) -> i64 {
    jobs::enqueue(database, new_job(key, lane)).await.unwrap().expect("a new key")
}

async fn claimed(database: &DatabaseConnection, worker: &str) -> Option<Claim> {
    jobs::claim(database, &[KIND], worker, LONG).await.unwrap()
}

async fn job(database: &DatabaseConnection, id: i64) -> Option<job::Model> {
    job::Entity::find_by_id(id).one(database).await.unwrap()
}

/// Lets the lease of a job end, as time would.
async fn expire(database: &DatabaseConnection, id: i64) {
    set(database, id, "lease_until = 1").await;
}

async fn set(database: &DatabaseConnection, id: i64, assignment: &str) {
    let sql = format!("UPDATE job SET {assignment} WHERE id = {id}");
    database.execute_raw(Statement::from_string(database.get_database_backend(), sql)).await.unwrap();
}
