//! The queue delivers each job once, in order, and one at a time per lane.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use entity::{
    ConnectionRole,
    job::{Backlog, JobKind, JobState, RetryOutcome, queue as jobs},
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::TransactionTrait;
use serde::{Deserialize, Serialize};

use super::{LONG, TestJob, claim_next, enqueue, find_job, update};

on_every_backend!(
    does_not_enqueue_an_existing_key,
    a_rollback_removes_an_enqueued_job,
    claims_the_job_that_has_been_due_for_longest,
    claims_only_due_jobs_of_the_given_kinds,
    a_lane_runs_one_job_at_a_time,
    an_ordered_job_waits_for_earlier_ordered_jobs,
    a_failed_job_is_retried_and_dead_after_its_last_attempt,
    revives_a_dead_job_with_all_its_attempts,
    revives_a_job_that_waits_for_a_retry,
    retains_only_the_newest_dead_jobs_of_a_lane,
    counts_the_backlog_by_state,
    concurrent_workers_claim_each_job_once,
    concurrent_workers_never_claim_two_jobs_of_a_lane,
);

/// A job that runs in order.
#[derive(Serialize, Deserialize)]
struct OrderedJob(String);

impl JobKind for OrderedJob {
    const KIND: &'static str = "ordered";
    const MAX_ATTEMPTS: i32 = 3;
    const IN_ORDER: bool = true;

    fn key(&self) -> String {
        self.0.clone()
    }

    fn lane(&self) -> String {
        "lane".to_owned()
    }
}

async fn does_not_enqueue_an_existing_key(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    assert_eq!(jobs::enqueue(&database, &TestJob::new("a", "another")).await.unwrap(), None);
    let claim = claim_next(&database, "w").await.unwrap();
    assert_eq!(jobs::enqueue(&database, &TestJob::new("a", "lane")).await.unwrap(), None, "not while it runs");
    assert!(jobs::finish(&database, &claim).await.unwrap());
    assert!(jobs::enqueue(&database, &TestJob::new("a", "lane")).await.unwrap() > Some(id), "ids are never reused");
}

async fn a_rollback_removes_an_enqueued_job(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let transaction = database.begin().await.unwrap();
    assert!(jobs::enqueue(&transaction, &TestJob::new("a", "lane")).await.unwrap().is_some());
    transaction.rollback().await.unwrap();
    assert!(jobs::list(&database).await.unwrap().is_empty());
}

async fn claims_the_job_that_has_been_due_for_longest(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    for (key, seconds_ago) in [("second", 20), ("first", 30), ("third", 10)] {
        let id = enqueue(&database, key, key).await;
        update(&database, id, &format!("run_at = run_at - {seconds_ago} * 1000000")).await;
    }
    for expected in ["first", "second", "third"] {
        assert_eq!(claim_next(&database, "w").await.unwrap().lane, expected);
    }
    assert_eq!(claim_next(&database, "w").await, None);
}

async fn claims_only_due_jobs_of_the_given_kinds(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "a").await;
    assert_eq!(jobs::claim(&database, &["other", "another"], "w", LONG).await.unwrap(), None);
    assert_eq!(jobs::claim(&database, &[], "w", LONG).await.unwrap(), None);
    update(&database, id, "run_at = run_at + 3600000000").await;
    assert_eq!(claim_next(&database, "w").await, None);
    update(&database, id, "run_at = run_at - 3600000000").await;
    let claim = jobs::claim(&database, &["other", TestJob::KIND], "w", LONG).await.unwrap().unwrap();
    assert_eq!((claim.id, claim.attempt, claim.epoch), (id, 1, 1));
    let job = find_job(&database, id).await.unwrap();
    assert_eq!((job.state, job.worker.as_deref()), (JobState::Running, Some("w")));
}

async fn an_ordered_job_waits_for_earlier_ordered_jobs(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    for key in ["first", "second", "third"] {
        jobs::enqueue(&database, &OrderedJob(key.to_owned())).await.unwrap();
    }
    let other = enqueue(&database, "other", "lane").await;
    let claim = async |worker| jobs::claim(&database, &[TestJob::KIND, OrderedJob::KIND], worker, LONG).await.unwrap();
    let first = claim("w").await.unwrap();
    jobs::retry(&database, &first, LONG, "not yet").await.unwrap();
    // Jobs without an order do not wait.
    let unordered = claim("w").await.unwrap();
    assert_eq!(unordered.id, other);
    jobs::finish(&database, &unordered).await.unwrap();
    assert_eq!(claim("w").await, None);
    update(&database, first.id, "state = 'dead'").await;
    let second = claim("w").await.unwrap();
    assert_eq!(second.id, first.id + 1, "a dead job delays no other");
    jobs::finish(&database, &second).await.unwrap();
    assert_eq!(claim("w").await.unwrap().id, first.id + 2);
}

async fn a_lane_runs_one_job_at_a_time(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    for key in ["a", "b"] {
        enqueue(&database, key, "lane").await;
    }
    let first = claim_next(&database, "w").await.unwrap();
    assert_eq!(claim_next(&database, "v").await, None);
    enqueue(&database, "c", "another").await;
    assert_eq!(claim_next(&database, "v").await.unwrap().lane, "another", "a busy lane delays no other");
    assert!(jobs::finish(&database, &first).await.unwrap());
    assert!(claim_next(&database, "v").await.unwrap().id > first.id);
}

async fn a_failed_job_is_retried_and_dead_after_its_last_attempt(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    for attempt in 1..=3 {
        let claim = claim_next(&database, "w").await.unwrap();
        assert_eq!((claim.attempt, claim.epoch), (attempt, i64::from(attempt)));
        let outcome = jobs::retry(&database, &claim, LONG, "unavailable").await.unwrap();
        assert_eq!(outcome, if attempt < 3 { RetryOutcome::Queued } else { RetryOutcome::Dead });
        assert_eq!(claim_next(&database, "w").await, None, "it waits for its retry");
        update(&database, id, "run_at = 1").await;
    }
    assert_eq!(claim_next(&database, "w").await, None);
    let dead = find_job(&database, id).await.unwrap();
    assert_eq!(
        (dead.state, dead.reason.as_deref(), dead.worker, dead.lease_until),
        (JobState::Dead, Some("unavailable"), None, None)
    );
}

async fn revives_a_dead_job_with_all_its_attempts(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    update(&database, id, "state = 'dead', attempt = 3, epoch = 7").await;
    assert!(jobs::revive(&database, id).await.unwrap());
    let claim = claim_next(&database, "w").await.unwrap();
    assert_eq!((claim.id, claim.attempt, claim.epoch), (id, 1, 8));
    assert!(!jobs::revive(&database, id).await.unwrap(), "it is running");
    assert!(!jobs::revive(&database, id + 1).await.unwrap(), "it does not exist");
}

async fn revives_a_job_that_waits_for_a_retry(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    enqueue(&database, "a", "lane").await;
    let claim = claim_next(&database, "w").await.unwrap();
    jobs::retry(&database, &claim, LONG, "unavailable").await.unwrap();
    assert!(jobs::revive(&database, claim.id).await.unwrap());
    assert_eq!(claim_next(&database, "w").await.unwrap().attempt, 1);
}

async fn retains_only_the_newest_dead_jobs_of_a_lane(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let other = enqueue(&database, "other", "another").await;
    update(&database, other, "state = 'dead'").await;
    let mut ids = vec![];
    for number in 0..25 {
        let id = enqueue(&database, &format!("{number}"), "lane").await;
        update(&database, id, "attempt = 2").await;
        let claim = claim_next(&database, "w").await.unwrap();
        assert_eq!(jobs::retry(&database, &claim, Duration::ZERO, "no").await.unwrap(), RetryOutcome::Dead);
        ids.push(id);
    }
    let remaining: Vec<i64> = jobs::list(&database).await.unwrap().iter().map(|job| job.id).collect();
    assert_eq!(remaining, [&[other], &ids[5..]].concat());
}

async fn counts_the_backlog_by_state(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    assert_eq!(jobs::backlog(&database).await.unwrap(), Backlog::default());
    let ids = [enqueue(&database, "a", "a").await, enqueue(&database, "b", "b").await, enqueue(&database, "c", "c").await];
    update(&database, ids[0], "state = 'dead'").await;
    update(&database, ids[1], "run_at = run_at - 60000000").await;
    assert_eq!(claim_next(&database, "w").await.unwrap().id, ids[1]);
    update(&database, ids[2], "run_at = run_at + 60000000").await;
    let backlog = jobs::backlog(&database).await.unwrap();
    assert_eq!(backlog, Backlog { queued: 1, running: 1, dead: 1, oldest_due: None });
    update(&database, ids[2], "run_at = run_at - 90000000").await;
    let oldest = jobs::backlog(&database).await.unwrap().oldest_due.unwrap();
    assert!((30..600).contains(&oldest.as_secs()), "{oldest:?}");
}

async fn concurrent_workers_claim_each_job_once(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let mut expected = BTreeSet::new();
    for number in 0..200 {
        expected.insert(enqueue(&connection, &format!("{number}"), &format!("{number}")).await);
    }
    let mut workers = vec![];
    for number in 0..8 {
        let connection = database.connect(ConnectionRole::Worker).await;
        workers.push(tokio::spawn(async move {
            let mut claimed = vec![];
            while let Some(claim) = claim_next(&connection, &format!("{number}")).await {
                claimed.push(claim.id);
            }
            claimed
        }));
    }
    let mut claimed = vec![];
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    assert_eq!(claimed.len(), 200);
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), expected);
}

async fn concurrent_workers_never_claim_two_jobs_of_a_lane(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    for number in 0..40 {
        enqueue(&connection, &format!("{number}"), &format!("{}", number % 3)).await;
    }
    let mut workers = vec![];
    for number in 0..8 {
        let connection = database.connect(ConnectionRole::Worker).await;
        workers.push(tokio::spawn(async move {
            let mut done = 0;
            while jobs::backlog(&connection).await.unwrap().queued > 0 {
                if let Some(claim) = claim_next(&connection, &format!("{number}")).await {
                    let running = jobs::list(&connection).await.unwrap();
                    let of_lane = running.iter().filter(|job| job.lane == claim.lane && job.state == JobState::Running);
                    assert_eq!(of_lane.count(), 1);
                    assert!(jobs::finish(&connection, &claim).await.unwrap());
                    done += 1;
                }
            }
            done
        }));
    }
    let mut done = 0;
    for worker in workers {
        done += worker.await.unwrap();
    }
    assert_eq!(done, 40);
}
