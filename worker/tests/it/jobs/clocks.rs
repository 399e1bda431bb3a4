//! The database's clock is set back: what was stored before lies in the future, and nothing may wait for that.

use std::{sync::Arc, time::Duration};

use entity::{
    ConnectionRole, UtcInstant, database_now,
    job::{self, JobState, LeaseRenewal, RetryOutcome, queue as jobs},
    provider, sync_run,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseConnection, EntityTrait, IntoActiveModel};
use worker::{
    jobs::pause::{self, PauseReason},
    schedule::tick::{TickOutcome, enqueue_tick, forget_future_tick},
    sync::register,
};

use super::{LONG, claim_next, enqueue, find_job, update};
use crate::{copy::provider_of, entries};

on_every_backend!(
    a_queued_job_is_due,
    a_retried_job_is_due,
    a_lease_begins_again,
    a_future_tick_of_a_provider_that_was_not_polled_since_is_enqueued,
    a_future_tick_of_a_provider_that_was_just_polled_is_only_corrected,
    a_tick_that_occurs_again_is_enqueued_beside_its_dead_job,
    a_pause_ends,
);

const SLUG: &str = "northstage";
const HOUR: Duration = Duration::from_secs(3_600);

/// Moves the instants of all rows by an hour, as if the clock had been set back by an hour.
async fn set_clock_back(database: &DatabaseConnection) {
    let micros = HOUR.as_micros() as i64;
    for job in job::Entity::find().all(database).await.unwrap() {
        let lease = job.lease_until.map(|until| until.0 + micros).map_or("NULL".to_owned(), |until| until.to_string());
        let assignment = format!("run_at = run_at + {micros}, changed_at = changed_at + {micros}, lease_until = {lease}");
        update(database, job.id, &assignment).await;
    }
    for provider in provider::Entity::find().all(database).await.unwrap() {
        let moved = provider::ActiveModel {
            last_tick_at: Set(provider.last_tick_at.map(|at| at + HOUR)),
            last_success_at: Set(provider.last_success_at.map(|at| at + HOUR)),
            pause_until: Set(provider.pause_until.map(|at| at + HOUR)),
            paused_at: Set(provider.paused_at.map(|at| at + HOUR)),
            ..provider.into_active_model()
        };
        moved.update(database).await.unwrap();
    }
}

/// A provider that was polled at the last full second.
async fn register_polled(database: &DatabaseConnection) -> UtcInstant {
    let provider = register::register(database, &entries::entry(SLUG, "http://127.0.0.1:1/feed", "")).await.unwrap();
    let tick = database_now(database).await.unwrap();
    let polled = provider::ActiveModel {
        last_tick_at: Set(Some(tick)),
        last_success_at: Set(Some(tick + Duration::from_millis(100))),
        ..provider.into_active_model()
    };
    polled.update(database).await.unwrap();
    tick
}

async fn tick(database: &DatabaseConnection, at: UtcInstant) -> TickOutcome {
    enqueue_tick(database, &entries::entry(SLUG, "http://127.0.0.1:1/feed", ""), Some(at)).await.unwrap()
}

async fn a_queued_job_is_due(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    set_clock_back(&database).await;
    assert_eq!(claim_next(&database, "w").await.unwrap().id, id);
}

async fn a_retried_job_is_due(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    enqueue(&database, "a", "lane").await;
    let claim = claim_next(&database, "w").await.unwrap();
    let retried = jobs::retry(&database, &claim, Duration::from_secs(300), "unavailable").await.unwrap();
    assert_eq!((retried, claim_next(&database, "w").await), (RetryOutcome::Queued, None));
    set_clock_back(&database).await;
    assert_eq!(claim_next(&database, "w").await.unwrap().attempt, 2);
}

async fn a_lease_begins_again(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue(&database, "a", "lane").await;
    let claim = claim_next(&database, "w").await.unwrap();
    set_clock_back(&database).await;
    assert_eq!(claim_next(&database, "v").await, None, "its worker may be alive");
    let lease_until = find_job(&database, id).await.unwrap().lease_until.unwrap();
    let remaining = database_now(&database).await.unwrap().until(lease_until);
    assert!(LONG - Duration::from_secs(60) < remaining && remaining <= LONG, "{remaining:?}");
    assert_eq!(jobs::renew(&database, &claim, LONG).await.unwrap(), LeaseRenewal::Held);
    super::expire(&database, id).await;
    assert_eq!(claim_next(&database, "v").await.unwrap().id, id, "its worker is dead");
}

async fn a_future_tick_of_a_provider_that_was_not_polled_since_is_enqueued(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let now = register_polled(&database).await;
    let provider = provider_of(&database, SLUG).await;
    let future = provider::ActiveModel { last_tick_at: Set(Some(now + HOUR)), ..provider.into_active_model() };
    future.update(&database).await.unwrap();
    let later = now + Duration::from_secs(1);
    assert!(matches!(tick(&database, later).await, TickOutcome::Enqueued(_)));
    assert_eq!(provider_of(&database, SLUG).await.last_tick_at, Some(later));
    assert_eq!(tick(&database, later).await, TickOutcome::Handled);
}

async fn a_future_tick_of_a_provider_that_was_just_polled_is_only_corrected(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let now = register_polled(&database).await;
    set_clock_back(&database).await;
    assert_eq!(tick(&database, now).await, TickOutcome::Handled, "the poll shortly before is not doubled");
    assert_eq!(provider_of(&database, SLUG).await.last_tick_at, Some(now));
    assert!(matches!(tick(&database, now + Duration::from_secs(1)).await, TickOutcome::Enqueued(_)), "polling continues");

    // A worker that starts does not know when the clock was set back, so it polls.
    set_clock_back(&database).await;
    forget_future_tick(&database, &provider_of(&database, SLUG).await, now).await.unwrap();
    assert_eq!(provider_of(&database, SLUG).await.last_tick_at, None);
}

async fn a_tick_that_occurs_again_is_enqueued_beside_its_dead_job(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let now = register_polled(&database).await + Duration::from_secs(1);
    let TickOutcome::Enqueued(dead) = tick(&database, now).await else { panic!("not enqueued") };
    update(&database, dead, "state = 'dead'").await;
    let provider = provider_of(&database, SLUG).await;
    forget_future_tick(&database, &provider, now - HOUR).await.unwrap();
    let TickOutcome::Enqueued(second) = tick(&database, now).await else { panic!("not enqueued") };
    assert_ne!(dead, second);
    assert_eq!(find_job(&database, dead).await.unwrap().state, JobState::Dead);
    assert_eq!(sync_run::Entity::find().all(&database).await.unwrap().len(), 2);
}

async fn a_pause_ends(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let now = register_polled(&database).await;
    let id = provider_of(&database, SLUG).await.id;
    pause::pause(&database, id, Duration::from_secs(60), PauseReason::RetryAfter).await.unwrap();
    assert_eq!(tick(&database, now + Duration::from_millis(1)).await, TickOutcome::Paused);
    set_clock_back(&database).await;
    pause::pause(&database, id, Duration::ZERO, PauseReason::CacheControl).await.unwrap();
    let provider = provider_of(&database, SLUG).await;
    assert_eq!(provider.pause_reason.as_deref(), Some("cache_control"), "a pause in the future does not prevent a new one");
}
