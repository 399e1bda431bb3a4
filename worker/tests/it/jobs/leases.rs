//! Who holds a job, until when, and that whoever lost it changes nothing any more.

use std::{sync::Arc, time::Duration};

use entity::{
    ConnectionRole,
    job::{JobState, LeaseRenewal, RetryOutcome, queue as jobs},
};
use migration::{on_every_backend, testing::TestDatabase};

use worker::jobs::lease::until_lost;

use super::{LONG, claimed, enqueued, expire, job, new_job, set};
use crate::patience::in_time;

on_every_backend!(
    an_expired_lease_is_taken_over_under_a_higher_epoch,
    the_fence_refuses_whoever_lost_the_lease,
    a_lease_that_is_renewed_is_not_taken_over,
    an_expired_lease_that_nobody_took_is_renewed,
    a_job_that_is_gone_is_no_lost_lease,
    a_job_that_kills_its_workers_is_dead_after_its_last_attempt,
    a_job_that_is_given_back_is_taken_at_once_and_the_attempt_not_counted,
    whoever_starts_a_job_himself_keeps_others_out_of_its_lane,
    an_expired_job_gives_way_to_whoever_starts_one_and_is_done_after_it,
);

async fn an_expired_lease_is_taken_over_under_a_higher_epoch(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "lane").await;
    enqueued(&database, "b", "lane").await;
    let first = claimed(&database, "w").await.unwrap();
    assert_eq!(claimed(&database, "v").await, None);
    expire(&database, id).await;
    let second = claimed(&database, "v").await.unwrap();
    assert_eq!((second.id, second.attempt, second.epoch), (id, first.attempt + 1, first.epoch + 1));
    assert_eq!(job(&database, id).await.unwrap().worker.as_deref(), Some("v"));
}

async fn the_fence_refuses_whoever_lost_the_lease(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "lane").await;
    let late = claimed(&database, "w").await.unwrap();
    expire(&database, id).await;
    let holder = claimed(&database, "v").await.unwrap();
    let before = job(&database, id).await;
    assert!(!jobs::is_held(&database, &late).await.unwrap());
    assert_eq!(jobs::renew(&database, &late, LONG).await.unwrap(), LeaseRenewal::Taken);
    assert!(!jobs::finish(&database, &late).await.unwrap());
    assert!(!jobs::give_back(&database, &late).await.unwrap());
    assert_eq!(jobs::retry(&database, &late, Duration::ZERO, "late").await.unwrap(), RetryOutcome::Lost);
    assert_eq!(job(&database, id).await, before, "it changes nothing");
    assert!(jobs::is_held(&database, &holder).await.unwrap());
    assert!(jobs::finish(&database, &holder).await.unwrap());
    assert!(!jobs::finish(&database, &holder).await.unwrap(), "once");
    assert_eq!(jobs::renew(&database, &holder, LONG).await.unwrap(), LeaseRenewal::Gone);
}

async fn a_lease_that_is_renewed_is_not_taken_over(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "lane").await;
    let claim = jobs::claim(&database, &[super::KIND], "w", Duration::from_millis(1)).await.unwrap().unwrap();
    let short = job(&database, id).await.unwrap().lease_until;
    assert_eq!(jobs::renew(&database, &claim, LONG).await.unwrap(), LeaseRenewal::Held);
    assert!(job(&database, id).await.unwrap().lease_until > short);
    assert_eq!(claimed(&database, "v").await, None);
}

async fn an_expired_lease_that_nobody_took_is_renewed(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "lane").await;
    let claim = claimed(&database, "w").await.unwrap();
    expire(&database, id).await;
    assert_eq!(jobs::renew(&database, &claim, LONG).await.unwrap(), LeaseRenewal::Held);
    assert_eq!(claimed(&database, "v").await, None);
}

async fn a_job_that_kills_its_workers_is_dead_after_its_last_attempt(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "lane").await;
    for attempt in 1..=3 {
        assert_eq!(claimed(&database, "w").await.unwrap().attempt, attempt);
        expire(&database, id).await;
    }
    assert_eq!(claimed(&database, "w").await, None);
    let dead = job(&database, id).await.unwrap();
    assert_eq!((dead.state, dead.attempt), (JobState::Dead, 3));
    assert!(dead.reason.unwrap().contains("its worker ended"));
    enqueued(&database, "b", "lane").await;
    assert!(claimed(&database, "w").await.is_some(), "its lane is free");
}

async fn a_job_that_is_given_back_is_taken_at_once_and_the_attempt_not_counted(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    enqueued(&database, "a", "lane").await;
    let first = claimed(&database, "w").await.unwrap();
    assert!(jobs::give_back(&database, &first).await.unwrap());
    let second = claimed(&database, "v").await.unwrap();
    assert_eq!((second.id, second.attempt, second.epoch), (first.id, 1, 2));
    assert!(!jobs::finish(&database, &first).await.unwrap());
}

async fn whoever_starts_a_job_himself_keeps_others_out_of_its_lane(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    enqueued(&database, "queued", "lane").await;
    let own = jobs::start(&database, new_job("own", "lane"), "me", LONG).await.unwrap().unwrap();
    assert_eq!((own.attempt, own.epoch), (1, 1));
    assert_eq!(claimed(&database, "w").await, None);
    assert_eq!(jobs::start(&database, new_job("another", "lane"), "you", LONG).await.unwrap(), None);
    assert_eq!(jobs::start(&database, new_job("queued", "free"), "you", LONG).await.unwrap(), None, "a known key");
    assert!(jobs::finish(&database, &own).await.unwrap());
    assert!(claimed(&database, "w").await.is_some());
}

async fn an_expired_job_gives_way_to_whoever_starts_one_and_is_done_after_it(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "queued", "lane").await;
    let frozen = claimed(&database, "w").await.unwrap();
    expire(&database, id).await;
    let own = jobs::start(&database, new_job("own", "lane"), "me", LONG).await.unwrap().unwrap();
    assert!(!jobs::finish(&database, &frozen).await.unwrap());
    assert_eq!(jobs::renew(&database, &frozen, LONG).await.unwrap(), LeaseRenewal::Taken);
    assert_eq!(claimed(&database, "w").await, None);
    assert!(jobs::finish(&database, &own).await.unwrap());
    let again = claimed(&database, "w").await.unwrap();
    assert_eq!((again.id, again.attempt), (id, 2));

    set(&database, id, "attempt = 3, lease_until = 1").await;
    assert!(jobs::start(&database, new_job("third", "lane"), "me", LONG).await.unwrap().is_some());
    assert_eq!(job(&database, id).await.unwrap().state, JobState::Dead, "it had its attempts");
}

async fn a_job_that_is_gone_is_no_lost_lease(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "lane").await;
    let claim = claimed(&database, "w").await.unwrap();
    let short = Duration::from_millis(3);
    // Whoever has ended his job himself may still be waiting for his commit to return.
    assert!(jobs::finish(&database, &claim).await.unwrap());
    let lost = tokio::time::timeout(Duration::from_millis(300), until_lost(&database, &claim, short)).await;
    assert!(lost.is_err(), "the work was told to stop");

    let id_of_another = enqueued(&database, "b", "lane").await;
    assert_ne!(id, id_of_another);
    let claim = claimed(&database, "w").await.unwrap();
    expire(&database, id_of_another).await;
    assert!(claimed(&database, "v").await.is_some());
    in_time("the loss is noticed", until_lost(&database, &claim, short)).await;
}
