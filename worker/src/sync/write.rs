//! Brings the copy to what a feed says, within the caller's transaction, which holds the provider's row: reads what differs again,
//! batch by batch, compares, writes.

use std::{collections::HashMap, sync::Arc};

use entity::{base_event, catalogue_version, event, event_performer, zone};
use futures_util::TryStreamExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, Iterable,
    ModelTrait, PrimaryKeyToColumn, QueryFilter, QuerySelect, QueryTrait, sea_query::OnConflict,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    SyncError,
    chunks::chunks,
    diff::{self, Changes, Known, KnownEvent, Origin},
    fingerprint,
    report::Counts,
    survey::{Comparison, Detail, Differing, Document, KnownHashes, Survey},
};
use crate::{
    progress::{Progress, Stage},
    provider::format::FeedReadError,
};

/// How much of a feed is in memory with all that it says while it is written, twice: one batch is read while another is written.
const BYTES_PER_BATCH: usize = 1024 * 1024;
/// Base events whose leaving is written at once.
const VANISHED_PER_BATCH: usize = 4096;

/// Takes what differs of a whole feed into the copy and says what that changed.
pub(super) async fn apply(
    transaction: &DatabaseTransaction,
    origin: Origin<'_>,
    document: &Arc<Document>,
    survey: &Arc<Survey>,
    comparison: Comparison,
    progress: &Progress,
) -> Result<Counts, SyncError> {
    let base_events = comparison.differing.len() + comparison.vanished.len();
    progress.begin(Stage::Writing, Some(base_events as u64));
    let mut applying = Applying { transaction, origin, written: HashMap::new(), counts: Counts::default(), visible: false };
    applying.counts.fetched = survey.event_count;
    applying.counts.rejected = survey.rejects.count;
    applying.counts.unchanged = comparison.unchanged_events;

    let mut batches = read_ahead(document.clone(), survey.clone(), comparison.differing);
    while let Some(batch) = batches.recv().await {
        let details = batch?;
        let known_ids = details.iter().filter(|detail| detail.is_known).map(|detail| detail.id).collect();
        let known = known(transaction, known_ids).await?;
        applying.write(diff::changes(&details, &known, origin)).await?;
        progress.add(details.len() as u64);
    }
    for vanished in comparison.vanished.chunks(VANISHED_PER_BATCH) {
        let known = known(transaction, vanished.to_vec()).await?;
        applying.write(diff::vanished(&known)).await?;
        progress.add(vanished.len() as u64);
    }
    if applying.visible {
        catalogue_version::increment(transaction).await?;
    }
    Ok(applying.counts)
}

/// The content hash of each base event that the copy holds of a provider, in the order of their ids.
pub(super) async fn known_hashes(database: &DatabaseConnection, provider_id: i32) -> Result<KnownHashes, DbErr> {
    let rows = base_event::Entity::find()
        .select_only()
        .columns([base_event::Column::Id, base_event::Column::ContentHash])
        .filter(base_event::COLUMN.provider_id.eq(provider_id))
        .into_tuple::<(Uuid, Option<i64>)>();
    // As a stream: the driver's rows are ten times as large as what is kept of them.
    let mut known: KnownHashes = rows.stream(database).await?.try_collect().await?;
    known.sort_unstable_by_key(|(id, _)| *id);
    Ok(known)
}

/// What the copy holds of these base events.
async fn known(transaction: &DatabaseTransaction, base_events: Vec<Uuid>) -> Result<HashMap<Uuid, Known>, DbErr> {
    let mut known = HashMap::new();
    for ids in chunks(base_events) {
        let rows = base_event::Entity::find().filter(base_event::COLUMN.id.is_in(ids.clone())).all(transaction).await?;
        known.extend(rows.into_iter().map(|base_event| (base_event.id, Known { base_event, events: HashMap::new() })));
        let events = event::Entity::find().filter(event::COLUMN.base_event_id.is_in(ids)).all(transaction).await?;
        for event::Model { id, base_event_id, content_hash, first_seen_at, left_at, came_back_at, .. } in events {
            if let Some(known) = known.get_mut(&base_event_id) {
                known.events.insert(id, KnownEvent { content_hash, first_seen_at, left_at, came_back_at });
            }
        }
    }
    Ok(known)
}

/// Reads base events again, batch by batch, while those before are written.
fn read_ahead(
    document: Arc<Document>,
    survey: Arc<Survey>,
    differing: Vec<Differing>,
) -> mpsc::Receiver<Result<Vec<Detail>, FeedReadError>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let mut rest = differing.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |differing: &&Differing| {
                bytes += differing.bytes();
                bytes <= BYTES_PER_BATCH
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (batch, later) = rest.split_at(count);
            rest = later;
            let details = batch.iter().map(|differing| document.detail(&survey, differing)).collect();
            // Nobody waits for it any more: the sync has failed.
            if sender.blocking_send(details).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The writing of one feed.
struct Applying<'a> {
    transaction: &'a DatabaseTransaction,
    origin: Origin<'a>,
    /// Venues and performers that were written, with a hash of what: many events share one.
    written: HashMap<Uuid, i64>,
    counts: Counts,
    /// Whether any of it can be seen by a reader.
    visible: bool,
}

impl Applying<'_> {
    async fn write(&mut self, mut changes: Changes) -> Result<(), DbErr> {
        self.counts.add(changes.counts);
        self.visible |= changes.visible;
        let transaction = self.transaction;
        upsert(transaction, changes.base_events).await?;
        changes.venues.retain(|id, venue| is_news(&mut self.written, *id, fingerprint::of_venue(venue)));
        changes.performers.retain(|id, performer| is_news(&mut self.written, *id, fingerprint::of_performer(performer)));
        // They may be those of shown events as well, and are listed by themselves.
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
        for base_events in chunks(changes.now_shown) {
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
        }
        for events in chunks(changes.left) {
            event::Entity::update_many()
                .col_expr(event::Column::LeftAt, self.origin.taken_at.into())
                .col_expr(event::Column::LastSeenAt, self.origin.last_taken_at.into())
                .filter(event::COLUMN.id.is_in(events))
                .exec(transaction)
                .await?;
        }
        for base_events in chunks(changes.vanished_base_events) {
            base_event::Entity::update_many()
                .col_expr(base_event::Column::ContentHash, None::<i64>.into())
                .filter(base_event::COLUMN.id.is_in(base_events))
                .exec(transaction)
                .await?;
        }
        Ok(())
    }
}

/// Whether a row that many events share was not yet written like this by the same sync.
fn is_news(written: &mut HashMap<Uuid, i64>, id: Uuid, hash: i64) -> bool {
    written.insert(id, hash) != Some(hash)
}

/// Inserts rows whose keys are not there.
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

/// Inserts rows; one whose key is there already is replaced.
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
