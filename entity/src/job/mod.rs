//! `job`: one unit of durable background work that waits, is under way under a lease, or has been given up.
//!
//! The table is the queue; [`queue`] is what can be done with it. What a job means stands in the worker. A job that is done is
//! deleted together with what it did, so the table is as long as what is left to do.

mod backoff;
pub mod queue;

use sea_orm::entity::prelude::*;

pub use self::{
    backoff::backoff,
    queue::{Backlog, Claim, LeaseRenewal, NewJob, RetryOutcome},
};
use crate::UtcInstant;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum JobState {
    /// Waits for its time or for its lane.
    #[sea_orm(string_value = "queued")]
    Queued,
    /// A worker holds its lease, or held it when it died.
    #[sea_orm(string_value = "running")]
    Running,
    /// All its attempts failed; it is kept for the operator.
    #[sea_orm(string_value = "dead")]
    Dead,
}

impl JobState {
    /// The state's name in tables and logs.
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
    /// Rises with each job.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What is to be done, a key of the worker's handlers.
    pub kind: String,
    /// What it stands for: no second job has the same.
    #[sea_orm(unique)]
    pub key: String,
    /// Of the jobs of a lane one runs at a time.
    pub lane: String,
    /// What the handler wants to know, JSON.
    pub payload: String,
    /// Where it stands.
    pub state: JobState,
    /// When it is due.
    pub run_at: UtcInstant,
    /// Attempts that have begun.
    pub attempt: i32,
    /// Attempts that may begin.
    pub max_attempts: i32,
    /// Rises with each claim: whoever comes with an older one has lost the job.
    pub epoch: i64,
    /// Who holds its lease.
    pub worker: Option<String>,
    /// Until when, by the database's clock.
    pub lease_until: Option<UtcInstant>,
    /// Why the last attempt failed.
    pub reason: Option<String>,
    /// When it was enqueued.
    pub created_at: UtcInstant,
    /// Whether it must wait for all earlier jobs of its lane that must be done in order, too.
    pub in_order: bool,
}

impl ActiveModelBehavior for ActiveModel {}
