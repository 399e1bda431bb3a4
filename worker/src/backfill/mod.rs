//! Writes what an earlier release could not: the values of columns and tables that migrations added. The migration enqueues the job, except
//! for totals, for which a worker looks every minute.

pub mod boundaries;
pub mod listings;
pub mod names;
pub mod totals;

use entity::{
    begin_write,
    footprint::{Footprint, Scope},
    provider,
    release::{self, Cause},
};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QuerySelect};

use crate::release_metrics;

/// The values that one migration added.
pub trait Backfill: Send + Sync + 'static {
    /// The kind of the job that writes them.
    const KIND: &'static str;
    /// Names under which previous releases stored this kind.
    const PREVIOUS_KINDS: &'static [&'static str] = &[];
    /// The responses that lack the values until then.
    const SCOPES: &'static [Scope];

    /// Writes those that are missing, in short transactions. Returns for how many items. It can be interrupted and repeated.
    fn fill(database: &DatabaseConnection) -> impl Future<Output = Result<u64, DbErr>> + Send;
}

/// Writes all values, and then makes the responses stale that lack them. Returns for how many items.
///
/// # Errors
///
/// When the database is unavailable. What was written remains.
pub async fn run<B: Backfill>(database: &DatabaseConnection) -> Result<u64, DbErr> {
    let filled = B::fill(database).await?;
    if !B::SCOPES.is_empty() {
        let footprint = Footprint::all_of(B::SCOPES);
        let transaction = begin_write(database).await?;
        release::publish(&transaction, (Cause::Backfill, None), &footprint).await?;
        transaction.commit().await?;
        release_metrics::count_release(Cause::Backfill, &footprint);
    }
    Ok(filled)
}

/// Begins a transaction in which no sync of the provider can read events before, and write them after it.
async fn begin_locked(database: &DatabaseConnection, provider_id: i32) -> Result<DatabaseTransaction, DbErr> {
    let transaction = begin_write(database).await?;
    provider::Entity::find_by_id(provider_id).lock_exclusive().one(&transaction).await?;
    Ok(transaction)
}
