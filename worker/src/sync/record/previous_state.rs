//! What the copy has of the events, venues and performers that a batch changes, before it is written.

use std::collections::{HashMap, HashSet};

use entity::{base_event, event, event_performer, key_chunks, performer, venue, zone};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::super::diff::{CopiedBaseEvent, CopyChanges};

/// The previous state of a batch.
pub(super) struct PreviousState<'a> {
    /// Copied base events of the batch.
    pub(super) base_events: &'a HashMap<Uuid, CopiedBaseEvent>,
    /// The events that the batch changes: themselves, or with their base event.
    pub(super) events: HashMap<Uuid, &'a event::Model>,
    zones: HashMap<Uuid, Vec<zone::Model>>,
    /// The performers of the events, in their order.
    event_performers: HashMap<Uuid, Vec<event_performer::Model>>,
    pub(super) venues: HashMap<Uuid, venue::Model>,
    pub(super) performers: HashMap<Uuid, performer::Model>,
}

impl<'a> PreviousState<'a> {
    pub(super) async fn fetch(
        database: &impl ConnectionTrait,
        base_events: &'a HashMap<Uuid, CopiedBaseEvent>,
        changes: &CopyChanges,
    ) -> Result<Self, DbErr> {
        let events = find_events(base_events, changes);
        let zones = fetch_zones(database, events.keys().copied().collect()).await?;
        let event_performers = fetch_event_performers(database, events.keys().copied().collect()).await?;
        // An undo does not change all venues and performers of its events.
        let new_venues = changes.new_events.iter().chain(&changes.changed_events).filter_map(|event| event.venue_id);
        let previous_venues = events.values().filter_map(|event| event.venue_id).chain(new_venues);
        let venue_ids: HashSet<Uuid> = changes.venues.keys().copied().chain(previous_venues).collect();
        let mut venues = HashMap::new();
        for ids in key_chunks(Vec::from_iter(venue_ids)) {
            let rows = venue::Entity::find().filter(venue::COLUMN.id.is_in(ids)).all(database).await?;
            venues.extend(rows.into_iter().map(|venue| (venue.id, venue)));
        }
        let new_performers = changes.event_performers.iter().map(|row| row.performer_id);
        let previous_performers = event_performers.values().flatten().map(|row| row.performer_id).chain(new_performers);
        let performer_ids: HashSet<Uuid> = changes.performers.keys().copied().chain(previous_performers).collect();
        let mut performers = HashMap::new();
        for ids in key_chunks(Vec::from_iter(performer_ids)) {
            let rows = performer::Entity::find().filter(performer::COLUMN.id.is_in(ids)).all(database).await?;
            performers.extend(rows.into_iter().map(|performer| (performer.id, performer)));
        }
        Ok(Self { base_events, events, zones, event_performers, venues, performers })
    }

    /// Replaces venues and performers that earlier batches of the sync have overwritten.
    pub(super) fn restore(&mut self, venues: &HashMap<Uuid, venue::Model>, performers: &HashMap<Uuid, performer::Model>) {
        for venue in self.venues.values_mut() {
            if let Some(first) = venues.get(&venue.id) {
                venue.clone_from(first);
            }
        }
        for performer in self.performers.values_mut() {
            if let Some(first) = performers.get(&performer.id) {
                performer.clone_from(first);
            }
        }
    }

    pub(super) fn zones_of(&self, event: Uuid) -> &[zone::Model] {
        self.zones.get(&event).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn performers_of(&self, event: Uuid) -> &[event_performer::Model] {
        self.event_performers.get(&event).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether an event had these performers, in this order.
    pub(super) fn has_performers(&self, event: Uuid, performers: &[Uuid]) -> bool {
        self.performers_of(event).iter().map(|row| &row.performer_id).eq(performers)
    }

    /// The base events with events that had the same words, unless a venue or a performer has another name.
    pub(super) fn find_same_words(&self, changes: &CopyChanges) -> HashSet<Uuid> {
        let has_same_words = |base_event: &&base_event::Model| {
            let words = |row: &base_event::Model| (row.title.clone(), row.category.clone(), row.first_online_at.is_some());
            self.base_events.get(&base_event.id).is_some_and(|copied| words(&copied.base_event) == words(base_event))
        };
        let base_events = changes.base_events.iter().filter(has_same_words).map(|base_event| base_event.id);
        // Events that have left are still found.
        let mut same: HashSet<Uuid> = base_events.chain(changes.removed_base_events.iter().copied()).collect();
        let mut performers: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for row in &changes.event_performers {
            performers.entry(row.event_id).or_default().push(row.performer_id);
        }
        let is_reworded = |event: &&event::Model| {
            let words = |row: &event::Model| (row.venue_id, row.category.clone(), row.name.clone(), row.shown);
            let performers = performers.get(&event.id).map(Vec::as_slice).unwrap_or_default();
            let stored = self.events.get(&event.id);
            stored.is_none_or(|stored| words(stored) != words(event) || !self.has_performers(event.id, performers))
        };
        for event in changes.new_events.iter().chain(changes.changed_events.iter().filter(is_reworded)) {
            same.remove(&event.base_event_id);
        }
        for event in changes.deleted_events.iter().filter_map(|id| self.events.get(id)) {
            same.remove(&event.base_event_id);
        }
        same
    }

    /// The base event of a copied event.
    pub(super) fn base_event_of(&self, event: &event::Model) -> Option<&'a base_event::Model> {
        self.base_events.get(&event.base_event_id).map(|copied| &copied.base_event)
    }
}

fn find_events<'a>(base_events: &'a HashMap<Uuid, CopiedBaseEvent>, changes: &CopyChanges) -> HashMap<Uuid, &'a event::Model> {
    let changed = changes.replaced.iter().chain(&changes.left).chain(&changes.deleted_events);
    let changed: HashSet<Uuid> = changed.copied().collect();
    let with_base_event: HashSet<Uuid> = changes.retitled.iter().copied().collect();
    let events = base_events.values().flat_map(|copied| copied.events.values());
    events
        .filter(|event| changed.contains(&event.id) || with_base_event.contains(&event.base_event_id))
        .map(|event| (event.id, event))
        .collect()
}

async fn fetch_zones(database: &impl ConnectionTrait, events: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<zone::Model>>, DbErr> {
    let mut zones: HashMap<Uuid, Vec<zone::Model>> = HashMap::new();
    for ids in key_chunks(events) {
        let rows = zone::Entity::find()
            .filter(zone::COLUMN.event_id.is_in(ids))
            .order_by_asc(zone::Column::EventId)
            .order_by_asc(zone::Column::Position);
        for row in rows.all(database).await? {
            zones.entry(row.event_id).or_default().push(row);
        }
    }
    Ok(zones)
}

async fn fetch_event_performers(
    database: &impl ConnectionTrait,
    events: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<event_performer::Model>>, DbErr> {
    let mut performers: HashMap<Uuid, Vec<event_performer::Model>> = HashMap::new();
    for ids in key_chunks(events) {
        let rows = event_performer::Entity::find()
            .filter(event_performer::COLUMN.event_id.is_in(ids))
            .order_by_asc(event_performer::Column::EventId)
            .order_by_asc(event_performer::Column::Position);
        for row in rows.all(database).await? {
            performers.entry(row.event_id).or_default().push(row);
        }
    }
    Ok(performers)
}
