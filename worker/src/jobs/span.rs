//! The tracing span of a job.

use entity::job::Claim;
use tracing::{Span, field::Empty};

/// The span of an attempt: its fields are on every log line. `provider.slug` and `sync_run.id` are recorded once they are known.
pub(crate) fn job_span(claim: &Claim) -> Span {
    tracing::info_span!(
        "job",
        job.id = claim.id,
        job.kind = claim.kind,
        job.attempt = claim.attempt,
        provider.slug = Empty,
        sync_run.id = Empty
    )
}
