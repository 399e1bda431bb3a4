//! What a tick of a schedule does: it enqueues one sync, once in the whole deployment.
//!
//! However many workers fire the tick, the provider's row says which tick was answered last, and only who raises it enqueues.

use entity::{
    UtcInstant, begin_write,
    job::{self, JobState, queue},
    provider, sync_run,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{LockBehavior, LockType},
};

use super::pause;
use crate::{
    provider::entry::ProviderEntry,
    sync::{ledger, register},
};

/// What a tick came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// This job answers it.
    Job(i64),
    /// A sync that has not begun yet answers it, too.
    Waiting,
    /// The provider is left alone for now.
    Paused,
    /// It was answered before.
    Known,
    /// Another worker is at the provider's row: to be asked again.
    Busy,
}

/// Enqueues the sync that answers a tick; `None` stands for the first copy of a provider that has had no tick yet.
///
/// # Errors
///
/// When the database is away.
pub async fn enqueue_tick(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    tick: Option<UtcInstant>,
) -> Result<Enqueued, DbErr> {
    let known = provider::Entity::find().filter(provider::COLUMN.slug.eq(entry.slug.as_str())).one(database).await?;
    let provider_id = match known {
        // A look first: of many workers all but one find the tick answered, and need no lock to see it.
        Some(provider) if !is_new(&provider, tick) => return Ok(Enqueued::Known),
        Some(provider) => provider.id,
        None => register::register(database, entry).await?.id,
    };
    let transaction = begin_write(database).await?;
    let enqueued = within(&transaction, entry, provider_id, tick).await?;
    transaction.commit().await?;
    Ok(enqueued)
}

async fn within(
    transaction: &DatabaseTransaction,
    entry: &ProviderEntry,
    provider_id: i32,
    tick: Option<UtcInstant>,
) -> Result<Enqueued, DbErr> {
    // Whoever writes the copy holds the row for seconds; a connection of the pool is not kept waiting for that.
    let free = provider::Entity::find_by_id(provider_id).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let Some(provider) = free.one(transaction).await? else { return Ok(Enqueued::Busy) };
    if !is_new(&provider, tick) {
        return Ok(Enqueued::Known);
    }
    let is_paused = pause::is_on(&provider, UtcInstant::now());
    if tick.is_some() {
        provider::ActiveModel { last_tick_at: Set(tick), ..provider.into_active_model() }.update(transaction).await?;
    }
    if is_paused {
        return Ok(Enqueued::Paused);
    }
    let what_for = tick.map_or_else(|| "first".to_owned(), |tick| tick.0.to_string());
    let job = sync_run::job(&entry.slug, &what_for);
    if tick.is_none() && is_live(transaction, &job.lane).await? {
        return Ok(Enqueued::Waiting);
    }
    if let Some(waiting) = find_waiting(transaction, &job.lane).await? {
        if ledger::is_queued(transaction, provider_id, waiting).await? {
            return Ok(Enqueued::Waiting);
        }
        // A retry that waits: the tick takes its place. It may have been claimed in this moment, and then it is under way.
        if queue::supersede(transaction, waiting, &job.key).await? {
            ledger::enter_queued(transaction, provider_id, waiting, tick).await?;
            return Ok(Enqueued::Job(waiting));
        }
    }
    let Some(job_id) = queue::enqueue(transaction, job).await? else { return Ok(Enqueued::Known) };
    ledger::enter_queued(transaction, provider_id, job_id, tick).await?;
    Ok(Enqueued::Job(job_id))
}

fn is_new(provider: &provider::Model, tick: Option<UtcInstant>) -> bool {
    match tick {
        Some(tick) => provider.last_tick_at.is_none_or(|last| last < tick),
        None => provider.last_success_at.is_none(),
    }
}

async fn is_live(transaction: &DatabaseTransaction, lane: &str) -> Result<bool, DbErr> {
    let live = job::Entity::find().filter(job::COLUMN.lane.eq(lane)).filter(job::COLUMN.state.ne(JobState::Dead));
    Ok(live.one(transaction).await?.is_some())
}

async fn find_waiting(transaction: &DatabaseTransaction, lane: &str) -> Result<Option<i64>, DbErr> {
    job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::COLUMN.lane.eq(lane))
        .filter(job::COLUMN.kind.eq(sync_run::JOB_KIND))
        .filter(job::COLUMN.state.eq(JobState::Queued))
        .order_by_asc(job::Column::Id)
        .into_tuple()
        .one(transaction)
        .await
}
