//! Takedown: removes an event for legal reasons. Nothing of its content is left in any table, and a tombstone keeps a sync from copying it
//! again.
//!
//! The provider's row is locked first, as by a sync: a sync has either ended, or it sees the tombstone. The release is published last, as
//! everywhere.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveValue::Set, Condition, DatabaseTransaction, QueryOrder, QuerySelect, QueryTrait, entity::prelude::*,
    sea_query::OnConflict,
};

use crate::{
    base_event,
    change::{self, ChangeKind, NewChange},
    daily_total, database_now, event, event_performer, feed_page,
    footprint::{Cell, Footprint, PartBuilder, Scope, hash_performer},
    item_id::{event_id, undated_key},
    listing, performer, provider, pushed_feed, reject,
    release::{self, Cause},
    sync_run, tombstone, undo, venue, webhook, word,
    words::split_words,
};

/// The longest reason, in characters.
pub const MAX_REASON_CHARACTERS: usize = 500;
/// The changes of an event without its content.
pub const NO_FIELDS: &str = "{}";
/// The changed fields of an event that has left its feed, and did not change otherwise.
pub const ONLY_LEFT: &str = r#"{"listed":{"old":true,"new":false}}"#;
/// What is left of a text that may quote what was removed.
pub const REMOVED_TEXT: &str = "removed for legal reasons";
/// The reason code of runs with a reason that quotes an item of the feed.
const QUOTING_REASON: &str = "too_many_rejects";

/// An event that can be removed. Its provider's row is locked.
#[derive(Debug)]
pub struct StoredEvent {
    event: event::Model,
    base_event: base_event::Model,
    provider: provider::Model,
}

/// What the database has of an event.
#[derive(Debug)]
pub enum FoundEvent {
    /// The event.
    Stored(Box<StoredEvent>),
    /// A tombstone: it was removed before.
    Removed,
    /// Nothing.
    Unknown,
}

/// Finds an event, and locks the row of its provider.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn lock(transaction: &DatabaseTransaction, event_id: Uuid) -> Result<FoundEvent, DbErr> {
    let find = || event::Entity::find_by_id(event_id).find_also_related(base_event::Entity).one(transaction);
    if let Some((_, Some(base_event))) = find().await? {
        let provider = provider::Entity::find_by_id(base_event.provider_id).lock_exclusive().one(transaction).await?;
        // Again: a sync may have changed it before the lock, or another takedown may have removed it.
        if let (Some(provider), Some((event, Some(base_event)))) = (provider, find().await?) {
            return Ok(FoundEvent::Stored(Box::new(StoredEvent { event, base_event, provider })));
        }
    }
    let tombstone = tombstone::Entity::find_by_id(event_id).one(transaction).await?;
    Ok(if tombstone.is_some() { FoundEvent::Removed } else { FoundEvent::Unknown })
}

impl StoredEvent {
    /// Removes it, with its base event, performers and venue if no other event has them.
    ///
    /// # Errors
    ///
    /// When the database is unavailable.
    pub async fn remove(&self, transaction: &DatabaseTransaction, reason: &str) -> Result<(), DbErr> {
        let performers = self.find_performers(transaction).await?;
        let footprint = self.build_footprint(transaction, &performers).await?;
        let words = self.find_words(transaction, &performers).await?;
        let undated_id = self.find_undated_id(transaction).await?;
        self.delete_rows(transaction, &performers).await?;
        word::delete_unused(transaction, self.provider.id, words).await?;
        self.blank_texts(transaction).await?;
        // It contains the previous state of events, of this one, too.
        undo::Entity::delete_many().filter(undo::COLUMN.provider_id.eq(self.provider.id)).exec(transaction).await?;
        // A page contains the item of the event.
        feed_page::Entity::delete_many().filter(feed_page::COLUMN.provider_id.eq(self.provider.id)).exec(transaction).await?;
        let removed_at = database_now(transaction).await?;
        let tombstones = std::iter::once(self.event.id).chain(undated_id).map(|event_id| tombstone::ActiveModel {
            event_id: Set(event_id),
            base_event_id: Set(self.base_event.id),
            provider_id: Set(self.provider.id),
            removed_at: Set(removed_at),
            reason: Set(reason.to_owned()),
        });
        let is_known = OnConflict::column(tombstone::Column::EventId).do_nothing().to_owned();
        tombstone::Entity::insert_many(tombstones).on_conflict(is_known).exec_without_returning(transaction).await?;
        // On the heap: requests contain this future.
        Box::pin(daily_total::update(transaction, self.provider.id, self.event.local_day().into_iter().collect())).await?;
        let left = (self.event.shown && self.provider.was_visible()).then(|| describe_left(&self.event, self.provider.id));
        publish(transaction, self.provider.id, &footprint, left.into_iter().collect()).await
    }

    /// The id of its key without its date: with another date, its provider would publish it as a new event. `None` if the key has no date, or
    /// if it is that of a show with other dates, which remain.
    async fn find_undated_id(&self, transaction: &DatabaseTransaction) -> Result<Option<Uuid>, DbErr> {
        let Some(key) = undated_key(&self.event.source_id, &self.event.local_start) else { return Ok(None) };
        let others = event::Entity::find()
            .select_only()
            .columns([event::Column::SourceId, event::Column::LocalStart])
            .filter(event::COLUMN.base_event_id.eq(self.base_event.id))
            .filter(event::COLUMN.id.ne(self.event.id));
        let others: Vec<(String, String)> = others.into_tuple().all(transaction).await?;
        let is_shared = others.iter().any(|(source_id, local_start)| undated_key(source_id, local_start).as_ref() == Some(&key));
        Ok((!is_shared).then(|| event_id(self.provider.identity_slug(), &self.base_event.source_id, &key)))
    }

    async fn find_performers(&self, transaction: &DatabaseTransaction) -> Result<Vec<performer::Model>, DbErr> {
        let rows = event_performer::Entity::find()
            .filter(event_performer::COLUMN.event_id.eq(self.event.id))
            .order_by_asc(event_performer::Column::Position)
            .find_also_related(performer::Entity);
        Ok(rows.all(transaction).await?.into_iter().filter_map(|(_, performer)| performer).collect())
    }

    /// The words by which it is found.
    async fn find_words(
        &self,
        transaction: &DatabaseTransaction,
        performers: &[performer::Model],
    ) -> Result<BTreeSet<String>, DbErr> {
        let venue = venue::Entity::find_by_id(self.event.venue_id.unwrap_or_default()).one(transaction).await?;
        let texts = [Some(self.base_event.title.as_str()), self.event.name.as_deref()].into_iter();
        let of_venue = venue.iter().flat_map(|venue| [Some(venue.name.as_str()), venue.city.as_deref()]);
        let names = performers.iter().map(|performer| Some(performer.name.as_str()));
        Ok(texts.chain(of_venue).chain(names).flatten().flat_map(split_words).collect())
    }

    /// What its removal changes, and its performers and its venue, which other events may still have.
    async fn build_footprint(
        &self,
        transaction: &DatabaseTransaction,
        performers: &[performer::Model],
    ) -> Result<Footprint, DbErr> {
        // Programs of the previous release do not know categories, and must read that it is a takedown.
        let mut events = PartBuilder::new(&[Scope::Events, Scope::Concerts]).of_any_category();
        let mut venues = PartBuilder::new(&[Scope::Venues, Scope::Concerts]).on_any_day().of_any_performer().of_any_category();
        let mut names = PartBuilder::new(&[Scope::Performers, Scope::Concerts]).on_any_day().in_any_cell().of_any_category();
        events.add_days(self.event.starts_at, self.event.ends_at);
        if let Some(id) = self.event.venue_id
            && let Some(venue) = venue::Entity::find_by_id(id).one(transaction).await?
        {
            let cell = Cell::at(venue.latitude, venue.longitude);
            events.add_cell(cell);
            venues.add_cell(cell);
        }
        for performer in performers {
            let hash = hash_performer(&performer.source_id);
            events.add_performer(hash);
            names.add_performer(hash);
        }
        Ok(Footprint::of_parts([events, venues, names]).of_takedown())
    }

    async fn delete_rows(&self, transaction: &DatabaseTransaction, performers: &[performer::Model]) -> Result<(), DbErr> {
        event::delete(transaction, vec![self.event.id]).await?;
        let others = event::Entity::find().filter(event::COLUMN.base_event_id.eq(self.base_event.id));
        if others.one(transaction).await?.is_none() {
            base_event::Entity::delete_by_id(self.base_event.id).exec(transaction).await?;
        }
        performer::delete_unused(transaction, performers.iter().map(|performer| performer.id).collect()).await?;
        venue::delete_unused(transaction, self.event.venue_id.into_iter().collect()).await?;
        listing::refresh_base_events(transaction, vec![self.base_event.id]).await
    }

    /// Replaces the texts that may quote it: changes, those that are being delivered, rejected items, reasons of runs, and reports of dry runs.
    async fn blank_texts(&self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        change::Entity::update_many()
            .col_expr(change::Column::Changed, NO_FIELDS.into())
            .col_expr(change::Column::States, None::<String>.into())
            .filter(change::COLUMN.event_id.eq(self.event.id))
            .exec(transaction)
            .await?;
        webhook::forget_event(transaction, self.event.id).await?;
        let runs = sync_run::Entity::find().select_only().column(sync_run::Column::Id);
        let runs = runs.filter(sync_run::COLUMN.provider_id.eq(self.provider.id)).into_query();
        // An item without an id may be this event, or contain it.
        let is_event = Condition::any()
            .add(reject::Column::EventSourceId.is_null())
            .add(reject::COLUMN.event_source_id.eq(self.event.source_id.as_str()));
        let is_quoting = Condition::any()
            .add(reject::Column::BaseEventSourceId.is_null())
            .add(Condition::all().add(reject::COLUMN.base_event_source_id.eq(self.base_event.source_id.as_str())).add(is_event));
        reject::Entity::update_many()
            .col_expr(reject::Column::Raw, "".into())
            .col_expr(reject::Column::Reason, REMOVED_TEXT.into())
            .filter(reject::Column::SyncRunId.in_subquery(runs))
            .filter(is_quoting)
            .exec(transaction)
            .await?;
        sync_run::Entity::update_many()
            .col_expr(sync_run::Column::Reason, REMOVED_TEXT.into())
            .filter(sync_run::COLUMN.provider_id.eq(self.provider.id))
            .filter(sync_run::COLUMN.reason_code.eq(QUOTING_REASON))
            .exec(transaction)
            .await?;
        pushed_feed::Entity::update_many()
            .col_expr(pushed_feed::Column::Outcome, None::<String>.into())
            .filter(pushed_feed::COLUMN.provider_id.eq(self.provider.id))
            .filter(pushed_feed::Column::Outcome.is_not_null())
            .exec(transaction)
            .await?;
        Ok(())
    }
}

/// The change of an event that was removed.
#[must_use]
pub fn describe_left(event: &event::Model, provider_id: i32) -> NewChange {
    let changed = if event.left_at.is_none() { ONLY_LEFT } else { NO_FIELDS };
    NewChange { kind: ChangeKind::Left, provider_id, event_id: event.id, changed: changed.to_owned(), states: None }
}

/// Publishes a release of a provider with its changes.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn publish(
    transaction: &DatabaseTransaction,
    provider_id: i32,
    footprint: &Footprint,
    changes: Vec<NewChange>,
) -> Result<(), DbErr> {
    let release = release::publish(transaction, (Cause::Takedown, None), footprint).await?;
    change::insert(transaction, &release, 0, changes).await?;
    daily_total::set_last_release(transaction, [provider_id], &release).await
}
