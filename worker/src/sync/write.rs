//! Writes the changes of a feed to the copy, in transactions of the caller, which have locked the provider's row.

use std::collections::{BTreeSet, HashMap};

use entity::{
    EventStatus, alias, base_event, chunks, deadline, event, event_performer, key_chunks, listing,
    name_word::{self, NameKind},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, Iterable, ModelTrait,
    PrimaryKeyToColumn, QueryFilter, QuerySelect, QueryTrait, Value, sea_query::OnConflict,
};
use uuid::Uuid;

use super::{
    SyncError,
    changes::FeedChanges,
    diff::{CopyChanges, FeedOrigin},
    fingerprint, first_load,
};

/// Writes all changes of a feed in one transaction.
pub(super) async fn write_all(transaction: &DatabaseTransaction, changes: &mut FeedChanges<'_>) -> Result<(), SyncError> {
    if changes.is_first_load() {
        first_load::plan_with_keys(transaction).await?;
    }
    let mut writer = CopyWriter::new(changes.origin());
    while let Some(batch) = changes.next(transaction).await? {
        writer.write(transaction, batch).await?;
    }
    Ok(())
}

/// Writes the batches of one feed.
#[derive(Debug)]
pub(super) struct CopyWriter {
    origin: FeedOrigin,
    /// Hashes of the venues and performers that were written, because many events share one.
    written: HashMap<Uuid, i64>,
}

impl CopyWriter {
    pub(super) fn new(origin: FeedOrigin) -> Self {
        Self { origin, written: HashMap::new() }
    }

    /// Writes one batch.
    pub(super) async fn write(&mut self, transaction: &DatabaseTransaction, changes: CopyChanges) -> Result<(), DbErr> {
        // On the heap: the futures of syncs contain this one.
        deadline::within(deadline::BULK, transaction, Box::pin(self.write_rows(transaction, changes))).await
    }

    async fn write_rows(&mut self, transaction: &DatabaseTransaction, mut changes: CopyChanges) -> Result<(), DbErr> {
        let changed = changes.base_events.iter().map(|base_event| base_event.id);
        let unlisted = changes.removed_base_events.iter().chain(&changes.deleted_base_events);
        let listed: BTreeSet<Uuid> = changed.chain(unlisted.copied()).collect();
        let (same_words, mut reworded): (BTreeSet<Uuid>, BTreeSet<Uuid>) =
            listed.into_iter().partition(|base_event| changes.same_words.contains(base_event));
        upsert(transaction, changes.base_events).await?;
        upsert(transaction, changes.aliases).await?;
        for aliases in key_chunks(changes.removed_aliases) {
            alias::Entity::delete_many().filter(alias::COLUMN.id.is_in(aliases)).exec(transaction).await?;
        }
        changes.venues.retain(|id, venue| is_unwritten(&mut self.written, *id, fingerprint::hash_venue(venue)));
        changes.performers.retain(|id, performer| is_unwritten(&mut self.written, *id, fingerprint::hash_performer(performer)));
        // Their events may be none of the feed.
        let (venues, performers) = (changes.venues.keys().copied().collect(), changes.performers.keys().copied().collect());
        reworded.extend(listing::find_base_events_at(transaction, venues).await?);
        reworded.extend(listing::find_base_events_of(transaction, performers).await?);
        let venue_names = changes.venues.values().map(|venue| (venue.id, venue.folded_name.clone())).collect();
        let performer_names =
            changes.performers.values().map(|performer| (performer.id, performer.folded_name.clone())).collect();
        upsert(transaction, changes.venues.into_values().collect()).await?;
        upsert(transaction, changes.performers.into_values().collect()).await?;
        name_word::replace(transaction, NameKind::Venue, venue_names).await?;
        name_word::replace(transaction, NameKind::Performer, performer_names).await?;
        let hidden = changes.changed_events.iter().filter(|event| !event.shown).map(|event| event.id).collect();
        insert(transaction, changes.new_events).await?;
        upsert(transaction, changes.changed_events).await?;
        for events in key_chunks(hidden) {
            listing::delete(transaction, events).await?;
        }
        for events in key_chunks(changes.replaced) {
            event::delete_parts(transaction, events).await?;
        }
        insert(transaction, changes.zones).await?;
        insert(transaction, changes.event_performers).await?;
        for base_events in key_chunks(changes.newly_shown) {
            show(transaction, base_events).await?;
        }
        for events in key_chunks(changes.left) {
            event::Entity::update_many()
                .col_expr(event::Column::LeftAt, self.origin.fetched_at.into())
                .col_expr(event::Column::LastSeenAt, self.origin.last_fetched_at.into())
                .filter(event::COLUMN.id.is_in(events))
                .exec(transaction)
                .await?;
        }
        for events in key_chunks(changes.deleted_events) {
            event::delete(transaction, events).await?;
        }
        for base_events in key_chunks(changes.deleted_base_events) {
            base_event::Entity::delete_many().filter(base_event::COLUMN.id.is_in(base_events)).exec(transaction).await?;
        }
        for base_events in key_chunks(changes.removed_base_events) {
            base_event::Entity::update_many()
                .col_expr(base_event::Column::ContentHash, None::<i64>.into())
                .filter(base_event::COLUMN.id.is_in(base_events))
                .exec(transaction)
                .await?;
        }
        for base_events in key_chunks(same_words.difference(&reworded).copied().collect()) {
            listing::refresh_with_same_words(transaction, base_events).await?;
        }
        for base_events in key_chunks(reworded.into_iter().collect()) {
            listing::refresh_base_events(transaction, base_events).await?;
        }
        Ok(())
    }
}

/// Makes all events of these base events visible.
async fn show(transaction: &DatabaseTransaction, base_events: Vec<Uuid>) -> Result<(), DbErr> {
    for (column, are_cancelled) in [(event_performer::Column::Shown, false), (event_performer::Column::Cancelled, true)] {
        let status = if are_cancelled {
            event::Column::Status.eq(EventStatus::Cancelled)
        } else {
            event::Column::Status.ne(EventStatus::Cancelled)
        };
        let events = event::Entity::find().select_only().column(event::Column::Id);
        let events = events.filter(event::COLUMN.base_event_id.is_in(base_events.clone())).filter(status).into_query();
        event_performer::Entity::update_many()
            .col_expr(column, true.into())
            .filter(event_performer::Column::EventId.in_subquery(events))
            .exec(transaction)
            .await?;
    }
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

/// The rows without the columns that are null in all of them: most feeds lack most details, and each value that is bound takes time.
fn into_active_models<M>(rows: Vec<M>) -> Vec<<M::Entity as EntityTrait>::ActiveModel>
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    let columns = <M::Entity as EntityTrait>::Column::iter();
    let absent: Vec<_> = columns.filter(|column| rows.iter().all(|row| is_null(&row.get(*column)))).collect();
    let without_absent = |row: M| {
        let mut row = row.into_active_model();
        absent.iter().for_each(|column| row.not_set(*column));
        row
    };
    rows.into_iter().map(without_absent).collect()
}

fn is_null(value: &Value) -> bool {
    *value == value.as_null()
}

/// Inserts rows with new keys.
async fn insert<M>(transaction: &DatabaseTransaction, rows: Vec<M>) -> Result<(), DbErr>
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    for chunk in chunks(rows) {
        M::Entity::insert_many(into_active_models(chunk)).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Inserts rows or replaces those with the same keys.
pub(super) async fn upsert<M>(transaction: &DatabaseTransaction, rows: Vec<M>) -> Result<(), DbErr>
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
        M::Entity::insert_many(into_active_models(chunk))
            .on_conflict(on_conflict.clone())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}
