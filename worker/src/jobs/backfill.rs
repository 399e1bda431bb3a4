//! The kinds `boundary_backfill`, `words_backfill`, `name_backfill` and `totals_backfill`: each writes the values that a migration added.

use std::marker::PhantomData;

use entity::job::{self, Claim, JobKind, JobState, queue};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};

use super::{context::JobContext, outcome::JobOutcome, registry::Handler};
use crate::backfill::{
    self, Backfill,
    totals::{self, Totals},
};

/// Writes all values of `B`. It begins again if it is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct BackfillJob<B> {
    #[serde(skip)]
    values: PhantomData<B>,
}

impl BackfillJob<Totals> {
    /// Enqueues the job, if totals are not valid; also after it has failed too often.
    ///
    /// # Errors
    ///
    /// When the database is unavailable.
    pub async fn enqueue_if_due(database: &DatabaseConnection) -> Result<Option<i64>, DbErr> {
        if totals::find_invalid(database).await?.is_empty() {
            return Ok(None);
        }
        if let Some(id) = queue::enqueue(database, &Self { values: PhantomData }).await? {
            return Ok(Some(id));
        }
        let dead = job::Entity::find().filter(job::COLUMN.kind.eq(Self::KIND)).filter(job::COLUMN.state.eq(JobState::Dead));
        let Some(dead) = dead.one(database).await? else { return Ok(None) };
        Ok(queue::revive_dead(database, dead.id).await?.then_some(dead.id))
    }
}

impl<B: Backfill> JobKind for BackfillJob<B> {
    const KIND: &'static str = B::KIND;
    const PREVIOUS_KINDS: &'static [&'static str] = B::PREVIOUS_KINDS;
    const MAX_ATTEMPTS: i32 = 10;

    fn key(&self) -> String {
        Self::KIND.to_owned()
    }

    fn lane(&self) -> String {
        Self::KIND.to_owned()
    }
}

impl<B: Backfill> Handler<JobContext> for BackfillJob<B> {
    async fn run(self, context: &JobContext, _: &Claim) -> JobOutcome {
        match backfill::run::<B>(&context.database).await {
            Ok(items) => {
                tracing::info!(job.kind = B::KIND, items.count = items, "values that an earlier release lacks written");
                JobOutcome::Done
            }
            Err(error) => JobOutcome::database_failed(&error),
        }
    }
}
