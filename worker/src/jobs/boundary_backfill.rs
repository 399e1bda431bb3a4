//! The kind `boundary_backfill`: sets the next boundary of events that an earlier release wrote. The migration that added the column
//! enqueues the only job.

use entity::job::{Claim, JobKind};
use serde::{Deserialize, Serialize};

use super::{context::JobContext, outcome::JobOutcome, registry::Handler};
use crate::boundary::backfill;

/// Sets the columns of all events. It begins again if it is interrupted, and skips what is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundaryBackfillJob {}

impl JobKind for BoundaryBackfillJob {
    const KIND: &'static str = "boundary_backfill";
    const MAX_ATTEMPTS: i32 = 10;

    fn key(&self) -> String {
        Self::KIND.to_owned()
    }

    fn lane(&self) -> String {
        Self::KIND.to_owned()
    }
}

impl Handler<JobContext> for BoundaryBackfillJob {
    async fn run(self, context: &JobContext, _: &Claim) -> JobOutcome {
        match backfill::fill(&context.database).await {
            Ok(events) => {
                tracing::info!(events.count = events, "sale periods of events of an earlier release set");
                JobOutcome::Done
            }
            Err(error) => JobOutcome::database_failed(&error),
        }
    }
}
