//! The first load of a provider: with other plans on PostgreSQL, and in parts on SQLite, if it is large.
//!
//! SQLite has one write lock. One transaction would hold it for minutes, and every other write would fail. The parts are committed in
//! short transactions instead, while `provider.loading_since` hides the provider from readers. The transaction that closes the run clears
//! it, so that readers see nothing or the whole feed. The parts of a load that failed stay hidden, and the next run continues with them.

use std::time::Duration;

use entity::{deadline, provider};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
};
use tokio::time::Instant;

use super::{SyncError, changes::FeedChanges, diff::FeedOrigin, summary::FeedComparison, write::CopyWriter};

/// A smaller load is one transaction. It takes about two seconds.
const MIN_BYTES: usize = 8 * 1024 * 1024;
/// How long a transaction is continued: with its last batch, shorter than the time that other writers wait.
const PART_TIME: Duration = Duration::from_millis(2500);
/// Settings of PostgreSQL with which rows are found by their keys. It has no statistics of the rows of the same transaction, so it would
/// read whole tables for each batch, which takes longer with each one. Plans that were cached before are discarded.
const PLAN_WITH_KEYS: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; \
     SET LOCAL enable_mergejoin = off; DISCARD PLANS";

/// Whether the changes are written in parts: a snapshot of a provider that readers have never seen.
pub(super) fn is_needed(database: &DatabaseConnection, provider: &provider::Model, comparison: &FeedComparison) -> bool {
    database.get_database_backend() == DbBackend::Sqlite
        && (provider.last_success_at.is_none() || provider.loading_since.is_some())
        && comparison.changed_bytes >= MIN_BYTES
}

/// Lets PostgreSQL find rows by their keys until the end of the transaction.
pub(super) async fn plan_with_keys(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        deadline::within(deadline::SHORT, transaction, transaction.execute_unprepared(PLAN_WITH_KEYS)).await?;
    }
    Ok(())
}

/// Writes changes for [`PART_TIME`], and hides them from readers. Returns whether these were the last ones.
pub(super) async fn write_part(
    transaction: &DatabaseTransaction,
    writer: &mut CopyWriter,
    changes: &mut FeedChanges<'_>,
) -> Result<bool, SyncError> {
    let begun_at = Instant::now();
    hide(transaction, changes.origin()).await?;
    while begun_at.elapsed() < PART_TIME {
        let Some(batch) = changes.next(transaction).await? else { return Ok(true) };
        writer.write(transaction, batch).await?;
    }
    Ok(false)
}

/// Hides the provider until a run is closed.
async fn hide(transaction: &DatabaseTransaction, origin: FeedOrigin) -> Result<(), DbErr> {
    provider::Entity::update_many()
        .col_expr(provider::Column::LoadingSince, origin.fetched_at.into())
        .filter(provider::COLUMN.id.eq(origin.provider_id))
        .filter(provider::Column::LoadingSince.is_null())
        .exec(transaction)
        .await?;
    Ok(())
}
