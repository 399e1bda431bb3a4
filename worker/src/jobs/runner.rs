//! Does the jobs that are due, several at a time, each under a lease that is kept alive.
//!
//! It knows nothing of what a job does ([`Work`] does), and trusts nothing to have been done that the work did not commit itself.

use std::{future::Future, sync::Arc, time::Duration};

use entity::job::{self, Claim, RetryOutcome, backoff};
use sea_orm::{DatabaseConnection, DbErr};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::JoinError,
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use super::lease::{until_lost, worker_name};

/// Jobs of a process that are under way: nearly all of their time they wait for a provider, which costs a socket and no connection
/// of the pool, so that one that hangs must not keep the others waiting; reading and writing have a narrower bound in `sync`.
const SLOTS: usize = 32;
/// How often to look for a job that another process enqueued: half of a second is the resolution of the schedules, too.
const POLL_PAUSE: Duration = Duration::from_millis(500);
/// How long to wait for a database that is away before asking again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// How long jobs that are under way may take to end once the process was told to stop: platforms kill after 30 seconds by default.
const DRAIN_TIME: Duration = Duration::from_secs(25);
/// How long the first retry of a job that met a fault of ours waits at most.
const BACKOFF_BASE: Duration = Duration::from_secs(1);
/// No retry waits for longer.
pub(super) const BACKOFF_CEILING: Duration = Duration::from_secs(300);

/// What became of a job's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The job was ended together with the work, or is another worker's.
    Settled,
    /// Nothing is left to do, and the job is still there.
    Done,
    /// Ours to mend: tried again, later each time.
    Failed {
        /// Why.
        reason: String,
    },
    /// To be tried again after this time.
    Wait {
        /// The time.
        delay: Duration,
        /// Why.
        reason: String,
    },
}

/// What jobs mean.
pub trait Work: Send + Sync + 'static {
    /// The kinds of jobs that it can do.
    fn kinds(&self) -> &'static [&'static str];

    /// Does one. It may be dropped at any moment, and the same job be done again.
    fn perform(&self, claim: &Claim) -> impl Future<Output = Ended> + Send;
}

/// The jobs of a process.
#[derive(Debug)]
pub struct Runner<W> {
    shared: Arc<Shared<W>>,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Shared<W> {
    database: DatabaseConnection,
    work: W,
    worker: String,
    lease: Duration,
    wake: Arc<Notify>,
    /// Cancelled when nothing new is to be begun.
    closing: CancellationToken,
    /// Cancelled when the drain time is over.
    stop: CancellationToken,
}

impl<W: Work> Runner<W> {
    /// `wake` tells it that something may be due now.
    #[must_use]
    pub fn new(database: DatabaseConnection, work: W, lease: Duration, wake: Arc<Notify>) -> Self {
        let (closing, stop) = (CancellationToken::new(), CancellationToken::new());
        let shared = Shared { database, work, worker: worker_name(), lease, wake, closing, stop };
        Self { shared: Arc::new(shared), slots: Arc::new(Semaphore::new(SLOTS)), tasks: TaskTracker::new() }
    }

    /// Does jobs until `shutdown` is cancelled, then waits for those under way. What does not end within the drain time is given
    /// back. Answers whether nothing had to be.
    pub async fn run(self, shutdown: &CancellationToken) -> bool {
        self.run_and_drain_for(DRAIN_TIME, shutdown).await
    }

    /// The same with another drain time.
    pub async fn run_and_drain_for(self, drain_time: Duration, shutdown: &CancellationToken) -> bool {
        shutdown.run_until_cancelled(self.claim_all()).await;
        self.shared.closing.cancel();
        self.tasks.close();
        let drained = tokio::time::timeout(drain_time, self.tasks.wait()).await.is_ok();
        if !drained {
            tracing::warn!(jobs = self.tasks.len(), "jobs did not end within the drain time; they are given back");
            self.shared.stop.cancel();
            self.tasks.wait().await;
        }
        drained
    }

    /// Puts what is due into slots.
    async fn claim_all(&self) {
        let mut is_away = false;
        loop {
            let Ok(slot) = self.slots.clone().acquire_owned().await else { return };
            // In a task of its own: a claim that is broken off may have been granted.
            let claiming = self.tasks.spawn(claim(self.shared.clone(), slot, self.tasks.clone()));
            match claiming.await {
                Ok(Ok(true)) => is_away = false,
                Ok(Ok(false)) => {
                    is_away = false;
                    let pause = POLL_PAUSE.mul_f64(0.9 + 0.2 * fastrand::f64());
                    tokio::select! {
                        () = self.shared.wake.notified() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                }
                Ok(Err(error)) => {
                    if !is_away {
                        tracing::warn!(
                            error = telemetry::with_causes(&error),
                            "no job can be claimed; asking again until one can"
                        );
                        is_away = true;
                    }
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
                Err(panic) => tracing::error!(error = telemetry::with_causes(&panic), "claiming jobs has a fault"),
            }
        }
    }
}

/// Claims a job and lets it be done in the slot; `false` if nothing is due.
async fn claim<W: Work>(shared: Arc<Shared<W>>, slot: OwnedSemaphorePermit, tasks: TaskTracker) -> Result<bool, DbErr> {
    let claim = job::queue::claim(&shared.database, shared.work.kinds(), &shared.worker, shared.lease).await?;
    let Some(claim) = claim else { return Ok(false) };
    if shared.closing.is_cancelled() {
        job::queue::give_back(&shared.database, &claim).await?;
        return Ok(false);
    }
    tasks.spawn(async move {
        carry_out(&shared, &claim).await;
        drop(slot);
        // Its lane is free now.
        shared.wake.notify_one();
    });
    Ok(true)
}

/// Does a job until it ends, its lease is lost, or the process ends.
async fn carry_out<W: Work>(shared: &Arc<Shared<W>>, claim: &Claim) {
    tracing::debug!(job.id = claim.id, job.lane = claim.lane, job.attempt = claim.attempt, "job begins");
    // In a task of its own, so that a panic ends nothing but this attempt.
    let working = {
        let (shared, claim) = (shared.clone(), claim.clone());
        tokio::spawn(async move { shared.work.perform(&claim).await })
    };
    let mut working = AbortOnDropHandle::new(working);
    tokio::select! {
        ended = &mut working => settle(shared, claim, ended).await,
        () = until_lost(&shared.database, claim, shared.lease) => {
            tracing::warn!(job.id = claim.id, job.lane = claim.lane, reason = "lease_lost", "another worker has the job; its work is stopped here");
        }
        () = shared.stop.cancelled() => {
            working.abort();
            match working.await {
                Err(error) if error.is_cancelled() => give_back(shared, claim).await,
                ended => settle(shared, claim, ended).await,
            }
        }
    }
}

/// Tells the queue how an attempt ended. If it cannot be told, the lease ends by itself and the job is done again.
async fn settle<W: Work>(shared: &Shared<W>, claim: &Claim, ended: Result<Ended, JoinError>) {
    let told = match ended {
        Ok(Ended::Settled) => Ok(()),
        Ok(Ended::Done) => job::queue::finish(&shared.database, claim).await.map(|_is_held| ()),
        Ok(Ended::Failed { reason }) => try_again(shared, claim, jittered(BACKOFF_BASE, claim), &reason).await,
        Ok(Ended::Wait { delay, reason }) => try_again(shared, claim, delay, &reason).await,
        Err(panic) => {
            tracing::error!(
                job.id = claim.id,
                job.lane = claim.lane,
                error = telemetry::with_causes(&panic),
                "a job has a fault"
            );
            try_again(shared, claim, jittered(BACKOFF_BASE, claim), "its work died of a fault in Marquee").await
        }
    };
    if let Err(error) = told {
        tracing::warn!(
            job.id = claim.id,
            job.lane = claim.lane,
            error = telemetry::with_causes(&error),
            "the queue could not be told how a job ended; it is done again when its lease has run out"
        );
    }
}

async fn try_again<W>(shared: &Shared<W>, claim: &Claim, delay: Duration, reason: &str) -> Result<(), DbErr> {
    if job::queue::retry(&shared.database, claim, delay, reason).await? == RetryOutcome::Dead {
        tracing::error!(
            job.id = claim.id,
            job.lane = claim.lane,
            job.attempt = claim.attempt,
            reason,
            "job given up; `marquee-worker jobs retry ID` gives it another chance"
        );
    }
    Ok(())
}

async fn give_back<W>(shared: &Shared<W>, claim: &Claim) {
    if let Err(error) = job::queue::give_back(&shared.database, claim).await {
        tracing::warn!(
            job.id = claim.id,
            error = telemetry::with_causes(&error),
            "a job could not be given back; its lease runs out"
        );
    }
}

/// How long a job waits for its next attempt.
pub(super) fn jittered(base: Duration, claim: &Claim) -> Duration {
    backoff(base, BACKOFF_CEILING, u32::try_from(claim.attempt).unwrap_or(1), fastrand::f64())
}
