//! What the queue's operations return.

use std::time::Duration;

use super::Model;

/// A job that this worker holds until another worker claims it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub id: i64,
    /// The kind.
    pub kind: String,
    /// The lane.
    pub lane: String,
    /// The payload as JSON.
    pub payload: String,
    /// The number of this attempt, from 1.
    pub attempt: i32,
    /// The fencing token.
    pub epoch: i64,
}

impl From<Model> for Claim {
    fn from(Model { id, kind, lane, payload, attempt, epoch, .. }: Model) -> Self {
        Self { id, kind, lane, payload, attempt, epoch }
    }
}

/// The outcome of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOutcome {
    /// The job waits for its next attempt.
    Queued,
    /// It was the last attempt.
    Dead,
    /// Another worker holds the job.
    Lost,
}

/// The outcome of renewing a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseRenewal {
    /// The lease is held.
    Held,
    /// The lease was lost: another worker holds the job, or it is queued.
    Taken,
    /// The job is finished.
    Gone,
}

/// The length of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Queued jobs.
    pub queued: u64,
    /// Running jobs.
    pub running: u64,
    /// Dead jobs.
    pub dead: u64,
    /// How long the oldest due job has waited.
    pub oldest_due: Option<Duration>,
}
