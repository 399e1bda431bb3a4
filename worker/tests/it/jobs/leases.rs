//! Leases: who holds a job, until when, and that a worker that has lost a job cannot change it.

use std::{sync::Arc, time::Duration};

use entity::{
    ConnectionRole, database_now,
    job::{JobKind, JobState, LeaseRenewal, RetryOutcome, queue as jobs},
    sync_run::{self, RunState},
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, EntityTrait};
use worker::{jobs::lease::renew_until_lost, sync::register::register};

use super::{LONG, TestJob, claim_next, enqueue, expire, find_job, update};
use crate::{entries, patience::in_time};

on_every_backend!(
    an_expired_lease_is_taken_over_under_a_higher_epoch,
    the_epoch_check_rejects_a_worker_that_lost_its_lease,
    a_renewed_lease_is_not_taken_over,
    an_expired_lease_can_be_renewed_until_it_is_taken_over,
    a_finished_job_is_not_a_lost_lease,
    a_job_that_kills_its_workers_is_dead_after_its_last_attempt,
    the_run_of_a_dead_job_is_closed,
    a_released_job_is_claimed_immediately_without_counting_the_attempt,
    a_started_job_blocks_its_lane,
    a_started_job_replaces_an_expired_one_that_runs_after_it,
);

async fn an_expired_lease_is_taken_over_under_a_higher_epoch(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    enqueue(&database, "b", "lane").await;
    let first = claim_next(&database, "w").await.unwrap();
    assert_eq!(claim_next(&database, "v").await, None);
    expire(&database, id).await;
    let second = claim_next(&database, "v").await.unwrap();
    assert_eq!((second.id, second.attempt, second.epoch), (id, first.attempt + 1, first.epoch + 1));
    assert_eq!(find_job(&database, id).await.unwrap().worker.as_deref(), Some("v"));
}

async fn the_epoch_check_rejects_a_worker_that_lost_its_lease(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    let late = claim_next(&database, "w").await.unwrap();
    expire(&database, id).await;
    let holder = claim_next(&database, "v").await.unwrap();
    let before = find_job(&database, id).await;
    assert!(!jobs::is_held(&database, &late).await.unwrap());
    assert_eq!(jobs::renew(&database, &late, LONG).await.unwrap(), LeaseRenewal::Taken);
    assert!(!jobs::finish(&database, &late).await.unwrap());
    assert!(!jobs::release(&database, &late).await.unwrap());
    assert_eq!(jobs::retry(&database, &late, Duration::ZERO, "late").await.unwrap(), RetryOutcome::Lost);
    assert_eq!(find_job(&database, id).await, before, "the job is unchanged");
    assert!(jobs::is_held(&database, &holder).await.unwrap());
    assert!(jobs::finish(&database, &holder).await.unwrap());
    assert!(!jobs::finish(&database, &holder).await.unwrap(), "only once");
    assert_eq!(jobs::renew(&database, &holder, LONG).await.unwrap(), LeaseRenewal::Gone);
}

async fn a_renewed_lease_is_not_taken_over(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    let claim = jobs::claim(&database, &[TestJob::KIND], "w", Duration::from_millis(1)).await.unwrap().unwrap();
    let short = find_job(&database, id).await.unwrap().lease_until;
    assert_eq!(jobs::renew(&database, &claim, LONG).await.unwrap(), LeaseRenewal::Held);
    assert!(find_job(&database, id).await.unwrap().lease_until > short);
    assert_eq!(claim_next(&database, "v").await, None);
}

async fn an_expired_lease_can_be_renewed_until_it_is_taken_over(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    let claim = claim_next(&database, "w").await.unwrap();
    expire(&database, id).await;
    assert_eq!(jobs::renew(&database, &claim, LONG).await.unwrap(), LeaseRenewal::Held);
    assert_eq!(claim_next(&database, "v").await, None);
}

async fn a_job_that_kills_its_workers_is_dead_after_its_last_attempt(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    for attempt in 1..=3 {
        assert_eq!(claim_next(&database, "w").await.unwrap().attempt, attempt);
        expire(&database, id).await;
    }
    assert_eq!(claim_next(&database, "w").await, None);
    let dead = find_job(&database, id).await.unwrap();
    assert_eq!((dead.state, dead.attempt), (JobState::Dead, 3));
    assert!(dead.reason.unwrap().contains("the worker ended"));
    enqueue(&database, "b", "lane").await;
    assert!(claim_next(&database, "w").await.is_some(), "the lane is free");
}

async fn the_run_of_a_dead_job_is_closed(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let provider = register(&database, &entries::entry("northstage", "http://127.0.0.1:1/feed", "")).await.unwrap();
    let claim = jobs::start(&database, &TestJob::new("a", "lane"), "w", LONG).await.unwrap().unwrap();
    let now = database_now(&database).await.unwrap();
    let run = sync_run::ActiveModel::of_job(provider.id, claim.id, RunState::Running, now).insert(&database).await.unwrap();
    expire(&database, claim.id).await;
    assert_eq!(claim_next(&database, "v").await, None);
    let closed = sync_run::Entity::find_by_id(run.id).one(&database).await.unwrap().unwrap();
    assert_eq!((closed.state, closed.reason_code.as_deref()), (RunState::Failed, Some("abandoned")));
    assert!(closed.ended_at.is_some());
}

async fn a_released_job_is_claimed_immediately_without_counting_the_attempt(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    enqueue(&database, "a", "lane").await;
    let first = claim_next(&database, "w").await.unwrap();
    assert!(jobs::release(&database, &first).await.unwrap());
    let second = claim_next(&database, "v").await.unwrap();
    assert_eq!((second.id, second.attempt, second.epoch), (first.id, 1, 2));
    assert!(!jobs::finish(&database, &first).await.unwrap());
}

async fn a_started_job_blocks_its_lane(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    enqueue(&database, "queued", "lane").await;
    let own = jobs::start(&database, &TestJob::new("own", "lane"), "me", LONG).await.unwrap().unwrap();
    assert_eq!((own.attempt, own.epoch), (1, 1));
    assert_eq!(claim_next(&database, "w").await, None);
    assert_eq!(jobs::start(&database, &TestJob::new("another", "lane"), "you", LONG).await.unwrap(), None);
    assert_eq!(jobs::start(&database, &TestJob::new("queued", "free"), "you", LONG).await.unwrap(), None, "the key exists");
    assert!(jobs::finish(&database, &own).await.unwrap());
    assert!(claim_next(&database, "w").await.is_some());
}

async fn a_started_job_replaces_an_expired_one_that_runs_after_it(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "queued", "lane").await;
    let frozen = claim_next(&database, "w").await.unwrap();
    expire(&database, id).await;
    let own = jobs::start(&database, &TestJob::new("own", "lane"), "me", LONG).await.unwrap().unwrap();
    assert!(!jobs::finish(&database, &frozen).await.unwrap());
    assert_eq!(jobs::renew(&database, &frozen, LONG).await.unwrap(), LeaseRenewal::Taken);
    assert_eq!(claim_next(&database, "w").await, None);
    assert!(jobs::finish(&database, &own).await.unwrap());
    let again = claim_next(&database, "w").await.unwrap();
    assert_eq!((again.id, again.attempt), (id, 2));

    update(&database, id, "attempt = 3, lease_until = 1").await;
    assert!(jobs::start(&database, &TestJob::new("third", "lane"), "me", LONG).await.unwrap().is_some());
    assert_eq!(find_job(&database, id).await.unwrap().state, JobState::Dead, "it has no attempts left");
}

async fn a_finished_job_is_not_a_lost_lease(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    let claim = claim_next(&database, "w").await.unwrap();
    let short = Duration::from_millis(3);
    // The commit that finished the job may not have returned yet.
    assert!(jobs::finish(&database, &claim).await.unwrap());
    let lost = tokio::time::timeout(Duration::from_millis(300), renew_until_lost(&database, &claim, short)).await;
    assert!(lost.is_err(), "the work was stopped");

    let id_of_another = enqueue(&database, "b", "lane").await;
    assert_ne!(id, id_of_another);
    let claim = claim_next(&database, "w").await.unwrap();
    expire(&database, id_of_another).await;
    assert!(claim_next(&database, "v").await.is_some());
    in_time("the loss is detected", renew_until_lost(&database, &claim, short)).await;
}
