//! The kind `boundary`: writes what time has changed.

use std::collections::BTreeSet;

use entity::{
    UtcInstant, deadline,
    job::{Claim, JobKind, queue},
};
use sea_orm::{DatabaseConnection, DbErr};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{context::JobContext, outcome::JobOutcome, registry::Handler};
use crate::{boundary, database::WRITE_PAUSE};

/// Handles the boundaries that have passed. One job at a time is enough for the whole deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundaryJob {
    /// In microseconds. It distinguishes the job from that of an earlier tick, which may be running or dead.
    tick: i64,
}

impl JobKind for BoundaryJob {
    const KIND: &'static str = "boundary";
    // So that it is not dead because its worker was killed.
    const MAX_ATTEMPTS: i32 = 5;

    fn key(&self) -> String {
        format!("{}/{}", Self::KIND, self.tick)
    }

    fn lane(&self) -> String {
        Self::KIND.to_owned()
    }
}

impl BoundaryJob {
    /// Enqueues the job of a tick, if a boundary has passed and no job is waiting.
    ///
    /// # Errors
    ///
    /// When the database is unavailable.
    pub async fn enqueue_if_due(database: &DatabaseConnection, tick: UtcInstant) -> Result<Option<i64>, DbErr> {
        let job = Self { tick: tick.0 };
        if boundary::find_lag(database).await?.is_none() || queue::find_queued::<Self>(database, &job.lane()).await?.is_some() {
            return Ok(None);
        }
        queue::enqueue(database, &job).await
    }
}

impl Handler<JobContext> for BoundaryJob {
    async fn run(self, context: &JobContext, _: &Claim) -> JobOutcome {
        let database = &context.database;
        let mut busy = BTreeSet::new();
        loop {
            let handling = boundary::handle_batch(database, &mut busy);
            match deadline::within(deadline::BULK, database, handling).await {
                Ok(true) => sleep(WRITE_PAUSE).await,
                Ok(false) => return JobOutcome::Done,
                Err(error) => return JobOutcome::database_failed(&error),
            }
        }
    }
}
