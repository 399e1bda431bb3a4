//! The kind `name_backfill`: writes the parts of the names of performers and venues that an earlier release wrote. The migration that
//! created the table enqueues the only job.

use entity::job::{Claim, JobKind};
use serde::{Deserialize, Serialize};

use super::{context::JobContext, outcome::JobOutcome, registry::Handler};
use crate::name_backfill;

/// Writes all parts of names. It begins again if it is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameBackfillJob {}

impl JobKind for NameBackfillJob {
    const KIND: &'static str = "name_backfill";
    const MAX_ATTEMPTS: i32 = 10;

    fn key(&self) -> String {
        Self::KIND.to_owned()
    }

    fn lane(&self) -> String {
        Self::KIND.to_owned()
    }
}

impl Handler<JobContext> for NameBackfillJob {
    async fn run(self, context: &JobContext, _: &Claim) -> JobOutcome {
        match name_backfill::fill(&context.database).await {
            Ok(names) => {
                tracing::info!(names.count = names, "words of names of an earlier release written");
                JobOutcome::Done
            }
            Err(error) => JobOutcome::database_failed(&error),
        }
    }
}
