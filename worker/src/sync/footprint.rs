//! Collects what a sync changes in the dimensions of a footprint: the previous and the new state of each changed event, and the venues and
//! performers that are new or renamed.

use std::collections::{HashMap, HashSet};

use entity::{
    event, event_performer,
    footprint::{Cell, Footprint, PartBuilder, Scope, hash_performer},
    performer, venue,
};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    chunks::chunks,
    diff::{CopiedBaseEvent, CopyChanges},
};

/// What the batches so far have changed.
#[derive(Debug)]
pub(super) struct CopyFootprint {
    events: PartBuilder,
    new_venues: PartBuilder,
    changed_venues: PartBuilder,
    new_performers: PartBuilder,
    renamed_performers: PartBuilder,
}

impl CopyFootprint {
    /// Nothing has changed yet.
    pub(super) fn new() -> Self {
        let venues = |scopes| PartBuilder::new(scopes).on_any_day().of_any_performer();
        let performers = |scopes| PartBuilder::new(scopes).on_any_day().in_any_cell();
        Self {
            events: PartBuilder::new(&[Scope::Events, Scope::Concerts]),
            new_venues: venues(&[Scope::Venues]),
            changed_venues: venues(&[Scope::Venues, Scope::Concerts]),
            new_performers: performers(&[Scope::Performers]),
            renamed_performers: performers(&[Scope::Performers, Scope::Concerts]),
        }
    }

    /// The footprint of a first load, which has no previous state.
    pub(super) fn of_first_load() -> Footprint {
        Footprint::all_of(&[Scope::Events, Scope::Concerts, Scope::Performers, Scope::Venues])
    }

    /// The union of all parts.
    pub(super) fn finish(self) -> Footprint {
        let Self { events, new_venues, changed_venues, new_performers, renamed_performers } = self;
        Footprint::of_parts([events, new_venues, changed_venues, new_performers, renamed_performers])
    }

    /// Adds a batch, and removes the venues and performers from it that the copy has already.
    pub(super) async fn add(
        &mut self,
        database: &impl ConnectionTrait,
        copied: &HashMap<Uuid, CopiedBaseEvent>,
        changes: &mut CopyChanges,
    ) -> Result<(), DbErr> {
        let previous_events = find_previous_events(copied, changes);
        let previous = PreviousState::fetch(database, &previous_events, changes).await?;
        self.add_events(&previous_events, &previous, changes);

        changes.venues.retain(|id, venue| {
            let stored = previous.venues.get(id);
            match stored {
                Some(stored) if stored == venue => return false,
                Some(stored) => [stored, &*venue].into_iter().for_each(|venue| self.changed_venues.add_cell(cell_of(venue))),
                None => self.new_venues.add_cell(cell_of(venue)),
            }
            true
        });
        changes.performers.retain(|id, performer| {
            let part = match previous.performers.get(id) {
                Some(stored) if stored == performer => return false,
                Some(_) => &mut self.renamed_performers,
                None => &mut self.new_performers,
            };
            part.add_performer(hash_performer(&performer.source_id));
            true
        });
        Ok(())
    }

    fn add_events(&mut self, previous_events: &HashMap<Uuid, &event::Model>, previous: &PreviousState, changes: &CopyChanges) {
        let mut new_performers: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for row in &changes.event_performers {
            new_performers.entry(row.event_id).or_default().push(row.performer_id);
        }
        let new_performers = |event: &event::Model| new_performers.get(&event.id).map(Vec::as_slice).unwrap_or_default();
        let new_cell = |id: Uuid| changes.venues.get(&id).map(cell_of);
        let new_hash = |id: &Uuid| changes.performers.get(id).map(|performer| hash_performer(&performer.source_id));

        let retitled: HashSet<Uuid> = changes.retitled.iter().copied().collect();
        let mut only_details: HashSet<Uuid> = HashSet::new();
        for event in changes.new_events.iter().chain(&changes.changed_events) {
            let performers = new_performers(event);
            let stored = previous_events.get(&event.id).filter(|_| !retitled.contains(&event.base_event_id));
            if stored.is_some_and(|stored| is_same(stored, event) && previous.performers_of(stored) == performers) {
                only_details.insert(event.id);
            } else if event.shown {
                self.add_event(event, event.venue_id.and_then(new_cell), performers.iter().filter_map(new_hash));
            }
        }
        let is_shown = |event: &event::Model| event.shown || retitled.contains(&event.base_event_id);
        for event in previous_events.values().filter(|event| is_shown(event) && !only_details.contains(&event.id)) {
            let cell = event.venue_id.and_then(|id| previous.venues.get(&id)).map(cell_of);
            let performers = previous.performers_of(event).iter().filter_map(|id| previous.performers.get(id));
            self.add_event(event, cell, performers.map(|performer| hash_performer(&performer.source_id)));
        }
    }

    fn add_event(&mut self, event: &event::Model, cell: Option<Cell>, performers: impl Iterator<Item = u32>) {
        self.events.add_days(event.starts_at, event.ends_at);
        cell.into_iter().for_each(|cell| self.events.add_cell(cell));
        performers.for_each(|performer| self.events.add_performer(performer));
    }
}

/// The events of the copy that a batch changes: themselves, or with their base event.
fn find_previous_events<'a>(
    copied: &'a HashMap<Uuid, CopiedBaseEvent>,
    changes: &CopyChanges,
) -> HashMap<Uuid, &'a event::Model> {
    let changed: HashSet<Uuid> = changes.replaced.iter().chain(&changes.left).copied().collect();
    let with_base_event: HashSet<Uuid> = changes.retitled.iter().copied().collect();
    let events = copied.values().flat_map(|copied| copied.events.values());
    events
        .filter(|event| changed.contains(&event.id) || with_base_event.contains(&event.base_event_id))
        .map(|event| (event.id, event))
        .collect()
}

/// What the copy has of the events, venues and performers that a batch changes.
struct PreviousState {
    performers_of_events: HashMap<Uuid, Vec<Uuid>>,
    venues: HashMap<Uuid, venue::Model>,
    performers: HashMap<Uuid, performer::Model>,
}

impl PreviousState {
    async fn fetch(
        database: &impl ConnectionTrait,
        events: &HashMap<Uuid, &event::Model>,
        changes: &CopyChanges,
    ) -> Result<Self, DbErr> {
        let mut performers_of_events: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for ids in chunks(events.keys().copied().collect()) {
            let rows = event_performer::Entity::find()
                .filter(event_performer::COLUMN.event_id.is_in(ids))
                .order_by_asc(event_performer::Column::EventId)
                .order_by_asc(event_performer::Column::Position);
            for row in rows.all(database).await? {
                performers_of_events.entry(row.event_id).or_default().push(row.performer_id);
            }
        }
        let previous_venues = events.values().filter_map(|event| event.venue_id);
        let venue_ids: HashSet<Uuid> = changes.venues.keys().copied().chain(previous_venues).collect();
        let mut venues = HashMap::new();
        for ids in chunks(Vec::from_iter(venue_ids)) {
            let rows = venue::Entity::find().filter(venue::COLUMN.id.is_in(ids)).all(database).await?;
            venues.extend(rows.into_iter().map(|venue| (venue.id, venue)));
        }
        let previous_performers = performers_of_events.values().flatten().copied();
        let performer_ids: HashSet<Uuid> = changes.performers.keys().copied().chain(previous_performers).collect();
        let mut performers = HashMap::new();
        for ids in chunks(Vec::from_iter(performer_ids)) {
            let rows = performer::Entity::find().filter(performer::COLUMN.id.is_in(ids)).all(database).await?;
            performers.extend(rows.into_iter().map(|performer| (performer.id, performer)));
        }
        Ok(Self { performers_of_events, venues, performers })
    }

    fn performers_of(&self, event: &event::Model) -> &[Uuid] {
        self.performers_of_events.get(&event.id).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Whether two rows of an event differ in nothing but its zones, which only the page of the event shows.
fn is_same(stored: &event::Model, new: &event::Model) -> bool {
    let event::Model { content_hash, first_seen_at, last_seen_at, left_at, came_back_at, .. } = *stored;
    // Those of an event that an earlier release wrote are unknown.
    let event::Model { sale_starts_at, sale_ends_at, next_boundary_at, .. } = *stored;
    let times = event::Model { sale_starts_at, sale_ends_at, next_boundary_at, ..new.clone() };
    left_at.is_none() && event::Model { content_hash, first_seen_at, last_seen_at, left_at, came_back_at, ..times } == *stored
}

fn cell_of(venue: &venue::Model) -> Cell {
    Cell::at(venue.latitude, venue.longitude)
}
