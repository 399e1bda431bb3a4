//! What goes in comes out once, in order, and one of a lane at a time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use entity::{
    ConnectionRole, UtcInstant,
    job::{Backlog, JobState, RetryOutcome, queue as jobs},
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::TransactionTrait;

use super::{KIND, LONG, claimed, enqueued, job, new_job, set};

on_every_backend!(
    a_key_that_is_there_is_not_enqueued_again,
    what_is_enqueued_in_a_transaction_that_is_rolled_back_is_not_there,
    the_job_that_is_due_for_longest_comes_first,
    a_job_is_not_claimed_before_its_time_nor_by_who_cannot_do_it,
    a_lane_runs_one_job_at_a_time,
    what_is_to_be_done_in_order_waits_for_what_came_before,
    a_failed_job_waits_and_is_dead_after_its_last_attempt,
    a_dead_job_is_revived_with_all_its_attempts,
    a_job_that_waits_is_made_due,
    old_dead_jobs_of_a_lane_are_forgotten,
    the_backlog_is_counted,
    many_claimers_take_each_job_once,
    many_claimers_of_few_lanes_never_take_two_of_one,
);

async fn a_key_that_is_there_is_not_enqueued_again(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "lane").await;
    assert_eq!(jobs::enqueue(&database, new_job("a", "another")).await.unwrap(), None);
    let claim = claimed(&database, "w").await.unwrap();
    assert_eq!(jobs::enqueue(&database, new_job("a", "lane")).await.unwrap(), None, "not while it runs either");
    assert!(jobs::finish(&database, &claim).await.unwrap());
    assert!(jobs::enqueue(&database, new_job("a", "lane")).await.unwrap() > Some(id), "ids are never used again");
}

async fn what_is_enqueued_in_a_transaction_that_is_rolled_back_is_not_there(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let transaction = database.begin().await.unwrap();
    assert!(jobs::enqueue(&transaction, new_job("a", "lane")).await.unwrap().is_some());
    transaction.rollback().await.unwrap();
    assert!(jobs::list(&database).await.unwrap().is_empty());
}

async fn the_job_that_is_due_for_longest_comes_first(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let now = UtcInstant::now().0;
    for (key, seconds_ago) in [("second", 20), ("first", 30), ("third", 10)] {
        let run_at = Some(UtcInstant(now - seconds_ago * 1_000_000));
        jobs::enqueue(&database, entity::job::NewJob { run_at, ..new_job(key, key) }).await.unwrap();
    }
    for expected in ["first", "second", "third"] {
        assert_eq!(claimed(&database, "w").await.unwrap().lane, expected);
    }
    assert_eq!(claimed(&database, "w").await, None);
}

async fn a_job_is_not_claimed_before_its_time_nor_by_who_cannot_do_it(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "a").await;
    assert_eq!(jobs::claim(&database, &["other", "another"], "w", LONG).await.unwrap(), None);
    assert_eq!(jobs::claim(&database, &[], "w", LONG).await.unwrap(), None);
    set(&database, id, "run_at = run_at + 3600000000").await;
    assert_eq!(claimed(&database, "w").await, None);
    set(&database, id, "run_at = run_at - 3600000000").await;
    let claim = jobs::claim(&database, &["other", KIND], "w", LONG).await.unwrap().unwrap();
    assert_eq!((claim.id, claim.attempt, claim.epoch), (id, 1, 1));
    let job = job(&database, id).await.unwrap();
    assert_eq!((job.state, job.worker.as_deref()), (JobState::Running, Some("w")));
}

async fn what_is_to_be_done_in_order_waits_for_what_came_before(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let ordered = |key: &str| entity::job::NewJob { in_order: true, ..new_job(key, "lane") };
    for key in ["first", "second", "third"] {
        jobs::enqueue(&database, ordered(key)).await.unwrap();
    }
    let other = enqueued(&database, "other", "lane").await;
    let first = claimed(&database, "w").await.unwrap();
    jobs::retry(&database, &first, LONG, "not yet").await.unwrap();
    // What is in no order does not wait; the others would be due.
    let claim = claimed(&database, "w").await.unwrap();
    assert_eq!(claim.id, other);
    jobs::finish(&database, &claim).await.unwrap();
    assert_eq!(claimed(&database, "w").await, None);
    set(&database, first.id, "state = 'dead'").await;
    let second = claimed(&database, "w").await.unwrap();
    assert_eq!(second.id, first.id + 1, "what was given up keeps nobody waiting");
    jobs::finish(&database, &second).await.unwrap();
    assert_eq!(claimed(&database, "w").await.unwrap().id, first.id + 2);
}

async fn a_lane_runs_one_job_at_a_time(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    for key in ["a", "b"] {
        enqueued(&database, key, "lane").await;
    }
    let first = claimed(&database, "w").await.unwrap();
    assert_eq!(claimed(&database, "v").await, None);
    enqueued(&database, "c", "another").await;
    assert_eq!(claimed(&database, "v").await.unwrap().lane, "another", "a lane that is taken holds up no other");
    assert!(jobs::finish(&database, &first).await.unwrap());
    assert!(claimed(&database, "v").await.unwrap().id > first.id);
}

async fn a_failed_job_waits_and_is_dead_after_its_last_attempt(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "lane").await;
    for attempt in 1..=3 {
        let claim = claimed(&database, "w").await.unwrap();
        assert_eq!((claim.attempt, claim.epoch), (attempt, i64::from(attempt)));
        let became = jobs::retry(&database, &claim, LONG, "out of luck").await.unwrap();
        assert_eq!(became, if attempt < 3 { RetryOutcome::Queued } else { RetryOutcome::Dead });
        assert_eq!(claimed(&database, "w").await, None, "it waits");
        set(&database, id, "run_at = 1").await;
    }
    assert_eq!(claimed(&database, "w").await, None);
    let dead = job(&database, id).await.unwrap();
    assert_eq!(
        (dead.state, dead.reason.as_deref(), dead.worker, dead.lease_until),
        (JobState::Dead, Some("out of luck"), None, None)
    );
}

async fn a_dead_job_is_revived_with_all_its_attempts(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueued(&database, "a", "lane").await;
    set(&database, id, "state = 'dead', attempt = 3, epoch = 7").await;
    assert!(jobs::revive(&database, id).await.unwrap());
    let claim = claimed(&database, "w").await.unwrap();
    assert_eq!((claim.id, claim.attempt, claim.epoch), (id, 1, 8));
    assert!(!jobs::revive(&database, id).await.unwrap(), "it runs");
    assert!(!jobs::revive(&database, id + 1).await.unwrap(), "there is none");
}

async fn a_job_that_waits_is_made_due(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    enqueued(&database, "a", "lane").await;
    let claim = claimed(&database, "w").await.unwrap();
    jobs::retry(&database, &claim, LONG, "out of luck").await.unwrap();
    assert!(jobs::revive(&database, claim.id).await.unwrap());
    assert_eq!(claimed(&database, "w").await.unwrap().attempt, 1);
}

async fn old_dead_jobs_of_a_lane_are_forgotten(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let other = enqueued(&database, "other", "another").await;
    set(&database, other, "state = 'dead'").await;
    let mut ids = vec![];
    for number in 0..25 {
        let id = enqueued(&database, &format!("{number}"), "lane").await;
        set(&database, id, "attempt = 2").await;
        let claim = claimed(&database, "w").await.unwrap();
        assert_eq!(jobs::retry(&database, &claim, Duration::ZERO, "no").await.unwrap(), RetryOutcome::Dead);
        ids.push(id);
    }
    let left: Vec<i64> = jobs::list(&database).await.unwrap().iter().map(|job| job.id).collect();
    assert_eq!(left, [&[other], &ids[5..]].concat());
}

async fn the_backlog_is_counted(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    assert_eq!(jobs::backlog(&database).await.unwrap(), Backlog::default());
    let ids = [enqueued(&database, "a", "a").await, enqueued(&database, "b", "b").await, enqueued(&database, "c", "c").await];
    set(&database, ids[0], "state = 'dead'").await;
    set(&database, ids[1], "run_at = run_at - 60000000").await;
    assert_eq!(claimed(&database, "w").await.unwrap().id, ids[1]);
    set(&database, ids[2], "run_at = run_at + 60000000").await;
    let backlog = jobs::backlog(&database).await.unwrap();
    assert_eq!(backlog, Backlog { queued: 1, running: 1, dead: 1, oldest_due: None });
    set(&database, ids[2], "run_at = run_at - 90000000").await;
    let oldest = jobs::backlog(&database).await.unwrap().oldest_due.unwrap();
    assert!((30..600).contains(&oldest.as_secs()), "{oldest:?}");
}

async fn many_claimers_take_each_job_once(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let mut expected = BTreeSet::new();
    for number in 0..200 {
        expected.insert(enqueued(&connection, &format!("{number}"), &format!("{number}")).await);
    }
    let mut claimers = vec![];
    for number in 0..8 {
        let connection = database.connect(ConnectionRole::Worker).await;
        claimers.push(tokio::spawn(async move {
            let mut taken = vec![];
            while let Some(claim) = claimed(&connection, &format!("{number}")).await {
                taken.push(claim.id);
            }
            taken
        }));
    }
    let mut taken = vec![];
    for claimer in claimers {
        taken.extend(claimer.await.unwrap());
    }
    assert_eq!(taken.len(), 200);
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), expected);
}

async fn many_claimers_of_few_lanes_never_take_two_of_one(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    for number in 0..40 {
        enqueued(&connection, &format!("{number}"), &format!("{}", number % 3)).await;
    }
    let mut claimers = vec![];
    for number in 0..8 {
        let connection = database.connect(ConnectionRole::Worker).await;
        claimers.push(tokio::spawn(async move {
            let mut done = 0;
            while jobs::backlog(&connection).await.unwrap().queued > 0 {
                if let Some(claim) = claimed(&connection, &format!("{number}")).await {
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
    for claimer in claimers {
        done += claimer.await.unwrap();
    }
    assert_eq!(done, 40);
}
