//! Writes the changes of a feed to the copy, in transactions of the caller, which have locked the provider's row.

use std::{
    collections::{BTreeSet, HashMap},
    mem::take,
};

use entity::{
    EventStatus, alias, base_event, deadline, event, event_performer, key_chunks, listing,
    name_word::{self, NameKind},
};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::{
    SyncError,
    changes::FeedChanges,
    diff::{CopyChanges, FeedOrigin},
    fingerprint, first_load,
    insert::{SameKey, execute, insert_statements},
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
        changes.venues.retain(|id, venue| is_unwritten(&mut self.written, *id, fingerprint::hash_venue(venue)));
        changes.performers.retain(|id, performer| is_unwritten(&mut self.written, *id, fingerprint::hash_performer(performer)));
        // Their events may be none of the feed.
        let (venues, performers) = (changes.venues.keys().copied().collect(), changes.performers.keys().copied().collect());
        reworded.extend(listing::find_base_events_at(transaction, venues).await?);
        reworded.extend(listing::find_base_events_of(transaction, performers).await?);
        replace_rows(transaction, &mut changes).await?;
        for base_events in key_chunks(changes.newly_shown) {
            show(transaction, base_events).await?;
        }
        self.remove(transaction, (changes.left, changes.removed_base_events)).await?;
        for events in key_chunks(changes.deleted_events) {
            event::delete(transaction, events).await?;
        }
        for base_events in key_chunks(changes.deleted_base_events) {
            base_event::Entity::delete_many().filter(base_event::COLUMN.id.is_in(base_events)).exec(transaction).await?;
        }
        listing::refresh_with_same_words(transaction, same_words.difference(&reworded).copied().collect()).await?;
        listing::refresh_base_events(transaction, reworded.into_iter().collect()).await
    }

    /// Marks events and base events that are no longer in the feed.
    async fn remove(
        &self,
        transaction: &DatabaseTransaction,
        (left, removed_base_events): (Vec<Uuid>, Vec<Uuid>),
    ) -> Result<(), DbErr> {
        for events in key_chunks(left) {
            event::Entity::update_many()
                .col_expr(event::Column::LeftAt, self.origin.fetched_at.into())
                .col_expr(event::Column::LastSeenAt, self.origin.last_fetched_at.into())
                .filter(event::COLUMN.id.is_in(events))
                .exec(transaction)
                .await?;
        }
        for base_events in key_chunks(removed_base_events) {
            base_event::Entity::update_many()
                .col_expr(base_event::Column::ContentHash, None::<i64>.into())
                .filter(base_event::COLUMN.id.is_in(base_events))
                .exec(transaction)
                .await?;
        }
        Ok(())
    }
}

/// Deletes what the rows of the feed replace, and writes these, in the order of their foreign keys.
async fn replace_rows(transaction: &DatabaseTransaction, changes: &mut CopyChanges) -> Result<(), DbErr> {
    for aliases in key_chunks(take(&mut changes.removed_aliases)) {
        alias::Entity::delete_many().filter(alias::COLUMN.id.is_in(aliases)).exec(transaction).await?;
    }
    let hidden = changes.changed_events.iter().filter(|event| !event.shown).map(|event| event.id).collect();
    for events in key_chunks(hidden) {
        listing::delete(transaction, events).await?;
    }
    for events in key_chunks(take(&mut changes.replaced)) {
        event::delete_parts(transaction, events).await?;
    }
    let (venues, performers) = (take(&mut changes.venues), take(&mut changes.performers));
    let venue_names = venues.values().map(|venue| (venue.id, venue.folded_name.clone())).collect();
    let performer_names = performers.values().map(|performer| (performer.id, performer.folded_name.clone())).collect();
    let backend = transaction.get_database_backend();
    let inserts = insert_statements(backend, take(&mut changes.base_events), SameKey::Replaced)
        .chain(insert_statements(backend, take(&mut changes.aliases), SameKey::Replaced))
        .chain(insert_statements(backend, venues.into_values().collect(), SameKey::Replaced))
        .chain(insert_statements(backend, performers.into_values().collect(), SameKey::Replaced))
        .chain(insert_statements(backend, take(&mut changes.new_events), SameKey::Absent))
        .chain(insert_statements(backend, take(&mut changes.changed_events), SameKey::Replaced))
        .chain(insert_statements(backend, take(&mut changes.zones), SameKey::Absent))
        .chain(insert_statements(backend, take(&mut changes.event_performers), SameKey::Absent));
    execute(transaction, inserts).await?;
    name_word::replace(transaction, NameKind::Venue, venue_names).await?;
    name_word::replace(transaction, NameKind::Performer, performer_names).await
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
