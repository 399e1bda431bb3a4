//! Computes the totals of days that are not valid: after the first load of a provider, after the migration that added them, or because a
//! program of an earlier release has changed events since.

use std::{iter, time::Duration};

use entity::{
    daily_total, deadline,
    footprint::Scope,
    job::{self, JobState},
    provider,
};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect};
use tokio::time::{Instant, sleep};

use super::{Backfill, begin_locked, listings::Listings};
use crate::database::WRITE_PAUSE;

/// How long a transaction is continued: much shorter than the time that other writers wait.
const PART_TIME: Duration = Duration::from_secs(1);

/// The totals of all providers. Calendars count events until they are valid.
#[derive(Clone, Copy, Debug)]
pub struct Totals;

impl Backfill for Totals {
    const KIND: &'static str = "totals_backfill";
    /// They are equal to the counts before.
    const SCOPES: &'static [Scope] = &[];

    async fn fill(database: &DatabaseConnection) -> Result<u64, DbErr> {
        let providers = deadline::within(deadline::BULK, database, find_invalid(database)).await?;
        for &provider_id in &providers {
            while deadline::within(deadline::BULK, database, fill_part(database, provider_id)).await? {
                sleep(WRITE_PAUSE).await;
            }
        }
        Ok(providers.len() as u64)
    }
}

/// The providers with totals that are not valid; none while listings are written, from which totals are computed.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn find_invalid(database: &DatabaseConnection) -> Result<Vec<i32>, DbErr> {
    let kinds = iter::once(Listings::KIND).chain(Listings::PREVIOUS_KINDS.iter().copied());
    let unfinished = job::Entity::find().filter(job::COLUMN.kind.is_in(kinds)).filter(job::COLUMN.state.ne(JobState::Dead));
    if unfinished.one(database).await?.is_some() {
        return Ok(Vec::new());
    }
    daily_total::select_invalid().select_only().column(provider::Column::Id).into_tuple().all(database).await
}

/// Computes rows for [`PART_TIME`]. Returns whether rows are missing after that.
async fn fill_part(database: &DatabaseConnection, provider_id: i32) -> Result<bool, DbErr> {
    let begun_at = Instant::now();
    let transaction = begin_locked(database, provider_id).await?;
    let mut are_missing = true;
    while are_missing && begun_at.elapsed() < PART_TIME {
        are_missing = daily_total::compute_more(&transaction, provider_id).await?;
    }
    transaction.commit().await?;
    Ok(are_missing)
}
