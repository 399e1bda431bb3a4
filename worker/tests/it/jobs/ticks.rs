//! Each tick is enqueued once, however many workers fire it, and pauses skip ticks.

use std::{sync::Arc, time::Duration};

use entity::{
    ConnectionRole, UtcInstant, database_now,
    job::{self, JobKind, SyncJob},
    provider, sync_run,
    sync_run::RunState,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseConnection, IntoActiveModel};
use worker::{
    jobs::pause::{self, PauseReason},
    provider::entry::ProviderEntry,
    schedule::tick::{TickOutcome, enqueue_tick},
    sync::{self, FeedSource, register},
};

use super::{LONG, update};
use crate::{
    copy::{provider_of, runs_of, sync_now},
    entries, fixtures,
};

on_every_backend!(
    a_tick_that_many_workers_fire_is_enqueued_once,
    a_queued_sync_covers_later_ticks,
    a_tick_during_a_sync_is_run_after_it,
    a_tick_replaces_a_queued_retry,
    the_first_copy_is_enqueued_once,
    a_pause_skips_ticks_until_it_ends,
    a_pause_is_never_shortened_and_never_longer_than_an_hour,
    the_circuit_opens_after_five_failures_and_a_success_closes_it,
    the_next_run_closes_the_run_of_a_dead_job,
);

const SLUG: &str = "northstage";
const SECOND: i64 = 1_000_000;

fn entry() -> ProviderEntry {
    entries::entry(SLUG, "http://127.0.0.1:1/feed", "")
}

fn file(name: &str) -> FeedSource {
    FeedSource::File(fixtures::path(name))
}

async fn tick(database: &DatabaseConnection, micros: i64) -> TickOutcome {
    // Retried while the row is locked, as the schedule does.
    loop {
        let outcome = enqueue_tick(database, &entry(), Some(UtcInstant(micros))).await.unwrap();
        if outcome != TickOutcome::Locked {
            return outcome;
        }
        tokio::task::yield_now().await;
    }
}

fn id_of(outcome: TickOutcome) -> i64 {
    let TickOutcome::Enqueued(id) = outcome else { panic!("{outcome:?}") };
    id
}

async fn claim_next(database: &DatabaseConnection) -> job::Claim {
    job::queue::claim(database, &[SyncJob::KIND], "w", LONG).await.unwrap().unwrap()
}

async fn states(database: &DatabaseConnection) -> Vec<(RunState, Option<i64>)> {
    runs_of(database, SLUG).await.iter().map(|run: &sync_run::Model| (run.state, run.tick_at.map(|at| at.0))).collect()
}

async fn a_tick_that_many_workers_fire_is_enqueued_once(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    register::register(&connection, &entry()).await.unwrap();
    for micros in [SECOND, 2 * SECOND] {
        let mut workers = vec![];
        for _ in 0..8 {
            let connection = database.connect(ConnectionRole::Worker).await;
            workers.push(tokio::spawn(async move { tick(&connection, micros).await }));
        }
        let mut outcomes = vec![];
        for worker in workers {
            outcomes.push(worker.await.unwrap());
        }
        outcomes.retain(|outcome| *outcome != TickOutcome::Handled);
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        let id = id_of(outcomes[0]);
        let enqueued = super::find_job(&connection, id).await.unwrap();
        assert_eq!(enqueued.lane, "sync/northstage");
        assert!(enqueued.key.starts_with(&format!("sync/northstage/{micros}/")), "{}", enqueued.key);
        assert!(job::queue::finish(&connection, &claim_next(&connection).await).await.unwrap());
    }
    assert_eq!(tick(&connection, SECOND).await, TickOutcome::Handled, "an older tick was handled before");
    let ticks: Vec<Option<i64>> = states(&connection).await.into_iter().map(|(_, tick)| tick).collect();
    assert_eq!(ticks, [Some(SECOND), Some(2 * SECOND)]);
}

async fn a_queued_sync_covers_later_ticks(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = id_of(tick(&database, SECOND).await);
    assert_eq!(tick(&database, 2 * SECOND).await, TickOutcome::Covered);
    assert_eq!(states(&database).await, [(RunState::Queued, Some(SECOND))]);
    let claim = claim_next(&database).await;
    assert_eq!(claim.id, id);
    sync::sync(&database, &entry(), &file("three_polls/first.xml"), &claim).await.unwrap();
    let runs = runs_of(&database, SLUG).await;
    assert_eq!((runs.len(), runs[0].state, runs[0].job_id), (1, RunState::Succeeded, Some(id)));
    assert!(super::find_job(&database, id).await.is_none(), "it was removed with its work");
}

async fn a_tick_during_a_sync_is_run_after_it(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    tick(&database, SECOND).await;
    let running = claim_next(&database).await;
    let next = id_of(tick(&database, 2 * SECOND).await);
    assert!(next > running.id);
    assert_eq!(job::queue::claim(&database, &[SyncJob::KIND], "v", LONG).await.unwrap(), None, "its lane is busy");
    assert!(job::queue::finish(&database, &running).await.unwrap());
    assert_eq!(claim_next(&database).await.id, next);
}

async fn a_tick_replaces_a_queued_retry(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    tick(&database, SECOND).await;
    let failed = claim_next(&database).await;
    sync::sync(&database, &entry(), &file("there_is_no_such_file.xml"), &failed).await.unwrap_err();
    job::queue::retry(&database, &failed, LONG, "unavailable").await.unwrap();
    assert_eq!(id_of(tick(&database, 2 * SECOND).await), failed.id);
    let claim = claim_next(&database).await;
    assert_eq!((claim.id, claim.attempt), (failed.id, 1), "due now, with all attempts");
    sync::sync(&database, &entry(), &file("three_polls/first.xml"), &claim).await.unwrap();
    assert_eq!(states(&database).await, [(RunState::Failed, Some(SECOND)), (RunState::Succeeded, Some(2 * SECOND))]);
}

async fn the_first_copy_is_enqueued_once(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    id_of(enqueue_tick(&database, &entry(), None).await.unwrap());
    assert_eq!(enqueue_tick(&database, &entry(), None).await.unwrap(), TickOutcome::Covered);
    let claim = claim_next(&database).await;
    assert_eq!(enqueue_tick(&database, &entry(), None).await.unwrap(), TickOutcome::Covered, "it is running");
    sync::sync(&database, &entry(), &file("three_polls/first.xml"), &claim).await.unwrap();
    assert_eq!(enqueue_tick(&database, &entry(), None).await.unwrap(), TickOutcome::Handled);
    assert_eq!(states(&database).await, [(RunState::Succeeded, None)]);
}

async fn a_pause_skips_ticks_until_it_ends(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let provider = register::register(&database, &entry()).await.unwrap();
    pause::pause(&database, provider.id, Duration::from_secs(600), PauseReason::RetryAfter).await.unwrap();
    assert_eq!(tick(&database, SECOND).await, TickOutcome::Paused);
    assert_eq!(tick(&database, SECOND).await, TickOutcome::Handled, "it was handled although it was skipped");
    assert!(states(&database).await.is_empty());
    let past = Some(database_now(&database).await.unwrap() - Duration::from_secs(1));
    let over = provider::ActiveModel { pause_until: Set(past), ..provider.into_active_model() };
    over.update(&database).await.unwrap();
    id_of(tick(&database, 3 * SECOND).await);
}

async fn a_pause_is_never_shortened_and_never_longer_than_an_hour(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = register::register(&database, &entry()).await.unwrap().id;
    let now = database_now(&database).await.unwrap();
    for (seconds, reason) in [(60, PauseReason::RetryAfter), (30, PauseReason::CacheControl)] {
        pause::pause(&database, id, Duration::from_secs(seconds), reason).await.unwrap();
        let provider = provider_of(&database, SLUG).await;
        assert!((58..=62).contains(&now.seconds_until(provider.pause_until.unwrap())), "{provider:?}");
        assert_eq!(provider.pause_reason.as_deref(), Some("retry_after"));
    }
    pause::pause(&database, id, Duration::from_secs(1_000_000), PauseReason::CacheControl).await.unwrap();
    let provider = provider_of(&database, SLUG).await;
    assert_eq!(provider.pause_reason.as_deref(), Some("cache_control"));
    let paused = now.seconds_until(provider.pause_until.unwrap());
    assert!((3600..3700).contains(&paused), "{paused}");
}

async fn the_circuit_opens_after_five_failures_and_a_success_closes_it(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = register::register(&database, &entry()).await.unwrap().id;
    for failures in 1..=4 {
        pause::count_failure(&database, id, false).await.unwrap();
        let provider = provider_of(&database, SLUG).await;
        assert_eq!((provider.failures, provider.pause_until), (failures, None));
    }
    let now = database_now(&database).await.unwrap();
    pause::count_failure(&database, id, false).await.unwrap();
    let provider = provider_of(&database, SLUG).await;
    assert_eq!((provider.failures, provider.pause_reason.as_deref()), (5, Some("circuit_open")));
    let open_for = now.seconds_until(provider.pause_until.unwrap());
    assert!((14..=60).contains(&open_for), "{open_for}");
    assert_eq!(tick(&database, SECOND).await, TickOutcome::Paused);

    // A sync by the operator ignores the pause.
    sync_now(&database, &entry(), &file("three_polls/first.xml")).await.unwrap();
    let provider = provider_of(&database, SLUG).await;
    assert_eq!((provider.failures, provider.pause_until, provider.pause_reason), (0, None, None));
    id_of(tick(&database, 2 * SECOND).await);
}

async fn the_next_run_closes_the_run_of_a_dead_job(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let dead = id_of(tick(&database, SECOND).await);
    update(&database, dead, "state = 'dead'").await;
    sync_now(&database, &entry(), &file("three_polls/first.xml")).await.unwrap();
    let runs = runs_of(&database, SLUG).await;
    assert_eq!((runs[0].state, runs[0].reason_code.as_deref()), (RunState::Failed, Some("abandoned")));
    assert_eq!(runs[1].state, RunState::Succeeded);
}
