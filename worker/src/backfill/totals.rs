//! Computes the totals of days that are not valid: after the migration that added them, or because a program of an earlier release has
//! changed events since.

use entity::{daily_total, deadline, footprint::Scope, provider};
use sea_orm::{DatabaseConnection, DbErr, QuerySelect};

use super::{Backfill, begin_locked};

/// The totals of all providers. Calendars count events until they are valid.
#[derive(Clone, Copy, Debug)]
pub struct Totals;

impl Backfill for Totals {
    const KIND: &'static str = "totals_backfill";
    /// They are equal to the counts before.
    const SCOPES: &'static [Scope] = &[];

    async fn fill(database: &DatabaseConnection) -> Result<u64, DbErr> {
        let mut filled = 0;
        for provider_id in deadline::within(deadline::BULK, database, find_invalid(database)).await? {
            filled += u64::from(deadline::within(deadline::BULK, database, fill_provider(database, provider_id)).await?);
        }
        Ok(filled)
    }
}

/// The providers with totals that are not valid.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn find_invalid(database: &DatabaseConnection) -> Result<Vec<i32>, DbErr> {
    daily_total::select_invalid().select_only().column(provider::Column::Id).into_tuple().all(database).await
}

async fn fill_provider(database: &DatabaseConnection, provider_id: i32) -> Result<bool, DbErr> {
    let transaction = begin_locked(database, provider_id).await?;
    let were_invalid = daily_total::complete(&transaction, provider_id).await?;
    transaction.commit().await?;
    Ok(were_invalid)
}
