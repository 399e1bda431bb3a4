//! What a tick comes to, however many workers fire it, and when a provider is left alone.

use std::sync::Arc;

use entity::{ConnectionRole, UtcInstant, job, provider, sync_run, sync_run::RunState};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseConnection, IntoActiveModel};
use worker::{
    jobs::{
        pause::{self, Reason},
        tick::{Enqueued, enqueue_tick},
    },
    provider::entry::ProviderEntry,
    sync::{self, Source, register},
};

use super::{LONG, set};
use crate::{
    copy::{provider_of, runs_of, sync_now},
    entries, fixtures,
};

on_every_backend!(
    a_tick_that_many_fire_at_once_is_enqueued_once,
    ticks_that_come_while_a_sync_waits_are_answered_by_it,
    a_tick_that_comes_while_a_sync_runs_is_answered_after_it,
    a_tick_takes_the_place_of_a_retry_that_waits,
    the_first_copy_is_enqueued_once_and_only_if_there_is_none,
    ticks_within_a_pause_are_let_pass_and_the_first_after_it_is_not,
    a_pause_is_never_shortened_and_never_over_an_hour,
    the_circuit_opens_after_five_failures_and_a_success_closes_it,
    a_run_whose_job_was_given_up_is_closed_by_the_next_one,
);

const SLUG: &str = "northstage";
const SECOND: i64 = 1_000_000;

fn entry() -> ProviderEntry {
    entries::entry(SLUG, "http://127.0.0.1:1/feed", "")
}

fn file(name: &str) -> Source {
    Source::File(fixtures::path(name))
}

async fn tick(database: &DatabaseConnection, micros: i64) -> Enqueued {
    // Whoever finds the row taken asks again, as the schedule does.
    loop {
        let enqueued = enqueue_tick(database, &entry(), Some(UtcInstant(micros))).await.unwrap();
        if enqueued != Enqueued::Busy {
            return enqueued;
        }
        tokio::task::yield_now().await;
    }
}

fn id_of(enqueued: Enqueued) -> i64 {
    let Enqueued::Job(id) = enqueued else { panic!("{enqueued:?}") };
    id
}

async fn claimed(database: &DatabaseConnection) -> job::Claim {
    job::queue::claim(database, &[sync_run::JOB_KIND], "w", LONG).await.unwrap().unwrap()
}

async fn states(database: &DatabaseConnection) -> Vec<(RunState, Option<i64>)> {
    runs_of(database, SLUG).await.iter().map(|run: &sync_run::Model| (run.state, run.tick_at.map(|at| at.0))).collect()
}

async fn a_tick_that_many_fire_at_once_is_enqueued_once(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    register::register(&connection, &entry()).await.unwrap();
    for micros in [SECOND, 2 * SECOND] {
        let mut workers = vec![];
        for _ in 0..8 {
            let connection = database.connect(ConnectionRole::Worker).await;
            workers.push(tokio::spawn(async move { tick(&connection, micros).await }));
        }
        let mut answers = vec![];
        for worker in workers {
            answers.push(worker.await.unwrap());
        }
        answers.retain(|answer| *answer != Enqueued::Known);
        assert_eq!(answers.len(), 1, "{answers:?}");
        let id = id_of(answers[0]);
        let enqueued = super::job(&connection, id).await.unwrap();
        assert_eq!((enqueued.lane.as_str(), enqueued.key), ("sync/northstage", format!("sync/northstage/{micros}")));
        assert!(job::queue::finish(&connection, &claimed(&connection).await).await.unwrap());
    }
    assert_eq!(tick(&connection, SECOND).await, Enqueued::Known, "an older tick than the last is no news");
    let ticks: Vec<Option<i64>> = states(&connection).await.into_iter().map(|(_, tick)| tick).collect();
    assert_eq!(ticks, [Some(SECOND), Some(2 * SECOND)]);
}

async fn ticks_that_come_while_a_sync_waits_are_answered_by_it(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = id_of(tick(&database, SECOND).await);
    assert_eq!(tick(&database, 2 * SECOND).await, Enqueued::Waiting);
    assert_eq!(states(&database).await, [(RunState::Queued, Some(SECOND))]);
    let claim = claimed(&database).await;
    assert_eq!(claim.id, id);
    sync::sync(&database, &entry(), &file("three_answers/first.xml"), &claim).await.unwrap();
    let runs = runs_of(&database, SLUG).await;
    assert_eq!((runs.len(), runs[0].state, runs[0].job_id), (1, RunState::Succeeded, Some(id)));
    assert!(super::job(&database, id).await.is_none(), "it went with its work");
}

async fn a_tick_that_comes_while_a_sync_runs_is_answered_after_it(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    tick(&database, SECOND).await;
    let running = claimed(&database).await;
    let next = id_of(tick(&database, 2 * SECOND).await);
    assert!(next > running.id);
    assert_eq!(job::queue::claim(&database, &[sync_run::JOB_KIND], "v", LONG).await.unwrap(), None, "its lane is taken");
    assert!(job::queue::finish(&database, &running).await.unwrap());
    assert_eq!(claimed(&database).await.id, next);
}

async fn a_tick_takes_the_place_of_a_retry_that_waits(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    tick(&database, SECOND).await;
    let failed = claimed(&database).await;
    sync::sync(&database, &entry(), &file("there_is_no_such_file.xml"), &failed).await.unwrap_err();
    job::queue::retry(&database, &failed, LONG, "ill").await.unwrap();
    assert_eq!(id_of(tick(&database, 2 * SECOND).await), failed.id);
    let claim = claimed(&database).await;
    assert_eq!((claim.id, claim.attempt), (failed.id, 1), "due now, with all attempts before it");
    sync::sync(&database, &entry(), &file("three_answers/first.xml"), &claim).await.unwrap();
    assert_eq!(states(&database).await, [(RunState::Failed, Some(SECOND)), (RunState::Succeeded, Some(2 * SECOND))]);
}

async fn the_first_copy_is_enqueued_once_and_only_if_there_is_none(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    id_of(enqueue_tick(&database, &entry(), None).await.unwrap());
    assert_eq!(enqueue_tick(&database, &entry(), None).await.unwrap(), Enqueued::Waiting);
    let claim = claimed(&database).await;
    assert_eq!(enqueue_tick(&database, &entry(), None).await.unwrap(), Enqueued::Waiting, "it is under way");
    sync::sync(&database, &entry(), &file("three_answers/first.xml"), &claim).await.unwrap();
    assert_eq!(enqueue_tick(&database, &entry(), None).await.unwrap(), Enqueued::Known);
    assert_eq!(states(&database).await, [(RunState::Succeeded, None)]);
}

async fn ticks_within_a_pause_are_let_pass_and_the_first_after_it_is_not(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let provider = register::register(&database, &entry()).await.unwrap();
    let soon = UtcInstant(UtcInstant::now().0 + 600 * SECOND);
    pause::pause(&database, provider.id, soon, Reason::RetryAfter).await.unwrap();
    assert_eq!(tick(&database, SECOND).await, Enqueued::Paused);
    assert_eq!(tick(&database, SECOND).await, Enqueued::Known, "it is answered all the same");
    assert!(states(&database).await.is_empty());
    let past = Some(UtcInstant(UtcInstant::now().0 - 1));
    let over = provider::ActiveModel { pause_until: Set(past), ..provider.into_active_model() };
    over.update(&database).await.unwrap();
    id_of(tick(&database, 3 * SECOND).await);
}

async fn a_pause_is_never_shortened_and_never_over_an_hour(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = register::register(&database, &entry()).await.unwrap().id;
    let now = UtcInstant::now();
    let in_seconds = |seconds: i64| UtcInstant(now.0 + seconds * SECOND);
    for (seconds, reason) in [(60, Reason::RetryAfter), (30, Reason::CacheControl)] {
        pause::pause(&database, id, in_seconds(seconds), reason).await.unwrap();
        let provider = provider_of(&database, SLUG).await;
        assert_eq!((provider.pause_until, provider.pause_reason.as_deref()), (Some(in_seconds(60)), Some("retry_after")));
    }
    pause::pause(&database, id, in_seconds(1_000_000), Reason::CacheControl).await.unwrap();
    let provider = provider_of(&database, SLUG).await;
    assert_eq!(provider.pause_reason.as_deref(), Some("cache_control"));
    let paused = now.seconds_until(provider.pause_until.unwrap());
    assert!((3600..3700).contains(&paused), "{paused}");
}

async fn the_circuit_opens_after_five_failures_and_a_success_closes_it(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = register::register(&database, &entry()).await.unwrap().id;
    for failures in 1..=4 {
        pause::count_failure(&database, id).await.unwrap();
        let provider = provider_of(&database, SLUG).await;
        assert_eq!((provider.failures, provider.pause_until), (failures, None));
    }
    let now = UtcInstant::now();
    pause::count_failure(&database, id).await.unwrap();
    let provider = provider_of(&database, SLUG).await;
    assert_eq!((provider.failures, provider.pause_reason.as_deref()), (5, Some("circuit_open")));
    let open_for = now.seconds_until(provider.pause_until.unwrap());
    assert!((14..=60).contains(&open_for), "{open_for}");
    assert_eq!(tick(&database, SECOND).await, Enqueued::Paused);

    // The operator's own sync does not care.
    sync_now(&database, &entry(), &file("three_answers/first.xml")).await.unwrap();
    let provider = provider_of(&database, SLUG).await;
    assert_eq!((provider.failures, provider.pause_until, provider.pause_reason), (0, None, None));
    id_of(tick(&database, 2 * SECOND).await);
}

async fn a_run_whose_job_was_given_up_is_closed_by_the_next_one(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let dead = id_of(tick(&database, SECOND).await);
    set(&database, dead, "state = 'dead'").await;
    sync_now(&database, &entry(), &file("three_answers/first.xml")).await.unwrap();
    let runs = runs_of(&database, SLUG).await;
    assert_eq!((runs[0].state, runs[0].reason_code.as_deref()), (RunState::Failed, Some("abandoned")));
    assert_eq!(runs[1].state, RunState::Succeeded);
}
