//! The kind `words_backfill`: writes the listings and the words of events that an earlier release wrote. The migrations that created their
//! tables enqueue one job each.

use entity::job::{Claim, JobKind};
use serde::{Deserialize, Serialize};

use super::{context::JobContext, outcome::JobOutcome, registry::Handler};
use crate::listing_backfill;

/// Writes all listings. It begins again if it is interrupted, and skips what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingBackfillJob {}

impl JobKind for ListingBackfillJob {
    const KIND: &'static str = "words_backfill";
    const PREVIOUS_KINDS: &'static [&'static str] = &["listing_backfill"];
    const MAX_ATTEMPTS: i32 = 10;

    fn key(&self) -> String {
        Self::KIND.to_owned()
    }

    fn lane(&self) -> String {
        Self::KIND.to_owned()
    }
}

impl Handler<JobContext> for ListingBackfillJob {
    async fn run(self, context: &JobContext, _: &Claim) -> JobOutcome {
        match listing_backfill::fill(&context.database).await {
            Ok(base_events) => {
                tracing::info!(base_events.count = base_events, "listings and words of events of an earlier release written");
                JobOutcome::Done
            }
            Err(error) => JobOutcome::database_failed(&error),
        }
    }
}
