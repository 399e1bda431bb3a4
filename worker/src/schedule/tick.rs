//! Enqueues one sync per tick, once in the whole deployment.
//!
//! However many workers fire a tick, the provider's row stores the last one that was handled, and only the worker that advances it
//! enqueues. A stored tick in the future is corrected: the clock was set back since.

use entity::{
    UtcInstant, begin_write, database_now,
    job::{self, JobKind, JobState, SyncJob, queue},
    provider, sync_run,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    sea_query::{LockBehavior, LockType},
};

use crate::{
    provider::entry::ProviderEntry,
    sync::{ledger, register},
};

/// How a tick was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickOutcome {
    /// This job was enqueued.
    Enqueued(i64),
    /// A sync that has not started yet covers it.
    Covered,
    /// The provider is paused.
    Paused,
    /// It was handled before.
    Handled,
    /// Another worker has locked the provider's row; try again.
    Locked,
}

/// Enqueues the sync of a tick; `None` is the first copy of a provider that has had no tick yet.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn enqueue_tick(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    tick: Option<UtcInstant>,
) -> Result<TickOutcome, DbErr> {
    let stored = provider::Entity::find().filter(provider::COLUMN.slug.eq(entry.slug.as_str())).one(database).await?;
    let provider_id = match stored {
        // Checked without a lock first: all workers but one find that the tick was handled.
        Some(provider) if !is_new(&provider, tick) && !has_future_tick(database, &provider, tick).await? => {
            return Ok(TickOutcome::Handled);
        }
        Some(provider) => provider.id,
        None => register::register(database, entry).await.map_err(DbErr::from)?.id,
    };
    let transaction = begin_write(database).await?;
    let outcome = enqueue_within(&transaction, entry, provider_id, tick).await?;
    transaction.commit().await?;
    Ok(outcome)
}

async fn enqueue_within(
    transaction: &DatabaseTransaction,
    entry: &ProviderEntry,
    provider_id: i32,
    tick: Option<UtcInstant>,
) -> Result<TickOutcome, DbErr> {
    // A sync locks the row for seconds while it writes; a connection of the pool must not wait for that.
    let unlocked = provider::Entity::find_by_id(provider_id).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let Some(provider) = unlocked.one(transaction).await? else { return Ok(TickOutcome::Locked) };
    let now = database_now(transaction).await?;
    let future_tick = provider.last_tick_at.filter(|last| tick.is_some() && last.is_from_future(now));
    if future_tick.is_none() && !is_new(&provider, tick) {
        return Ok(TickOutcome::Handled);
    }
    let is_paused = provider.paused_until(now).is_some();
    let last_success_at = provider.last_success_at;
    if tick.is_some() {
        provider::ActiveModel { last_tick_at: Set(tick), ..provider.into_active_model() }.update(transaction).await?;
    }
    if let Some(last) = future_tick {
        warn_about_future_tick(&entry.slug, last, now);
        // The tick in the future was handled, by a poll shortly before the clock was set back.
        if last_success_at >= tick {
            return Ok(TickOutcome::Handled);
        }
    }
    if is_paused {
        return Ok(TickOutcome::Paused);
    }
    // A tick occurs again after the clock was set back, and the dead job of its first time still has its key.
    let trigger = tick.map_or_else(|| "first".to_owned(), |tick| format!("{}/{}", tick.0, now.0));
    let job = SyncJob::new(&entry.slug, trigger);
    let lane = job.lane();
    if tick.is_none() && has_live_job(transaction, &lane).await? {
        return Ok(TickOutcome::Covered);
    }
    if let Some(queued) = queue::find_queued::<SyncJob>(transaction, &lane).await? {
        if sync_run::select_queued(provider_id, queued.id).one(transaction).await?.is_some() {
            return Ok(TickOutcome::Covered);
        }
        // A queued retry: the tick replaces it, unless it has just been claimed and is therefore running.
        if queue::supersede(transaction, queued.id, &job).await? {
            ledger::insert_queued(transaction, provider_id, queued.id, tick).await?;
            return Ok(TickOutcome::Enqueued(queued.id));
        }
    }
    let Some(job_id) = queue::enqueue(transaction, &job).await? else { return Ok(TickOutcome::Handled) };
    ledger::insert_queued(transaction, provider_id, job_id, tick).await?;
    Ok(TickOutcome::Enqueued(job_id))
}

/// Corrects a tick in the future, so that a tick that was missed since then is enqueued.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn forget_future_tick(database: &DatabaseConnection, provider: &provider::Model, now: UtcInstant) -> Result<(), DbErr> {
    let Some(last) = provider.last_tick_at.filter(|last| last.is_from_future(now)) else { return Ok(()) };
    warn_about_future_tick(&provider.slug, last, now);
    provider::Entity::update_many()
        .col_expr(provider::Column::LastTickAt, None::<i64>.into())
        .filter(provider::COLUMN.id.eq(provider.id))
        .filter(provider::COLUMN.last_tick_at.eq(last))
        .exec(database)
        .await?;
    Ok(())
}

fn warn_about_future_tick(slug: &str, last: UtcInstant, now: UtcInstant) {
    tracing::warn!(
        provider.slug = slug,
        tick.ahead_seconds = now.seconds_until(last),
        "the last tick is in the future, because the database's clock was set back: corrected"
    );
}

/// Whether a later tick was handled, and lies in the future.
async fn has_future_tick(
    database: &DatabaseConnection,
    provider: &provider::Model,
    tick: Option<UtcInstant>,
) -> Result<bool, DbErr> {
    match (tick, provider.last_tick_at) {
        (Some(tick), Some(last)) if tick < last => Ok(last.is_from_future(database_now(database).await?)),
        _ => Ok(false),
    }
}

fn is_new(provider: &provider::Model, tick: Option<UtcInstant>) -> bool {
    match tick {
        Some(tick) => provider.last_tick_at.is_none_or(|last| last < tick),
        None => provider.last_success_at.is_none(),
    }
}

async fn has_live_job(transaction: &DatabaseTransaction, lane: &str) -> Result<bool, DbErr> {
    let live = job::Entity::find().filter(job::COLUMN.lane.eq(lane)).filter(job::COLUMN.state.ne(JobState::Dead));
    Ok(live.one(transaction).await?.is_some())
}
