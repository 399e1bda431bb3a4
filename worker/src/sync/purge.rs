//! Removes the whole catalogue of a provider for legal reasons.
//!
//! A first transaction hides the provider from readers, with `loading_since` as during a first load, and refuses its syncs. The rows are
//! then deleted in short transactions, because a large catalogue takes minutes and SQLite has one write lock. A purge that was interrupted
//! is completed by repeating it.

use std::time::Duration;

use entity::{
    UtcInstant, base_event, begin_write, change, chunks, daily_total, database_now, deadline, event, feed_page,
    footprint::{Footprint, Scope},
    listing, name_word, performer, provider, pushed_feed, reject, sync_run,
    takedown::{self, NO_FIELDS, REMOVED_TEXT},
    tombstone, undo, venue, webhook, word,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr,
    EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    database::WRITE_PAUSE,
    progress::{ProgressCounter, ProgressStage},
};

/// How long a transaction is continued: much shorter than the time that other writers wait.
const PART_TIME: Duration = Duration::from_secs(1);
/// Base events, venues or performers that are deleted together.
const ROWS_PER_STEP: u64 = 64;

/// How many rows of a provider are in the copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurgeCounts {
    /// Events, also those that were never shown.
    pub events: u64,
    /// Venues.
    pub venues: u64,
    /// Performers.
    pub performers: u64,
}

/// Counts what a purge would delete.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn count(database: &DatabaseConnection, provider_id: i32) -> Result<PurgeCounts, DbErr> {
    let events = event::Entity::find()
        .filter(
            event::Column::BaseEventId.in_subquery(
                base_event::Entity::find()
                    .select_only()
                    .column(base_event::Column::Id)
                    .filter(base_event::COLUMN.provider_id.eq(provider_id))
                    .into_query(),
            ),
        )
        .count(database);
    let venues = venue::Entity::find().filter(venue::COLUMN.provider_id.eq(provider_id)).count(database);
    let performers = performer::Entity::find().filter(performer::COLUMN.provider_id.eq(provider_id)).count(database);
    Ok(PurgeCounts { events: events.await?, venues: venues.await?, performers: performers.await? })
}

/// Removes everything of a provider. Its syncs are refused until it is readmitted.
///
/// # Errors
///
/// When the database is unavailable. The provider is hidden then, or nothing has changed.
pub async fn purge(
    database: &DatabaseConnection,
    provider_id: i32,
    reason: &str,
    progress: &ProgressCounter,
) -> Result<(), DbErr> {
    let counts = deadline::within(deadline::BULK, database, count(database, provider_id)).await?;
    let purge = deadline::within(deadline::BULK, database, hide(database, provider_id, reason)).await?;
    progress.begin(ProgressStage::Writing, Some(counts.events + counts.venues + counts.performers));
    while !deadline::within(deadline::BULK, database, purge.delete_part(database, progress)).await? {
        sleep(WRITE_PAUSE).await;
    }
    deadline::within(deadline::BULK, database, purge.finish(database)).await
}

/// Allows syncs of a provider again, and events of its purge. Events that were removed one by one are not allowed.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn readmit(database: &DatabaseConnection, provider_id: i32) -> Result<Readmission, DbErr> {
    let transaction = begin_write(database).await?;
    let provider = lock(&transaction, provider_id).await?;
    let readmission = match (provider.purged_at, provider.loading_since) {
        (None, _) => Readmission::NotPurged,
        (Some(_), Some(_)) => Readmission::Incomplete,
        (Some(purged_at), None) => {
            tombstone::Entity::delete_many()
                .filter(tombstone::COLUMN.provider_id.eq(provider_id))
                .filter(tombstone::COLUMN.removed_at.eq(purged_at))
                .exec(&transaction)
                .await?;
            let columns = provider::ActiveModel { purged_at: Set(None), ..provider.into_active_model() };
            columns.update(&transaction).await?;
            Readmission::Readmitted
        }
    };
    transaction.commit().await?;
    Ok(readmission)
}

/// Whether a provider was readmitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readmission {
    /// It was.
    Readmitted,
    /// It was not purged.
    NotPurged,
    /// Its purge was interrupted, and must be completed first.
    Incomplete,
}

/// A purge that has begun.
struct Purge<'a> {
    provider_id: i32,
    reason: &'a str,
    /// The instant of all its tombstones.
    purged_at: UtcInstant,
    /// Whether readers could see the provider before.
    was_visible: bool,
}

async fn lock(transaction: &DatabaseTransaction, provider_id: i32) -> Result<provider::Model, DbErr> {
    let provider = provider::Entity::find_by_id(provider_id).lock_exclusive().one(transaction).await?;
    provider.ok_or_else(|| DbErr::RecordNotFound(format!("provider {provider_id}")))
}

/// Hides the provider from readers, unless an earlier purge has done so.
async fn hide<'a>(database: &DatabaseConnection, provider_id: i32, reason: &'a str) -> Result<Purge<'a>, DbErr> {
    let transaction = begin_write(database).await?;
    let provider = lock(&transaction, provider_id).await?;
    let purged_at = match provider.purged_at {
        Some(purged_at) => purged_at,
        None => database_now(&transaction).await?,
    };
    let was_visible = provider.was_visible();
    if provider.purged_at.is_none() {
        webhook::forget_provider(&transaction, &provider.slug).await?;
        let loading_since = provider.loading_since.or(Some(purged_at));
        let columns = provider::ActiveModel {
            purged_at: Set(Some(purged_at)),
            loading_since: Set(loading_since),
            ..provider.into_active_model()
        };
        columns.update(&transaction).await?;
        feed_page::Entity::delete_many().filter(feed_page::COLUMN.provider_id.eq(provider_id)).exec(&transaction).await?;
        // Otherwise a revert could restore rows that are deleted now.
        undo::Entity::delete_many().filter(undo::COLUMN.provider_id.eq(provider_id)).exec(&transaction).await?;
        // A program of an earlier release may complete the purge, which leaves the rows.
        daily_total::invalidate(&transaction, provider_id).await?;
        let footprint = Footprint::all_of(&[Scope::Events, Scope::Concerts, Scope::Performers, Scope::Venues]);
        takedown::publish(&transaction, provider_id, &footprint.of_takedown(), Vec::new()).await?;
    }
    transaction.commit().await?;
    Ok(Purge { provider_id, reason, purged_at, was_visible })
}

impl Purge<'_> {
    /// Deletes rows for [`PART_TIME`], and returns whether these were the last ones.
    async fn delete_part(&self, database: &DatabaseConnection, progress: &ProgressCounter) -> Result<bool, DbErr> {
        let begun_at = Instant::now();
        let transaction = begin_write(database).await?;
        lock(&transaction, self.provider_id).await?;
        let mut removed = Vec::new();
        let mut is_complete = false;
        while begun_at.elapsed() < PART_TIME && !is_complete {
            let events = self.delete_base_events(&transaction).await?;
            let deleted = match &events {
                Some(events) => events.len() as u64,
                None => self.delete_venues(&transaction).await? + self.delete_performers(&transaction).await?,
            };
            progress.add(deleted);
            is_complete = events.is_none() && deleted == 0;
            removed.extend(events.unwrap_or_default().into_iter().filter(|event| event.shown && self.was_visible));
        }
        if !removed.is_empty() {
            let changes = removed.iter().map(|event| takedown::describe_left(event, self.provider_id)).collect();
            // Readers have not seen these rows since the provider was hidden.
            takedown::publish(&transaction, self.provider_id, &Footprint::default(), changes).await?;
        }
        transaction.commit().await?;
        Ok(is_complete)
    }

    /// Deletes some base events, and returns the events that they had; `None` if there are no base events.
    async fn delete_base_events(&self, transaction: &DatabaseTransaction) -> Result<Option<Vec<event::Model>>, DbErr> {
        let base_events: Vec<Uuid> = base_event::Entity::find()
            .select_only()
            .column(base_event::Column::Id)
            .filter(base_event::COLUMN.provider_id.eq(self.provider_id))
            .limit(ROWS_PER_STEP)
            .into_tuple()
            .all(transaction)
            .await?;
        if base_events.is_empty() {
            return Ok(None);
        }
        let events =
            event::Entity::find().filter(event::COLUMN.base_event_id.is_in(base_events.clone())).all(transaction).await?;
        for events in chunks(events.iter().collect()) {
            self.insert_tombstones(transaction, &events).await?;
            let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
            change::Entity::update_many()
                .col_expr(change::Column::Changed, NO_FIELDS.into())
                .col_expr(change::Column::States, None::<String>.into())
                .filter(change::COLUMN.event_id.is_in(ids.clone()))
                .exec(transaction)
                .await?;
            event::delete(transaction, ids).await?;
        }
        listing::refresh_base_events(transaction, base_events.clone()).await?;
        base_event::Entity::delete_many().filter(base_event::COLUMN.id.is_in(base_events)).exec(transaction).await?;
        Ok(Some(events))
    }

    async fn insert_tombstones(&self, transaction: &DatabaseTransaction, events: &[&event::Model]) -> Result<(), DbErr> {
        let tombstones = events.iter().filter(|event| event.shown && self.was_visible).map(|event| tombstone::ActiveModel {
            event_id: Set(event.id),
            base_event_id: Set(event.base_event_id),
            provider_id: Set(self.provider_id),
            removed_at: Set(self.purged_at),
            reason: Set(self.reason.to_owned()),
        });
        tombstone::Entity::insert_many(tombstones).exec_without_returning(transaction).await?;
        Ok(())
    }

    async fn delete_venues(&self, transaction: &DatabaseTransaction) -> Result<u64, DbErr> {
        let some = venue::Entity::find().select_only().column(venue::Column::Id);
        let some = some.filter(venue::COLUMN.provider_id.eq(self.provider_id)).limit(ROWS_PER_STEP);
        let ids: Vec<Uuid> = some.into_tuple().all(transaction).await?;
        name_word::delete(transaction, ids.clone()).await?;
        let deleted = venue::Entity::delete_many().filter(venue::COLUMN.id.is_in(ids)).exec(transaction).await?;
        Ok(deleted.rows_affected)
    }

    async fn delete_performers(&self, transaction: &DatabaseTransaction) -> Result<u64, DbErr> {
        let some = performer::Entity::find().select_only().column(performer::Column::Id);
        let some = some.filter(performer::COLUMN.provider_id.eq(self.provider_id)).limit(ROWS_PER_STEP);
        let ids: Vec<Uuid> = some.into_tuple().all(transaction).await?;
        name_word::delete(transaction, ids.clone()).await?;
        let deleted = performer::Entity::delete_many().filter(performer::COLUMN.id.is_in(ids)).exec(transaction).await?;
        Ok(deleted.rows_affected)
    }

    /// Deletes what is left outside of the copy, and resets the provider to one that was never synced.
    async fn finish(&self, database: &DatabaseConnection) -> Result<(), DbErr> {
        let transaction = begin_write(database).await?;
        let provider = lock(&transaction, self.provider_id).await?;
        self.delete_texts(&transaction).await?;
        word::Entity::delete_many().filter(word::COLUMN.provider_id.eq(self.provider_id)).exec(&transaction).await?;
        daily_total::delete(&transaction, self.provider_id).await?;
        let columns = provider::ActiveModel {
            loading_since: Set(None),
            last_success_at: Set(None),
            event_count: Set(0),
            reject_count: Set(0),
            etag: Set(None),
            last_modified: Set(None),
            body_hash: Set(None),
            reading_hash: Set(None),
            reverted_body_hash: Set(None),
            id_from: Set(None),
            unidentified_count: Set(0),
            totals_release: Set(provider.last_release.or(Some(daily_total::NO_RELEASE))),
            totals_through: Set(None),
            ..provider.into_active_model()
        };
        columns.update(&transaction).await?;
        transaction.commit().await
    }

    async fn delete_texts(&self, transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
        // A worker may have frozen it before it could see that the provider is hidden.
        if let Some(provider) = provider::Entity::find_by_id(self.provider_id).one(transaction).await? {
            webhook::forget_provider(transaction, &provider.slug).await?;
        }
        // Of events that no longer had a row.
        change::Entity::update_many()
            .col_expr(change::Column::Changed, NO_FIELDS.into())
            .filter(change::COLUMN.provider_id.eq(self.provider_id))
            .filter(change::COLUMN.kind.ne(change::ChangeKind::Left))
            .filter(change::COLUMN.changed.ne(NO_FIELDS))
            .exec(transaction)
            .await?;
        change::Entity::update_many()
            .col_expr(change::Column::States, None::<String>.into())
            .filter(change::COLUMN.provider_id.eq(self.provider_id))
            .filter(change::Column::States.is_not_null())
            .exec(transaction)
            .await?;
        let runs = sync_run::Entity::find().select_only().column(sync_run::Column::Id);
        let runs = runs.filter(sync_run::COLUMN.provider_id.eq(self.provider_id)).into_query();
        reject::Entity::delete_many().filter(reject::Column::SyncRunId.in_subquery(runs)).exec(transaction).await?;
        sync_run::Entity::update_many()
            .col_expr(sync_run::Column::Reason, REMOVED_TEXT.into())
            .filter(sync_run::COLUMN.provider_id.eq(self.provider_id))
            .filter(sync_run::Column::Reason.is_not_null())
            .exec(transaction)
            .await?;
        pushed_feed::Entity::update_many()
            .col_expr(pushed_feed::Column::Body, None::<Vec<u8>>.into())
            .col_expr(pushed_feed::Column::Outcome, None::<String>.into())
            .filter(pushed_feed::COLUMN.provider_id.eq(self.provider_id))
            .exec(transaction)
            .await?;
        Ok(())
    }
}
