//! Writes the changes of a feed to the copy in the caller's transaction, which has locked the provider's row: reads what differs again,
//! batch by batch, compares and writes.

use std::{collections::HashMap, sync::Arc};

use entity::{base_event, catalogue_version, event, event_performer, zone};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, Iterable, ModelTrait,
    PrimaryKeyToColumn, QueryFilter, QuerySelect, QueryTrait, sea_query::OnConflict,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    SyncError,
    chunks::chunks,
    diff::{self, CopiedBaseEvent, CopiedEvent, CopyChanges, FeedOrigin},
    fingerprint,
    report::Counts,
    summary::{BaseEventDetail, ChangedBaseEvent, FeedComparison, FeedSummary, SpooledFeed},
};
use crate::{
    progress::{ProgressCounter, ProgressStage},
    provider::format::FeedReadError,
};

/// Size of the part of a feed that is in memory as items while it is written. Two such parts are: one is read while another is written.
const BYTES_PER_BATCH: usize = 1024 * 1024;
/// Removed base events that are written in one batch.
const REMOVED_PER_BATCH: usize = 4096;

/// Writes what differs to the copy and returns what that changed.
pub(super) async fn apply(
    transaction: &DatabaseTransaction,
    origin: FeedOrigin<'_>,
    feed: &Arc<SpooledFeed>,
    summary: &Arc<FeedSummary>,
    comparison: FeedComparison,
    progress: &ProgressCounter,
) -> Result<Counts, SyncError> {
    let base_events = comparison.changed.len() + comparison.removed.len();
    progress.begin(ProgressStage::Writing, Some(base_events as u64));
    let mut writer = CopyWriter { transaction, origin, written: HashMap::new(), counts: Counts::default(), visible: false };
    writer.counts.fetched = summary.event_count;
    writer.counts.rejected = summary.rejects.count;
    writer.counts.unchanged = comparison.unchanged_events;

    let mut batches = read_ahead(feed.clone(), summary.clone(), comparison.changed);
    while let Some(batch) = batches.recv().await {
        let details = batch?;
        let copied_ids = details.iter().filter(|detail| detail.is_copied).map(|detail| detail.id).collect();
        let copied = fetch_copied(transaction, copied_ids).await?;
        writer.write(diff::diff_changed(&details, &copied, origin)).await?;
        progress.add(details.len() as u64);
    }
    for removed in comparison.removed.chunks(REMOVED_PER_BATCH) {
        let copied = fetch_copied(transaction, removed.to_vec()).await?;
        writer.write(diff::diff_removed(&copied)).await?;
        progress.add(removed.len() as u64);
    }
    if writer.visible {
        catalogue_version::increment(transaction).await?;
    }
    Ok(writer.counts)
}

/// Fetches base events of the copy with their events.
async fn fetch_copied(
    transaction: &DatabaseTransaction,
    base_events: Vec<Uuid>,
) -> Result<HashMap<Uuid, CopiedBaseEvent>, DbErr> {
    let mut copied = HashMap::new();
    for ids in chunks(base_events) {
        let rows = base_event::Entity::find().filter(base_event::COLUMN.id.is_in(ids.clone())).all(transaction).await?;
        copied.extend(rows.into_iter().map(|base_event| (base_event.id, CopiedBaseEvent { base_event, events: HashMap::new() })));
        let events = event::Entity::find().filter(event::COLUMN.base_event_id.is_in(ids)).all(transaction).await?;
        for event::Model { id, base_event_id, content_hash, first_seen_at, left_at, came_back_at, .. } in events {
            if let Some(copied) = copied.get_mut(&base_event_id) {
                copied.events.insert(id, CopiedEvent { content_hash, first_seen_at, left_at, came_back_at });
            }
        }
    }
    Ok(copied)
}

/// Reads base events again, batch by batch, while earlier ones are written.
fn read_ahead(
    feed: Arc<SpooledFeed>,
    summary: Arc<FeedSummary>,
    changed: Vec<ChangedBaseEvent>,
) -> mpsc::Receiver<Result<Vec<BaseEventDetail>, FeedReadError>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let mut rest = changed.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |changed: &&ChangedBaseEvent| {
                bytes += changed.bytes();
                bytes <= BYTES_PER_BATCH
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (batch, later) = rest.split_at(count);
            rest = later;
            let details = batch.iter().map(|changed| feed.read_detail(&summary, changed)).collect();
            // The receiver is gone because the sync has failed.
            if sender.blocking_send(details).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Writes the batches of one feed.
struct CopyWriter<'a> {
    transaction: &'a DatabaseTransaction,
    origin: FeedOrigin<'a>,
    /// Hashes of the venues and performers that were written, because many events share one.
    written: HashMap<Uuid, i64>,
    counts: Counts,
    /// Whether a reader can see any of it.
    visible: bool,
}

impl CopyWriter<'_> {
    async fn write(&mut self, mut changes: CopyChanges) -> Result<(), DbErr> {
        self.counts.add(changes.counts);
        self.visible |= changes.visible;
        let transaction = self.transaction;
        upsert(transaction, changes.base_events).await?;
        changes.venues.retain(|id, venue| is_unwritten(&mut self.written, *id, fingerprint::hash_venue(venue)));
        changes.performers.retain(|id, performer| is_unwritten(&mut self.written, *id, fingerprint::hash_performer(performer)));
        // Shown events may share them, and they are resources of their own in the API.
        self.visible |= !changes.venues.is_empty() || !changes.performers.is_empty();
        upsert(transaction, changes.venues.into_values().collect()).await?;
        upsert(transaction, changes.performers.into_values().collect()).await?;
        insert(transaction, changes.new_events).await?;
        upsert(transaction, changes.changed_events).await?;
        for events in chunks(changes.replaced) {
            zone::Entity::delete_many().filter(zone::COLUMN.event_id.is_in(events.clone())).exec(transaction).await?;
            event_performer::Entity::delete_many()
                .filter(event_performer::COLUMN.event_id.is_in(events))
                .exec(transaction)
                .await?;
        }
        insert(transaction, changes.zones).await?;
        insert(transaction, changes.event_performers).await?;
        for base_events in chunks(changes.newly_shown) {
            show(transaction, base_events).await?;
        }
        for events in chunks(changes.left) {
            event::Entity::update_many()
                .col_expr(event::Column::LeftAt, self.origin.fetched_at.into())
                .col_expr(event::Column::LastSeenAt, self.origin.last_fetched_at.into())
                .filter(event::COLUMN.id.is_in(events))
                .exec(transaction)
                .await?;
        }
        for base_events in chunks(changes.removed_base_events) {
            base_event::Entity::update_many()
                .col_expr(base_event::Column::ContentHash, None::<i64>.into())
                .filter(base_event::COLUMN.id.is_in(base_events))
                .exec(transaction)
                .await?;
        }
        Ok(())
    }
}

/// Makes all events of these base events visible.
async fn show(transaction: &DatabaseTransaction, base_events: Vec<Uuid>) -> Result<(), DbErr> {
    let events = event::Entity::find().select_only().column(event::Column::Id);
    let events = events.filter(event::COLUMN.base_event_id.is_in(base_events.clone())).into_query();
    event_performer::Entity::update_many()
        .col_expr(event_performer::Column::Shown, true.into())
        .filter(event_performer::Column::EventId.in_subquery(events))
        .exec(transaction)
        .await?;
    event::Entity::update_many()
        .col_expr(event::Column::Shown, true.into())
        .filter(event::COLUMN.base_event_id.is_in(base_events))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Whether a row that many events share was not yet written with this content by the same sync.
fn is_unwritten(written: &mut HashMap<Uuid, i64>, id: Uuid, hash: i64) -> bool {
    written.insert(id, hash) != Some(hash)
}

/// Inserts rows with new keys.
async fn insert<M>(transaction: &DatabaseTransaction, rows: Vec<M>) -> Result<(), DbErr>
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    for chunk in chunks(rows) {
        M::Entity::insert_many(chunk.into_iter().map(IntoActiveModel::into_active_model))
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// Inserts rows or replaces those with the same keys.
async fn upsert<M>(transaction: &DatabaseTransaction, rows: Vec<M>) -> Result<(), DbErr>
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    let key: Vec<_> = <M::Entity as EntityTrait>::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    let is_key = |column: &<M::Entity as EntityTrait>::Column| {
        <<M::Entity as EntityTrait>::PrimaryKey as PrimaryKeyToColumn>::from_column(*column).is_some()
    };
    let others = <M::Entity as EntityTrait>::Column::iter().filter(|column| !is_key(column));
    let on_conflict = OnConflict::columns(key).update_columns(others).to_owned();
    for chunk in chunks(rows) {
        M::Entity::insert_many(chunk.into_iter().map(IntoActiveModel::into_active_model))
            .on_conflict(on_conflict.clone())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}
