//! Background jobs.
//!
//! [`registry`](mod@registry) maps each kind to its handler, and there is one file per kind: `sync`, `push`, `datum`, [`cleanup`],
//! [`boundary`], [`boundary_backfill`], [`listing_backfill`] and [`name_backfill`]. [`runner`] claims what is due and holds the leases.
//! [`pause`] decides when a provider is not polled. The queue itself is `entity::job`; `schedule` and the API enqueue.

pub mod boundary;
pub mod boundary_backfill;
pub mod cleanup;
mod context;
mod datum;
pub mod lease;
pub mod listing_backfill;
pub mod name_backfill;
mod outcome;
pub mod pause;
mod push;
pub mod registry;
pub mod runner;
pub(crate) mod span;
mod sync;

use entity::job::{DatumJob, PushJob, SyncJob};

use self::{
    boundary::BoundaryJob, boundary_backfill::BoundaryBackfillJob, cleanup::CleanupJob, listing_backfill::ListingBackfillJob,
    name_backfill::NameBackfillJob, registry::Registry,
};
pub use self::{context::JobContext, outcome::JobOutcome};

/// All kinds of jobs of a worker.
#[must_use]
pub fn registry() -> Registry<JobContext> {
    Registry::default()
        .with::<SyncJob>()
        .with::<PushJob>()
        .with::<DatumJob>()
        .with::<CleanupJob>()
        .with::<BoundaryJob>()
        .with::<BoundaryBackfillJob>()
        .with::<ListingBackfillJob>()
        .with::<NameBackfillJob>()
}
