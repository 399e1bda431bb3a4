//! Computes the totals of days that are not valid: after the first load of a provider, after the migration that added them, or because a
//! program of an earlier release has changed events since.

use std::{iter, time::Duration};

use entity::{
    daily_total::{self, TotalsProgress},
    deadline,
    footprint::Scope,
    job::{self, JobState},
    provider,
};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect};
use tokio::time::{Instant, sleep};

use super::{Backfill, begin_locked, listings::Listings};
use crate::database::WRITE_PAUSE;

/// How long a transaction is continued: much shorter than the time that other writers wait.
const PART_TIME: Duration = Duration::from_millis(250);

/// The totals of all providers. Calendars count events until they are valid.
#[derive(Clone, Copy, Debug)]
pub struct Totals;

impl Backfill for Totals {
    const KIND: &'static str = "totals_backfill";
    /// They are equal to the counts before.
    const SCOPES: &'static [Scope] = &[];

    async fn fill(database: &DatabaseConnection) -> Result<u64, DbErr> {
        let providers = deadline::within(deadline::BULK, database, find_invalid(database)).await?;
        let mut failure = None;
        for &provider_id in &providers {
            if let Err(error) = fill_provider(database, provider_id).await {
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(providers.len() as u64), Err)
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

/// Computes all rows of a provider. Each change by a worker of an earlier release makes it begin again. After the second time it goes on
/// with the next provider, because the job is soon enqueued again.
async fn fill_provider(database: &DatabaseConnection, provider_id: i32) -> Result<(), DbErr> {
    let mut begun = 0;
    loop {
        let begun_at = Instant::now();
        match deadline::within(deadline::BULK, database, fill_part(database, provider_id)).await? {
            TotalsProgress::Complete => return Ok(()),
            TotalsProgress::Begun if begun == 2 => return Ok(()),
            TotalsProgress::Begun => begun += 1,
            TotalsProgress::Continued => {}
        }
        // Others have the provider's row for as long as this part had it.
        sleep(begun_at.elapsed().max(WRITE_PAUSE)).await;
    }
}

/// Computes rows for [`PART_TIME`].
async fn fill_part(database: &DatabaseConnection, provider_id: i32) -> Result<TotalsProgress, DbErr> {
    let begun_at = Instant::now();
    let transaction = begin_locked(database, provider_id).await?;
    let mut progress = daily_total::compute_more(&transaction, provider_id).await?;
    while progress != TotalsProgress::Complete && begun_at.elapsed() < PART_TIME {
        if daily_total::compute_more(&transaction, provider_id).await? == TotalsProgress::Complete {
            progress = TotalsProgress::Complete;
        }
    }
    transaction.commit().await?;
    Ok(progress)
}
