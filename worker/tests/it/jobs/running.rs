//! The runner: jobs run side by side, under a lease that is renewed as long as they run, and are released on shutdown.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use entity::{
    ConnectionRole,
    job::{Claim, JobState, queue as jobs},
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::DatabaseConnection;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use worker::jobs::{
    JobOutcome,
    registry::{Handler, Registry},
    runner::Runner,
};

use super::{LONG, TestJob, enqueue, find_job, update};
use crate::patience::{eventually, in_time};

on_every_backend!(
    jobs_of_different_lanes_run_side_by_side_and_are_removed_when_done,
    a_lease_is_renewed_while_its_job_runs,
    a_job_whose_lease_is_lost_is_stopped,
    a_panic_is_a_failed_attempt,
    a_job_that_does_not_end_within_the_drain_time_is_released,
);

/// What the jobs of a test do.
#[derive(Clone, Default)]
struct Probe {
    started: Arc<AtomicUsize>,
    was_dropped: Arc<AtomicBool>,
    go_on: Arc<Notify>,
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Handler<Probe> for TestJob {
    async fn run(self, probe: &Probe, _: &Claim) -> JobOutcome {
        let go_on = probe.go_on.notified();
        probe.started.fetch_add(1, Ordering::SeqCst);
        let _dropped = SetOnDrop(probe.was_dropped.clone());
        if self.lane == "panic" {
            panic!("as the test requires");
        }
        go_on.await;
        JobOutcome::Done
    }
}

/// A running runner.
pub(super) struct StartedRunner {
    stop: CancellationToken,
    task: JoinHandle<bool>,
}

impl StartedRunner {
    pub(super) fn start<C: Send + Sync + 'static>(
        database: &DatabaseConnection,
        (registry, context): (Registry<C>, C),
        lease: Duration,
        drain_time: Duration,
    ) -> Self {
        let runner = Runner::new(database.clone(), registry, context, lease, Arc::new(Notify::new()));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        Self { stop, task: tokio::spawn(async move { runner.run_and_drain_for(drain_time, &stopped).await }) }
    }

    fn with(database: &DatabaseConnection, probe: &Probe, lease: Duration, drain_time: Duration) -> Self {
        Self::start(database, (Registry::default().with::<TestJob>(), probe.clone()), lease, drain_time)
    }

    /// Stops it, and returns whether all jobs ended within the drain time.
    pub(super) async fn stop(self) -> bool {
        self.stop.cancel();
        in_time("the runner", self.task).await.unwrap()
    }
}

async fn wait_for_starts(probe: &Probe, count: usize) {
    eventually("jobs start", async || (probe.started.load(Ordering::SeqCst) >= count).then_some(())).await;
}

/// Waits until the queue is empty.
pub(super) async fn wait_until_empty(database: &DatabaseConnection) {
    eventually("the queue is empty", async || jobs::list(database).await.unwrap().is_empty().then_some(())).await;
}

async fn jobs_of_different_lanes_run_side_by_side_and_are_removed_when_done(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    for lane in ["a", "b", "c"] {
        enqueue(&database, lane, lane).await;
    }
    let probe = Probe::default();
    let running = StartedRunner::with(&database, &probe, LONG, LONG);
    wait_for_starts(&probe, 3).await;
    probe.go_on.notify_waiters();
    wait_until_empty(&database).await;
    assert!(running.stop().await);
}

async fn a_lease_is_renewed_while_its_job_runs(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "a").await;
    let probe = Probe::default();
    // Long enough that a loaded machine renews it in time, and renewed every second.
    let running = StartedRunner::with(&database, &probe, Duration::from_secs(3), LONG);
    wait_for_starts(&probe, 1).await;
    let first = find_job(&database, id).await.unwrap().lease_until.unwrap();
    eventually("the lease is renewed twice", async || {
        let lease_until = find_job(&database, id).await.unwrap().lease_until.unwrap();
        (lease_until.0 > first.0 + 1_500_000).then_some(())
    })
    .await;
    probe.go_on.notify_waiters();
    wait_until_empty(&database).await;
    assert!(running.stop().await);
    assert_eq!(probe.started.load(Ordering::SeqCst), 1);
}

async fn a_job_whose_lease_is_lost_is_stopped(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "a").await;
    let probe = Probe::default();
    let running = StartedRunner::with(&database, &probe, Duration::from_millis(300), LONG);
    wait_for_starts(&probe, 1).await;
    update(&database, id, "epoch = epoch + 1, worker = 'another', lease_until = lease_until + 3600000000").await;
    eventually("the job is stopped", async || probe.was_dropped.load(Ordering::SeqCst).then_some(())).await;
    assert!(running.stop().await);
    assert_eq!(find_job(&database, id).await.unwrap().worker.as_deref(), Some("another"));
}

async fn a_panic_is_a_failed_attempt(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "panic").await;
    update(&database, id, "max_attempts = 1").await;
    let running = StartedRunner::with(&database, &Probe::default(), LONG, LONG);
    let dead = eventually("the job is dead", async || {
        let job = find_job(&database, id).await.unwrap();
        (job.state == JobState::Dead).then_some(job)
    })
    .await;
    assert_eq!(dead.reason.as_deref(), Some("the job panicked because of a bug in Marquee"));
    assert!(running.stop().await, "the runner still works");
}

async fn a_job_that_does_not_end_within_the_drain_time_is_released(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "a").await;
    let probe = Probe::default();
    let running = StartedRunner::with(&database, &probe, LONG, Duration::from_millis(10));
    wait_for_starts(&probe, 1).await;
    assert!(!running.stop().await);
    assert!(probe.was_dropped.load(Ordering::SeqCst));
    let job = find_job(&database, id).await.unwrap();
    assert_eq!((job.state, job.attempt, job.worker), (JobState::Queued, 0, None), "another worker can claim it");
}
