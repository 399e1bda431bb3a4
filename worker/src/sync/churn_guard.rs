//! Rejects a feed in which most events are new and most known ones are gone: the provider has probably changed its ids, and every event
//! would be in the copy twice.
//!
//! Base events with new ids are found before anything is written. Events with new ids in known base events are found while the changes are
//! written, which are then rolled back.

use std::collections::{HashMap, HashSet};

use entity::{UtcInstant, database_now, event, key_chunks, provider};
use sea_orm::{ColumnTrait, Condition, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use super::{
    SyncError,
    diff::{CopiedBaseEvent, CopyChanges},
    guard::is_over,
    summary::{FeedComparison, FeedSummary},
};
use crate::provider::entry::ProviderEntry;

/// Counts the new events of a feed and the known ones that are gone.
#[derive(Debug)]
pub(super) struct ChurnGuard {
    allowed_share: f64,
    /// Events of the feed.
    fetched: usize,
    /// Events of the previous feed.
    before: usize,
    last_success_at: UtcInstant,
    now: UtcInstant,
    new: usize,
    gone: usize,
}

impl ChurnGuard {
    /// Counts the events of new and of removed base events, before anything is written; `None` for a first load.
    pub(super) async fn count(
        database: &DatabaseConnection,
        entry: &ProviderEntry,
        provider: &provider::Model,
        summary: &FeedSummary,
        comparison: &FeedComparison,
    ) -> Result<Option<Self>, DbErr> {
        let Some(last_success_at) = provider.last_success_at else { return Ok(None) };
        let mut guard = Self {
            allowed_share: entry.max_churn_share,
            fetched: summary.event_count,
            before: usize::try_from(provider.event_count).unwrap_or(0),
            last_success_at,
            now: database_now(database).await?,
            new: comparison.new_events,
            gone: 0,
        };
        // Rarely needed, and many statements.
        if is_over(guard.new, guard.fetched, guard.allowed_share) {
            guard.gone = guard.count_gone(database, &comparison.removed).await?;
        }
        Ok(Some(guard))
    }

    /// Starts to count again, batch by batch.
    pub(super) fn restart(self) -> Self {
        Self { new: 0, gone: 0, ..self }
    }

    /// Adds a batch of changes.
    ///
    /// # Errors
    ///
    /// As [`Self::decide`].
    pub(super) fn add(&mut self, copied: &HashMap<Uuid, CopiedBaseEvent>, changes: &CopyChanges) -> Result<(), SyncError> {
        let left: HashSet<Uuid> = changes.left.iter().copied().collect();
        let copied_events = copied.values().flat_map(|copied| copied.events.values());
        self.gone += copied_events.filter(|event| left.contains(&event.id) && !self.has_expired(event)).count();
        self.new += changes.new_events.len();
        self.decide()
    }

    /// # Errors
    ///
    /// When it is certain that too many ids have changed.
    pub(super) fn decide(&self) -> Result<(), SyncError> {
        let Self { allowed_share, fetched, before, new, gone, .. } = *self;
        if is_over(new, fetched, allowed_share) && is_over(gone, before, allowed_share) {
            return Err(SyncError::Churned { new, fetched, gone, before, allowed_share });
        }
        Ok(())
    }

    /// Whether an event has ended since the last run: feeds of the next days consist of other events each week.
    fn has_expired(&self, event: &event::Model) -> bool {
        self.last_success_at < event.ends_at && event.ends_at <= self.now
    }

    /// The events of removed base events that were in the previous feed and have not expired.
    async fn count_gone(&self, database: &DatabaseConnection, removed: &[Uuid]) -> Result<usize, DbErr> {
        let is_unexpired =
            Condition::any().add(event::Column::EndsAt.lte(self.last_success_at)).add(event::Column::EndsAt.gt(self.now));
        let mut gone = 0;
        for ids in key_chunks(removed.to_vec()) {
            let events = event::Entity::find()
                .filter(event::COLUMN.base_event_id.is_in(ids))
                .filter(event::COLUMN.left_at.is_null())
                .filter(is_unexpired.clone());
            gone += events.count(database).await?;
        }
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }
}
