//! The kind `cleanup`: deletes rows after their retention period.

use std::time::Duration;

use entity::{
    UtcInstant, begin_write,
    change::ChangeKind,
    change_retention, database_now, datum, deadline,
    job::{Claim, JobKind},
    pushed_feed, release, webhook,
};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};

use super::{context::JobContext, outcome::JobOutcome, registry::Handler};

/// How long data of the probe, idempotency keys of pushed feeds and releases are retained: no client repeats a push after a week, and no
/// process remembers older releases.
pub const RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Changes that one transaction removes: it holds the write lock of SQLite for a fraction of a second.
const CHANGES_PER_TRANSACTION: u64 = 2_000;

/// Deletes expired rows. One job at each tick is enough for the whole deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupJob {
    /// In microseconds. It distinguishes the job from that of an earlier tick, which may be dead; the previous release did not store it.
    #[serde(default)]
    tick: i64,
}

impl CleanupJob {
    /// The job of a tick.
    #[must_use]
    pub fn new(tick: UtcInstant) -> Self {
        Self { tick: tick.0 }
    }
}

impl JobKind for CleanupJob {
    const KIND: &'static str = "cleanup";
    const PREVIOUS_KINDS: &'static [&'static str] = &["tidy"];
    // The next tick is the retry.
    const MAX_ATTEMPTS: i32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", Self::KIND, self.tick)
    }

    fn lane(&self) -> String {
        Self::KIND.to_owned()
    }
}

impl Handler<JobContext> for CleanupJob {
    async fn run(self, context: &JobContext, _: &Claim) -> JobOutcome {
        match deadline::within(deadline::BULK, &context.database, delete_expired(&context.database)).await {
            Ok(rows) => {
                tracing::debug!(cleanup.rows = rows, "expired rows deleted");
                JobOutcome::Done
            }
            Err(error) => JobOutcome::database_failed(&error),
        }
    }
}

/// Deletes rows older than [`RETENTION`], changes older than the retention of their kind, and what webhooks need no longer. Returns how many.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete_expired(database: &DatabaseConnection) -> Result<u64, DbErr> {
    let now = database_now(database).await?;
    let oldest = now - RETENTION;
    let data = datum::Entity::delete_many().filter(datum::Column::AcceptedAt.lt(oldest)).exec(database).await?;
    let pushed = pushed_feed::Entity::delete_many().filter(pushed_feed::Column::SettledAt.lt(oldest)).exec(database).await?;
    let releases = release::Entity::delete_many().filter(release::Column::RaisedAt.lt(oldest)).exec(database).await?;
    let mut changes = 0;
    for kind in ChangeKind::ALL {
        changes += delete_expired_changes(database, kind, now - kind.retention()).await?;
    }
    let webhooks = webhook::delete_expired(database, now).await?;
    Ok(data.rows_affected + pushed.rows_affected + releases.rows_affected + changes + webhooks)
}

/// Each step is committed, so that a job that is interrupted has made progress.
async fn delete_expired_changes(database: &DatabaseConnection, kind: ChangeKind, oldest: UtcInstant) -> Result<u64, DbErr> {
    let mut deleted = 0;
    loop {
        let transaction = begin_write(database).await?;
        let removed = change_retention::remove_oldest(&transaction, kind, oldest, CHANGES_PER_TRANSACTION).await?;
        transaction.commit().await?;
        deleted += removed;
        if removed < CHANGES_PER_TRANSACTION {
            return Ok(deleted);
        }
    }
}
