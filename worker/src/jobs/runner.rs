//! Runs due jobs, several at a time, each under a lease that is renewed while it runs.
//!
//! The runner does not know what a job does. It relies only on what the job has committed.

use std::{sync::Arc, time::Duration};

use entity::{
    deadline,
    job::{self, Claim, RetryOutcome},
};
use sea_orm::{DatabaseConnection, DbErr};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::JoinError,
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use tracing::Instrument;

use super::{
    lease::{renew_until_lost, worker_name},
    outcome::{JobOutcome, retry_delay},
    registry::Registry,
    span::job_span,
};
use crate::database::{RECONNECT_PAUSE, record_when_available};

/// Jobs of a process that run at the same time. They mostly wait for a provider, which takes a socket and no database connection, so
/// that a provider that hangs does not delay the others; parsing and writing have a narrower limit in `sync`.
const MAX_JOBS: usize = 32;
/// How often to check for jobs that other processes enqueued: half the resolution of the schedules.
const POLL_PAUSE: Duration = Duration::from_millis(500);
/// How long running jobs may take to end after the shutdown signal: platforms kill after 30 seconds by default.
const DRAIN_TIME: Duration = Duration::from_secs(25);
/// How long recording the end of a job may take after that, if the database does not respond.
const RECORDING_TIME: Duration = Duration::from_secs(3);

/// The jobs of a process.
#[derive(Debug)]
pub struct Runner<C> {
    shared: Arc<Shared<C>>,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Shared<C> {
    database: DatabaseConnection,
    registry: Registry<C>,
    context: C,
    worker: String,
    lease: Duration,
    wake: Arc<Notify>,
    /// Cancelled when no new job may start.
    closing: CancellationToken,
    /// Cancelled when the drain time is over, or running jobs must not continue.
    stop: CancellationToken,
}

impl<C: Send + Sync + 'static> Runner<C> {
    /// `wake` signals that a job may be due.
    #[must_use]
    pub fn new(database: DatabaseConnection, registry: Registry<C>, context: C, lease: Duration, wake: Arc<Notify>) -> Self {
        let (closing, stop) = (CancellationToken::new(), CancellationToken::new());
        let shared = Shared { database, registry, context, worker: worker_name(), lease, wake, closing, stop };
        Self { shared: Arc::new(shared), slots: Arc::new(Semaphore::new(MAX_JOBS)), tasks: TaskTracker::new() }
    }

    /// Runs this many jobs at the same time.
    #[must_use]
    pub fn with_slots(self, slots: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(slots)), ..self }
    }

    /// Releases the running jobs when it is cancelled, instead of waiting for them.
    #[must_use]
    pub fn release_token(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    /// Runs jobs until `shutdown` is cancelled, then waits for the running ones. Those that do not end within the drain time are
    /// released. Returns whether all of them ended.
    pub async fn run(self, shutdown: &CancellationToken) -> bool {
        self.run_and_drain_for(DRAIN_TIME, shutdown).await
    }

    /// [`Self::run`] with another drain time.
    pub async fn run_and_drain_for(self, drain_time: Duration, shutdown: &CancellationToken) -> bool {
        shutdown.run_until_cancelled(self.claim_all()).await;
        self.shared.closing.cancel();
        self.tasks.close();
        let drained = tokio::time::timeout(drain_time, self.tasks.wait()).await.is_ok();
        if !drained {
            tracing::warn!(jobs.running = self.tasks.len(), "jobs did not end within the drain time and are released");
            self.shared.stop.cancel();
            self.tasks.wait().await;
        }
        drained
    }

    /// Claims due jobs while there are free slots.
    async fn claim_all(&self) {
        let mut is_unavailable = false;
        loop {
            let Ok(slot) = self.slots.clone().acquire_owned().await else { return };
            // As a task: a claim that is cancelled may have been granted.
            let claiming = self.tasks.spawn(claim(self.shared.clone(), slot, self.tasks.clone()));
            match claiming.await {
                Ok(Ok(true)) => is_unavailable = false,
                Ok(Ok(false)) => {
                    is_unavailable = false;
                    let pause = POLL_PAUSE.mul_f64(0.9 + 0.2 * fastrand::f64());
                    tokio::select! {
                        () = self.shared.wake.notified() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                }
                Ok(Err(error)) => {
                    if !is_unavailable {
                        tracing::warn!(error = telemetry::with_causes(&error), "jobs cannot be claimed, retrying");
                        is_unavailable = true;
                    }
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
                Err(panic) => tracing::error!(error = telemetry::with_causes(&panic), "claiming a job panicked"),
            }
        }
    }
}

impl<C> Shared<C> {
    /// Returns when the process can no longer wait for the database.
    async fn wait_for_exit(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(RECORDING_TIME).await;
    }
}

/// Claims a job and runs it in the slot; `false` if none is due.
async fn claim<C: Send + Sync + 'static>(
    shared: Arc<Shared<C>>,
    slot: OwnedSemaphorePermit,
    tasks: TaskTracker,
) -> Result<bool, DbErr> {
    let kinds = shared.registry.kinds();
    let claiming = job::queue::claim(&shared.database, &kinds, &shared.worker, shared.lease);
    let Some(claim) = deadline::within(deadline::SHORT, &shared.database, claiming).await? else { return Ok(false) };
    if shared.closing.is_cancelled() {
        release(&shared, &claim).await;
        return Ok(false);
    }
    let span = job_span(&claim);
    let running = async move {
        run(&shared, &claim).await;
        drop(slot);
        // Its lane is free now.
        shared.wake.notify_one();
    };
    tasks.spawn(running.instrument(span));
    Ok(true)
}

/// Runs a job until it ends, its lease is lost or the process stops.
async fn run<C: Send + Sync + 'static>(shared: &Arc<Shared<C>>, claim: &Claim) {
    tracing::debug!(job.lane = claim.lane, "job started");
    // As a task, so that a panic ends only this attempt.
    let running = {
        let (shared, claim) = (shared.clone(), claim.clone());
        tokio::spawn(async move { shared.registry.dispatch(&shared.context, &claim).await }.in_current_span())
    };
    let mut running = AbortOnDropHandle::new(running);
    tokio::select! {
        outcome = &mut running => complete(shared, claim, outcome).await,
        () = renew_until_lost(&shared.database, claim, shared.lease) => {
            tracing::warn!(job.lane = claim.lane, reason = "lease_lost", "job stopped because another worker holds it");
        }
        () = shared.stop.cancelled() => {
            running.abort();
            match running.await {
                Err(error) if error.is_cancelled() => release(shared, claim).await,
                outcome => complete(shared, claim, outcome).await,
            }
        }
    }
}

/// Records how an attempt ended, as soon as the database is available. If that fails, the lease expires and the job is run again.
async fn complete<C>(shared: &Shared<C>, claim: &Claim, outcome: Result<JobOutcome, JoinError>) {
    let outcome = outcome.unwrap_or_else(|panic| {
        tracing::error!(job.lane = claim.lane, error = telemetry::with_causes(&panic), "job panicked");
        JobOutcome::Failed { reason: "the job panicked because of a bug in Marquee".to_owned() }
    });
    let recording = record_when_available(&shared.database, "outcome of a job", || record(shared, claim, &outcome));
    let recorded = tokio::select! {
        recorded = recording => recorded,
        () = shared.wait_for_exit() => Ok(()),
    };
    if let Err(error) = recorded {
        let error = telemetry::with_causes(&error);
        tracing::warn!(
            job.lane = claim.lane,
            error,
            "the outcome could not be recorded; the job runs again when its lease expires"
        );
    }
}

async fn record<C>(shared: &Shared<C>, claim: &Claim, outcome: &JobOutcome) -> Result<(), DbErr> {
    match outcome {
        JobOutcome::Committed => Ok(()),
        JobOutcome::Done => job::queue::finish(&shared.database, claim).await.map(|_is_held| ()),
        JobOutcome::Failed { reason } => retry(shared, claim, retry_delay(claim), reason).await,
        JobOutcome::RetryAfter { delay, reason } => retry(shared, claim, *delay, reason).await,
    }
}

async fn retry<C>(shared: &Shared<C>, claim: &Claim, delay: Duration, reason: &str) -> Result<(), DbErr> {
    if job::queue::retry(&shared.database, claim, delay, reason).await? == RetryOutcome::Dead {
        tracing::error!(job.lane = claim.lane, reason, "job failed permanently; `marquee-worker jobs retry ID` retries it");
    }
    Ok(())
}

async fn release<C>(shared: &Shared<C>, claim: &Claim) {
    let releasing = job::queue::release(&shared.database, claim);
    if let Err(error) = deadline::within(RECORDING_TIME, &shared.database, releasing).await {
        let error = telemetry::with_causes(&error);
        tracing::warn!(job.lane = claim.lane, error, "the job could not be released; its lease will expire");
    }
}
