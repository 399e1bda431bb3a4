//! `job`: durable background work that is queued, running under a lease, or dead.
//!
//! The table is the queue, and [`queue`] has its operations. A job is deleted in the transaction of its work, so the table holds
//! only what is left to do. [`kind`](JobKind) describes payloads; their handlers are in the worker.

mod backoff;
mod claim;
mod kind;
pub mod queue;
pub mod survey;

use sea_orm::entity::prelude::*;

pub use self::{
    backoff::backoff,
    claim::{Backlog, Claim, LeaseRenewal, RetryOutcome},
    kind::{DatumJob, JobKind, PushJob, SyncJob, WebhookJob, WebhookTestJob},
};
use crate::UtcInstant;

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum JobState {
    /// Waits until it is due and its lane is free.
    #[sea_orm(string_value = "queued")]
    Queued,
    /// Leased by a worker, or by one that died.
    #[sea_orm(string_value = "running")]
    Running,
    /// All attempts failed. It stays for the operator.
    #[sea_orm(string_value = "dead")]
    Dead,
}

impl JobState {
    /// The name in tables and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Dead => "dead",
        }
    }
}

/// One job.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    /// Ascending, never reused.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The [`JobKind::KIND`] of the payload.
    pub kind: String,
    /// The [`JobKind::key`] of the payload.
    #[sea_orm(unique)]
    pub key: String,
    /// The [`JobKind::lane`] of the payload: one job of a lane runs at a time.
    pub lane: String,
    /// The payload as JSON.
    pub payload: String,
    /// The state.
    pub state: JobState,
    /// When it is due.
    pub run_at: UtcInstant,
    /// Attempts that have started.
    pub attempt: i32,
    /// Attempts before it is dead.
    pub max_attempts: i32,
    /// Incremented with each claim. A worker with an older epoch has lost the job.
    pub epoch: i64,
    /// The worker that holds the lease.
    pub worker: Option<String>,
    /// When the lease expires, by the database's clock.
    pub lease_until: Option<UtcInstant>,
    /// Why the last attempt failed.
    pub reason: Option<String>,
    /// When it was enqueued.
    pub created_at: UtcInstant,
    /// When the queue last changed it, by the database's clock. An instant in the future means that the clock was set back. `None`
    /// for jobs of the previous release.
    pub changed_at: Option<UtcInstant>,
    /// Whether it waits for all earlier ordered jobs of its lane.
    pub in_order: bool,
}

impl ActiveModelBehavior for ActiveModel {}
