//! Stores and queues a pushed feed or a requested sync, in one transaction.

use entity::{
    begin_write, database_now,
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

use super::{body::FeedUpload, request::FeedRequest};
use crate::error::ApiError;

/// Queued documents of one provider: at one per second, more than a quarter of an hour.
const MAX_QUEUED: u64 = 1_000;

/// A queued document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AcceptedFeed {
    pub(super) id: i64,
    /// The sync run; none for a dry run.
    pub(super) run_id: Option<i64>,
}

/// Stores and queues a document, or returns the one that was accepted with the same key.
pub(super) async fn accept_feed(
    database: &DatabaseConnection,
    slug: &str,
    upload: FeedUpload,
    options: &FeedRequest,
) -> Result<AcceptedFeed, ApiError> {
    let transaction = begin_write(database).await?;
    let accepted = insert_feed(&transaction, slug, upload, options).await;
    finish(transaction, accepted).await
}

/// Queues a sync of a provider, unless one is queued already, and returns its run.
pub(super) async fn accept_sync(database: &DatabaseConnection, slug: &str) -> Result<i64, ApiError> {
    let transaction = begin_write(database).await?;
    let accepted = insert_sync(&transaction, slug).await;
    finish(transaction, accepted).await
}

async fn finish<T>(transaction: DatabaseTransaction, accepted: Result<T, ApiError>) -> Result<T, ApiError> {
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

async fn insert_feed(
    transaction: &DatabaseTransaction,
    slug: &str,
    FeedUpload { coding, body, hash }: FeedUpload,
    options: &FeedRequest,
) -> Result<AcceptedFeed, ApiError> {
    let provider = find_provider(transaction, slug).await?;
    lock_queue(transaction, slug).await?;
    let documents = || pushed_feed::Entity::find().filter(pushed_feed::COLUMN.provider_id.eq(provider.id));
    let key = options.key.as_ref().map(|key| key.as_str().to_owned());
    if let Some(key) = &key
        && let Some(earlier) = documents().filter(pushed_feed::COLUMN.idempotency_key.eq(key.as_str())).one(transaction).await?
    {
        return if earlier.body_hash == hash {
            Ok(AcceptedFeed { id: earlier.id, run_id: earlier.sync_run_id })
        } else {
            Err(ApiError::IdempotencyKeyReused)
        };
    }
    if documents().filter(pushed_feed::Column::SettledAt.is_null()).count(transaction).await? >= MAX_QUEUED {
        return Err(ApiError::QueueFull);
    }
    let job_id = enqueue(transaction, &PushJob::new(slug, Uuid::new_v4().to_string())).await?;
    let now = database_now(transaction).await?;
    let run_id = if options.is_dry_run {
        None
    } else {
        Some(sync_run::ActiveModel::of_job(provider.id, job_id, RunState::Queued, now).insert(transaction).await?.id)
    };
    let document = pushed_feed::ActiveModel {
        id: NotSet,
        provider_id: Set(provider.id),
        job_id: Set(job_id),
        sync_run_id: Set(run_id),
        mode: Set(options.mode),
        coding: Set(coding.to_owned()),
        body: Set(Some(body)),
        body_hash: Set(hash),
        idempotency_key: Set(key),
        accepted_at: Set(now),
        settled_at: Set(None),
        outcome: Set(None),
    };
    // Not `insert`, which would read the body back.
    let id = pushed_feed::Entity::insert(document).exec(transaction).await?.last_insert_id;
    Ok(AcceptedFeed { id, run_id })
}

async fn insert_sync(transaction: &DatabaseTransaction, slug: &str) -> Result<i64, ApiError> {
    let provider = find_provider(transaction, slug).await?;
    lock_queue(transaction, slug).await?;
    if let Some(queued) = queue::find_queued::<SyncJob>(transaction, &SyncJob::lane_of(slug)).await?
        && let Some(run) = sync_run::select_queued(provider.id, queued.id).one(transaction).await?
    {
        return Ok(run.id);
    }
    let job_id = enqueue(transaction, &SyncJob::new(slug, format!("now/{}", Uuid::new_v4()))).await?;
    let now = database_now(transaction).await?;
    Ok(sync_run::ActiveModel::of_job(provider.id, job_id, RunState::Queued, now).insert(transaction).await?.id)
}

async fn find_provider(transaction: &DatabaseTransaction, slug: &str) -> Result<provider::Model, ApiError> {
    let provider = provider::Entity::find().filter(provider::COLUMN.slug.eq(slug)).one(transaction).await?;
    provider.filter(|provider| provider.retired_at.is_none()).ok_or_else(|| ApiError::not_found("provider", slug))
}

async fn enqueue<K: JobKind>(transaction: &DatabaseTransaction, job: &K) -> Result<i64, ApiError> {
    let added = queue::enqueue(transaction, job).await?;
    Ok(added.ok_or_else(|| DbErr::RecordNotInserted)?)
}

/// Serializes the accepting of a provider's documents, so that job ids increase in the order in which they become visible. The provider's
/// row cannot serve as the lock, because a sync holds it for seconds. SQLite has only one writer.
async fn lock_queue(transaction: &DatabaseTransaction, slug: &str) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended('pushed_feed ' || $1, 0))";
        transaction.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [slug.into()])).await?;
    }
    Ok(())
}
