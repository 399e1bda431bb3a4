//! The outcome of one attempt of a job, and the pause before the next one.

use std::time::Duration;

use entity::job::{Claim, backoff};
use sea_orm::DbErr;

/// The longest pause before the first retry after an error of our own.
const BASE_DELAY: Duration = Duration::from_secs(1);
/// The longest pause before the first retry after an error of a provider: about as long as a restart takes.
const PROVIDER_BASE_DELAY: Duration = Duration::from_secs(5);
/// The longest pause before any retry.
const MAX_DELAY: Duration = Duration::from_secs(300);

/// The outcome of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// The job was removed in the transaction of its work, or another worker holds it.
    Committed,
    /// Nothing is left to do; the job has yet to be removed.
    Done,
    /// An error of our own. The job is retried with growing pauses.
    Failed {
        /// Why.
        reason: String,
    },
    /// The job is retried after a pause.
    RetryAfter {
        /// The pause.
        delay: Duration,
        /// Why.
        reason: String,
    },
}

impl JobOutcome {
    /// A failure of the database. Its message is only logged, because it may contain addresses.
    pub(super) fn database_failed(error: &DbErr) -> Self {
        tracing::warn!(error = telemetry::with_causes(error), "database unavailable");
        Self::Failed { reason: "the database could not be read or written".to_owned() }
    }
}

/// The pause before a job is retried after an error of our own.
pub(super) fn retry_delay(claim: &Claim) -> Duration {
    jittered_delay(BASE_DELAY, claim)
}

/// The pause before a job is retried after an error of a provider.
pub(super) fn provider_retry_delay(claim: &Claim) -> Duration {
    jittered_delay(PROVIDER_BASE_DELAY, claim)
}

fn jittered_delay(base: Duration, claim: &Claim) -> Duration {
    backoff(base, MAX_DELAY, u32::try_from(claim.attempt).unwrap_or(1), fastrand::f64())
}
