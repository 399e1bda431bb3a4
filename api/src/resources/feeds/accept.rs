//! The one transaction in which a document, or a wish for a copy, is stored and queued.

use entity::{
    UtcInstant, begin_write,
    job::{JobKind, PushJob, SyncJob, queue},
    provider, pushed_feed,
    sync_run::{self, RunState},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, Statement,
};
use uuid::Uuid;

use super::{body::Pushed, request::FeedRequest};
use crate::error::ApiError;

/// Documents of one provider that may wait: at one a second more than a quarter of an hour.
const MAX_WAITING: u64 = 1_000;

/// A document that is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AcceptedFeed {
    pub(super) id: i64,
    /// None if it is rehearsed.
    pub(super) run_id: Option<i64>,
}

/// Stores and queues a document, or finds it under its key.
pub(super) async fn feed(
    database: &DatabaseConnection,
    slug: &str,
    pushed: Pushed,
    wanted: &FeedRequest,
) -> Result<AcceptedFeed, ApiError> {
    let transaction = begin_write(database).await?;
    let accepted = feed_within(&transaction, slug, pushed, wanted).await;
    end(transaction, accepted).await
}

/// Queues a copy of a provider's catalogue, or finds the one that waits, and says which run it is.
pub(super) async fn sync(database: &DatabaseConnection, slug: &str) -> Result<i64, ApiError> {
    let transaction = begin_write(database).await?;
    let accepted = sync_within(&transaction, slug).await;
    end(transaction, accepted).await
}

async fn end<T>(transaction: DatabaseTransaction, accepted: Result<T, ApiError>) -> Result<T, ApiError> {
    match accepted {
        Ok(accepted) => {
            transaction.commit().await?;
            Ok(accepted)
        }
        Err(error) => {
            transaction.rollback().await?;
            Err(error)
        }
    }
}

async fn feed_within(
    transaction: &DatabaseTransaction,
    slug: &str,
    Pushed { coding, body, hash }: Pushed,
    wanted: &FeedRequest,
) -> Result<AcceptedFeed, ApiError> {
    let provider = find(transaction, slug).await?;
    take_turn(transaction, slug).await?;
    let of_provider = || pushed_feed::Entity::find().filter(pushed_feed::COLUMN.provider_id.eq(provider.id));
    let key = wanted.key.as_ref().map(|key| key.as_str().to_owned());
    if let Some(key) = &key
        && let Some(earlier) = of_provider().filter(pushed_feed::COLUMN.idempotency_key.eq(key.as_str())).one(transaction).await?
    {
        let is_same = earlier.body_hash == hash;
        return if is_same {
            Ok(AcceptedFeed { id: earlier.id, run_id: earlier.sync_run_id })
        } else {
            Err(ApiError::IdempotencyKeyReused)
        };
    }
    if of_provider().filter(pushed_feed::Column::SettledAt.is_null()).count(transaction).await? >= MAX_WAITING {
        return Err(ApiError::QueueFull);
    }
    let job_id = enqueue(transaction, &PushJob::new(slug, Uuid::new_v4().to_string())).await?;
    let run_id = if wanted.is_dry_run {
        None
    } else {
        Some(sync_run::ActiveModel::of_job(provider.id, job_id, RunState::Queued).insert(transaction).await?.id)
    };
    let document = pushed_feed::ActiveModel {
        id: NotSet,
        provider_id: Set(provider.id),
        job_id: Set(job_id),
        sync_run_id: Set(run_id),
        mode: Set(wanted.mode),
        coding: Set(coding.to_owned()),
        body: Set(Some(body)),
        body_hash: Set(hash),
        idempotency_key: Set(key),
        accepted_at: Set(UtcInstant::now()),
        settled_at: Set(None),
        outcome: Set(None),
    };
    // What was sent is not read back.
    let id = pushed_feed::Entity::insert(document).exec(transaction).await?.last_insert_id;
    Ok(AcceptedFeed { id, run_id })
}

async fn sync_within(transaction: &DatabaseTransaction, slug: &str) -> Result<i64, ApiError> {
    let provider = find(transaction, slug).await?;
    take_turn(transaction, slug).await?;
    if let Some(queued) = queue::find_queued::<SyncJob>(transaction, &SyncJob::lane_of(slug)).await?
        && let Some(run) = sync_run::select_queued(provider.id, queued.id).one(transaction).await?
    {
        return Ok(run.id);
    }
    let job_id = enqueue(transaction, &SyncJob::new(slug, format!("now/{}", Uuid::new_v4()))).await?;
    Ok(sync_run::ActiveModel::of_job(provider.id, job_id, RunState::Queued).insert(transaction).await?.id)
}

async fn find(transaction: &DatabaseTransaction, slug: &str) -> Result<provider::Model, ApiError> {
    let found = provider::Entity::find().filter(provider::COLUMN.slug.eq(slug)).one(transaction).await?;
    found.filter(|provider| provider.retired_at.is_none()).ok_or(ApiError::NotFound { what: "provider" })
}

async fn enqueue<K: JobKind>(transaction: &DatabaseTransaction, job: &K) -> Result<i64, ApiError> {
    let added = queue::enqueue(transaction, job).await?;
    Ok(added.ok_or_else(|| DbErr::RecordNotInserted)?)
}

/// Lets one after the other be accepted of a provider, so that the numbers of jobs rise in the order in which they become visible; the
/// provider's own row is held for seconds by whoever writes its copy. On SQLite every writer is alone anyway.
async fn take_turn(transaction: &DatabaseTransaction, slug: &str) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended('pushed_feed ' || $1, 0))";
        transaction.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [slug.into()])).await?;
    }
    Ok(())
}
