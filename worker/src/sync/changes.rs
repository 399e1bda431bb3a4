//! The changes of a feed, batch by batch: reads what differs again, and compares it with the rows of the copy.

use std::{collections::HashMap, iter, sync::Arc};

use entity::{Ahead, UtcInstant, base_event, database_now, deadline, event, key_chunks};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    SyncError,
    churn_guard::ChurnGuard,
    diff::{self, CopiedBaseEvent, CopyChanges, FeedOrigin},
    price_guard::PriceGuard,
    record::ChangeRecorder,
    report::Counts,
    summary::{BaseEventDetail, Element, FeedComparison, FeedSummary, SpooledFeed},
    tombstones::Tombstones,
};
use crate::{
    progress::{ProgressCounter, ProgressStage},
    provider::format::FeedReadError,
};

/// Size of the part of a feed that is in memory as items while it is written. Two such parts are: one is read while another is written.
const BYTES_PER_BATCH: usize = 512 * 1024;
/// Removed base events in one batch.
const REMOVED_PER_BATCH: usize = 4096;

/// The changes of one feed.
#[derive(Debug)]
pub(super) struct FeedChanges<'a> {
    origin: FeedOrigin,
    feed: &'a SpooledFeed,
    changed: Ahead<Result<Vec<BaseEventDetail>, FeedReadError>>,
    removed: Vec<Uuid>,
    progress: &'a ProgressCounter,
    counts: Counts,
    is_visible: bool,
    recorder: Option<ChangeRecorder>,
    price_guard: Option<PriceGuard>,
    churn_guard: Option<ChurnGuard>,
}

impl<'a> FeedChanges<'a> {
    /// Begins to read the feed again. Without a recorder nothing is recorded: for a first load, and if nothing will be written.
    pub(super) fn new(
        origin: FeedOrigin,
        feed: &'a Arc<SpooledFeed>,
        summary: &Arc<FeedSummary>,
        comparison: FeedComparison,
        recorder: Option<ChangeRecorder>,
        progress: &'a ProgressCounter,
    ) -> Self {
        let FeedComparison { changed, removed, unchanged_events, .. } = comparison;
        progress.begin(ProgressStage::Writing, Some((changed.len() + removed.len()) as u64));
        let counts = Counts {
            fetched: summary.event_count,
            rejected: summary.rejects.count,
            warned: summary.warnings.count,
            unchanged: unchanged_events,
            ..Counts::default()
        };
        Self {
            origin,
            feed,
            changed: read_ahead(feed.clone(), summary.clone(), changed),
            removed,
            progress,
            counts,
            is_visible: false,
            recorder,
            price_guard: None,
            churn_guard: None,
        }
    }

    /// Compares the prices with those of the copy. Not for a first load, which no reader has seen before.
    pub(super) fn guard_prices(self, price_guard: PriceGuard) -> Self {
        Self { price_guard: Some(price_guard), ..self }
    }

    /// Compares the ids with those of the copy.
    pub(super) fn guard_ids(self, churn_guard: Option<ChurnGuard>) -> Self {
        Self { churn_guard: churn_guard.map(ChurnGuard::restart), ..self }
    }

    /// The next batch; `None` after the last one.
    pub(super) async fn next(&mut self, database: &impl ConnectionTrait) -> Result<Option<CopyChanges>, SyncError> {
        let (size, copied, mut changes) = if let Some(batch) = self.changed.next().await.map_err(SyncError::Panic)? {
            let mut details = batch?;
            let copied_ids = details.iter().filter(|detail| detail.is_copied).map(|detail| detail.id).collect();
            let copied = deadline::within(deadline::BULK, database, fetch_copied(database, copied_ids)).await?;
            let size = details.len();
            let ids = &self.feed.ids;
            let fetching = Tombstones::fetch(database, self.origin.provider_id);
            let tombstones = deadline::within(deadline::BULK, database, fetching).await?;
            let removed = tombstones.remove_items(&mut details, (&copied, ids));
            let mut changes = diff::diff_changed(&details, &copied, (self.origin, ids));
            changes.counts.unchanged += removed;
            (size, copied, changes)
        } else if self.removed.is_empty() {
            return Ok(None);
        } else {
            let batch = self.removed.split_off(self.removed.len().saturating_sub(REMOVED_PER_BATCH));
            let size = batch.len();
            let copied = deadline::within(deadline::BULK, database, fetch_copied(database, batch)).await?;
            let changes = diff::diff_removed(&copied);
            (size, copied, changes)
        };
        // In the transaction, which has locked the provider's row: every boundary that was handled before is earlier.
        let now = deadline::within(deadline::SHORT, database, database_now(database)).await?;
        set_next_boundaries(&mut changes, &copied, now);
        if let Some(recorder) = &mut self.recorder {
            recorder.add(database, &copied, &mut changes).await?;
        }
        self.progress.add(size as u64);
        self.counts.add(changes.counts);
        if let Some(price_guard) = &mut self.price_guard {
            price_guard.add(&copied, &changes, &self.counts)?;
        }
        if let Some(churn_guard) = &mut self.churn_guard {
            churn_guard.add(&copied, &changes)?;
        }
        // Shown events may share venues and performers, and they are resources of their own in the API.
        self.is_visible |= changes.visible || !changes.venues.is_empty() || !changes.performers.is_empty();
        Ok(Some(changes))
    }

    /// Whether there is no previous state, so that nothing is recorded.
    pub(super) fn is_first_load(&self) -> bool {
        self.recorder.is_none()
    }

    pub(super) fn origin(&self) -> FeedOrigin {
        self.origin
    }

    /// The counts of the feed and of the batches so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// What the batches have changed.
    pub(super) fn into_recorder(self) -> Option<ChangeRecorder> {
        self.recorder
    }

    /// Whether a reader can see any of the batches so far.
    pub(super) fn is_visible(&self) -> bool {
        self.is_visible
    }
}

/// Reads base events again, batch by batch, while earlier ones are written.
fn read_ahead(
    feed: Arc<SpooledFeed>,
    summary: Arc<FeedSummary>,
    changed: Vec<Element>,
) -> Ahead<Result<Vec<BaseEventDetail>, FeedReadError>> {
    let mut rest = changed.into_iter().peekable();
    Ahead::new(iter::from_fn(move || {
        let first = rest.next()?;
        let mut bytes = summary.count_bytes(&first);
        let mut fits = |next: &Element| {
            bytes += summary.count_bytes(next);
            bytes <= BYTES_PER_BATCH
        };
        let batch = iter::once(first).chain(iter::from_fn(|| rest.next_if(&mut fits)));
        Some(batch.map(|first| feed.read_detail(&summary, &first)).collect())
    }))
}

/// Sets when time changes the events next. A boundary that has passed but was not handled yet remains the next one.
fn set_next_boundaries(changes: &mut CopyChanges, copied: &HashMap<Uuid, CopiedBaseEvent>, now: UtcInstant) {
    for event in changes.new_events.iter_mut().chain(&mut changes.changed_events) {
        let previous = copied.get(&event.base_event_id).and_then(|copied| copied.events.get(&event.id));
        event.next_boundary_at = event.continue_boundaries(previous, now);
    }
}

/// Fetches base events of the copy with their events.
pub(super) async fn fetch_copied(
    database: &impl ConnectionTrait,
    base_events: Vec<Uuid>,
) -> Result<HashMap<Uuid, CopiedBaseEvent>, DbErr> {
    let mut copied = HashMap::new();
    for ids in key_chunks(base_events) {
        let rows = base_event::Entity::find().filter(base_event::COLUMN.id.is_in(ids.clone())).all(database).await?;
        copied.extend(rows.into_iter().map(|base_event| (base_event.id, CopiedBaseEvent { base_event, events: HashMap::new() })));
        let events = event::Entity::find().filter(event::COLUMN.base_event_id.is_in(ids)).all(database).await?;
        for event in events {
            if let Some(copied) = copied.get_mut(&event.base_event_id) {
                copied.events.insert(event.id, event);
            }
        }
    }
    Ok(copied)
}
