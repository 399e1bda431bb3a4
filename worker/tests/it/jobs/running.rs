//! Who does what is in the queue: side by side, under a lease that lives as long as the work, and given back at the end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use entity::{
    ConnectionRole, UtcInstant,
    job::{Claim, JobState, queue as jobs},
    sync_run,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::DatabaseConnection;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use worker::{
    jobs::{
        runner::{Ended, Runner, Work},
        syncing::Syncing,
        tick::{Enqueued, enqueue_tick},
    },
    sync::Source,
};

use super::{KIND, LONG, enqueued, job, set};
use crate::{
    copy::provider_of,
    entries,
    patience::{eventually, in_time},
    served::Served,
};

on_every_backend!(
    jobs_of_different_lanes_run_side_by_side_and_are_gone_when_done,
    a_lease_lives_as_long_as_its_work,
    work_whose_lease_is_lost_is_stopped,
    a_panic_is_a_failed_attempt,
    what_does_not_end_in_time_is_given_back,
    a_sync_of_a_provider_that_nobody_here_knows_waits,
    a_provider_that_is_ill_is_asked_again,
    a_provider_is_left_alone_as_long_as_it_says_that_its_document_is_fresh,
    a_provider_is_left_alone_until_it_wants_to_be_asked_again,
);

/// Does as its payload says.
#[derive(Clone, Default)]
struct Probe {
    begun: Arc<AtomicUsize>,
    was_dropped: Arc<AtomicBool>,
    go_on: Arc<Notify>,
}

struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Work for Probe {
    fn kinds(&self) -> &'static [&'static str] {
        &[KIND]
    }

    async fn perform(&self, claim: &Claim) -> Ended {
        let go_on = self.go_on.notified();
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _dropped = Dropped(self.was_dropped.clone());
        if claim.lane.starts_with("panic") {
            panic!("as the test wants it");
        }
        go_on.await;
        Ended::Done
    }
}

struct Running {
    stop: CancellationToken,
    ends: JoinHandle<bool>,
}

impl Running {
    fn start(database: &DatabaseConnection, work: impl Work, lease: Duration, drain_time: Duration) -> Self {
        let runner = Runner::new(database.clone(), work, lease, Arc::new(Notify::new()));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        Self { stop, ends: tokio::spawn(async move { runner.run_and_drain_for(drain_time, &stopped).await }) }
    }

    async fn end(self) -> bool {
        self.stop.cancel();
        in_time("the runner", self.ends).await.unwrap()
    }
}

async fn begun(probe: &Probe, count: usize) {
    eventually("jobs begin", async || (probe.begun.load(Ordering::SeqCst) >= count).then_some(())).await;
}

async fn nothing_left(database: &DatabaseConnection) {
    eventually("all is done", async || jobs::list(database).await.unwrap().is_empty().then_some(())).await;
}

async fn jobs_of_different_lanes_run_side_by_side_and_are_gone_when_done(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    for lane in ["a", "b", "c"] {
        enqueued(&database, lane, lane).await;
    }
    let probe = Probe::default();
    let running = Running::start(&database, probe.clone(), LONG, LONG);
    begun(&probe, 3).await;
    probe.go_on.notify_waiters();
    nothing_left(&database).await;
    assert!(running.end().await);
}

async fn a_lease_lives_as_long_as_its_work(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "a").await;
    let probe = Probe::default();
    let running = Running::start(&database, probe.clone(), Duration::from_millis(600), LONG);
    begun(&probe, 1).await;
    let first = job(&database, id).await.unwrap().lease_until.unwrap();
    eventually("the lease is renewed again and again", async || {
        let lease_until = job(&database, id).await.unwrap().lease_until.unwrap();
        (lease_until.0 > first.0 + 1_000_000).then_some(())
    })
    .await;
    probe.go_on.notify_waiters();
    nothing_left(&database).await;
    assert!(running.end().await);
    assert_eq!(probe.begun.load(Ordering::SeqCst), 1);
}

async fn work_whose_lease_is_lost_is_stopped(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "a").await;
    let probe = Probe::default();
    let running = Running::start(&database, probe.clone(), Duration::from_millis(300), LONG);
    begun(&probe, 1).await;
    set(&database, id, "epoch = epoch + 1, worker = 'another', lease_until = lease_until + 3600000000").await;
    eventually("the work is stopped", async || probe.was_dropped.load(Ordering::SeqCst).then_some(())).await;
    assert!(running.end().await);
    assert_eq!(job(&database, id).await.unwrap().worker.as_deref(), Some("another"));
}

async fn a_panic_is_a_failed_attempt(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "panic").await;
    set(&database, id, "max_attempts = 1").await;
    let running = Running::start(&database, Probe::default(), LONG, LONG);
    let dead = eventually("it is given up", async || {
        let job = job(&database, id).await.unwrap();
        (job.state == JobState::Dead).then_some(job)
    })
    .await;
    assert!(dead.reason.unwrap().contains("a fault in Marquee"));
    assert!(running.end().await, "the others go on");
}

async fn what_does_not_end_in_time_is_given_back(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "a").await;
    let probe = Probe::default();
    let running = Running::start(&database, probe.clone(), LONG, Duration::from_millis(10));
    begun(&probe, 1).await;
    assert!(!running.end().await);
    assert!(probe.was_dropped.load(Ordering::SeqCst));
    let job = job(&database, id).await.unwrap();
    assert_eq!((job.state, job.attempt, job.worker), (JobState::Queued, 0, None), "another worker takes it at once");
}

async fn a_sync_of_a_provider_that_nobody_here_knows_waits(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = jobs::enqueue(&database, sync_run::job("southstage", "now")).await.unwrap().unwrap();
    let work = Syncing::new(database.clone(), vec![], Source::File("nowhere".into()));
    let running = Running::start(&database, work, LONG, LONG);
    let reason = eventually("it is put back", async || job(&database, id).await.unwrap().reason).await;
    assert!(reason.contains("no provider `southstage`"), "{reason}");
    assert!(running.end().await);
}

async fn a_provider_that_is_ill_is_asked_again(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let served = Served::with_faults("status:503").await;
    let entry = entries::entry("northstage", &served.url, "");
    let id = jobs::enqueue(&database, sync_run::job("northstage", "now")).await.unwrap().unwrap();
    let work = Syncing::new(database.clone(), vec![entry], Source::Provider(crate::fetch::client()));
    let running = Running::start(&database, work, LONG, LONG);
    let reason = eventually("it waits for its retry", async || job(&database, id).await.unwrap().reason).await;
    assert_eq!(reason, "the provider answered with status 503");
    assert!(provider_of(&database, "northstage").await.failures > 0);
    served.provider.set_faults([]);
    eventually("it is done", async || {
        // Nothing is revived while it runs: the wait before a retry may be next to nothing.
        jobs::revive(&database, id).await.unwrap();
        job(&database, id).await.is_none().then_some(())
    })
    .await;
    assert_eq!(provider_of(&database, "northstage").await.failures, 0);
    assert!(running.end().await);
}

/// Seconds from now to the end of the provider's pause, and why it is on.
async fn pause_of(database: &DatabaseConnection) -> Option<(u64, String)> {
    let provider = provider_of(database, "northstage").await;
    Some((UtcInstant::now().seconds_until(provider.pause_until?), provider.pause_reason?))
}

async fn a_provider_is_left_alone_as_long_as_it_says_that_its_document_is_fresh(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let served = Served::with_faults("").await;
    served.provider.set_max_age(Some(600));
    let entry = entries::entry("northstage", &served.url, "");
    let work = Syncing::new(database.clone(), vec![entry.clone()], Source::Provider(crate::fetch::client()));
    let running = Running::start(&database, work, LONG, LONG);
    // The first answer is a document, the second says that it is still the same.
    for what_for in ["first", "second"] {
        jobs::enqueue(&database, sync_run::job("northstage", what_for)).await.unwrap().unwrap();
        nothing_left(&database).await;
        let (seconds, reason) = eventually("a pause", async || pause_of(&database).await).await;
        assert!((540..=600).contains(&seconds), "{seconds}");
        assert_eq!(reason, "cache_control");
    }
    let tick = UtcInstant(UtcInstant::now().0 + 1);
    assert_eq!(enqueue_tick(&database, &entry, Some(tick)).await.unwrap(), Enqueued::Paused);
    assert!(running.end().await);
}

async fn a_provider_is_left_alone_until_it_wants_to_be_asked_again(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let served = Served::with_faults("status:503:7200").await;
    let entry = entries::entry("northstage", &served.url, "");
    let id = jobs::enqueue(&database, sync_run::job("northstage", "now")).await.unwrap().unwrap();
    let work = Syncing::new(database.clone(), vec![entry], Source::Provider(crate::fetch::client()));
    let running = Running::start(&database, work, LONG, LONG);
    let waits = eventually("it waits for its retry", async || job(&database, id).await.filter(|job| job.reason.is_some())).await;
    let (seconds, reason) = pause_of(&database).await.unwrap();
    assert!((3_540..=3_600).contains(&seconds), "an hour at most, not {seconds} s");
    assert_eq!(reason, "retry_after");
    assert!(UtcInstant::now().seconds_until(waits.run_at) > 3_500, "nor is it asked by a retry");
    assert!(running.end().await);
}
