//! Background jobs.
//!
//! [`registry`](mod@registry) maps each kind to its handler, and there is one file per kind: `sync`, `push`, `datum`, [`cleanup`],
//! [`boundary`] and [`backfill`]; `webhook` has its own registry, because deliveries have their own limit. [`runner`] claims what is due and holds the leases. [`pause`] decides when a provider is not polled. The queue itself is `entity::job`; `schedule` and the API enqueue.

pub mod backfill;
pub mod boundary;
pub mod cleanup;
mod context;
mod datum;
pub mod lease;
mod outcome;
pub mod pause;
mod push;
pub mod registry;
pub mod runner;
pub(crate) mod span;
mod sync;
mod webhook;

use entity::job::{DatumJob, PushJob, SyncJob, WebhookJob, WebhookTestJob};

use self::{backfill::BackfillJob, boundary::BoundaryJob, cleanup::CleanupJob, registry::Registry};
pub use self::{context::JobContext, outcome::JobOutcome};
use crate::{
    backfill::{boundaries::Boundaries, listings::Listings, names::Names, totals::Totals},
    webhooks::DeliveryContext,
};

/// The kinds of jobs that deliver webhooks.
#[must_use]
pub fn delivery_registry() -> Registry<DeliveryContext> {
    Registry::default().with::<WebhookJob>().with::<WebhookTestJob>()
}

/// All other kinds of jobs of a worker.
#[must_use]
pub fn registry() -> Registry<JobContext> {
    Registry::default()
        .with::<SyncJob>()
        .with::<PushJob>()
        .with::<DatumJob>()
        .with::<CleanupJob>()
        .with::<BoundaryJob>()
        .with::<BackfillJob<Boundaries>>()
        .with::<BackfillJob<Listings>>()
        .with::<BackfillJob<Names>>()
        .with::<BackfillJob<Totals>>()
}
