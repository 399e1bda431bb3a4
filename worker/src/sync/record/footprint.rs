//! Collects what a sync changes in the dimensions of a footprint: the previous and the new state of each changed event, and the venues and
//! performers that are new or renamed. Also collects the days on which the events start, for their totals.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use entity::{
    base_event, event,
    footprint::{Cell, Footprint, PartBuilder, Scope, hash_performer},
    performer, venue,
};
use uuid::Uuid;

use super::{super::diff::CopyChanges, previous_state::PreviousState};
use crate::release_metrics;

/// What the batches so far have changed.
#[derive(Debug)]
pub(super) struct CopyFootprint {
    events: PartBuilder,
    details: PartBuilder,
    new_or_removed_venues: PartBuilder,
    changed_venues: PartBuilder,
    new_or_removed_performers: PartBuilder,
    renamed_performers: PartBuilder,
    start_days: BTreeSet<NaiveDate>,
}

impl CopyFootprint {
    /// Nothing of the provider with this slug has changed yet.
    pub(super) fn new(provider: &str) -> Self {
        let part = |scopes| PartBuilder::new(scopes).of_providers([provider]);
        let venues = |scopes| part(scopes).on_any_day().of_any_performer().of_any_category();
        let performers = |scopes| part(scopes).on_any_day().in_any_cell().of_any_category();
        Self {
            events: part(&[Scope::Events, Scope::Concerts]),
            details: part(&[Scope::Details]).in_any_cell().of_any_performer().of_any_category(),
            new_or_removed_venues: venues(&[Scope::Venues]),
            changed_venues: venues(&[Scope::Venues, Scope::Concerts]),
            new_or_removed_performers: performers(&[Scope::Performers]),
            renamed_performers: performers(&[Scope::Performers, Scope::Concerts]),
            start_days: BTreeSet::new(),
        }
    }

    /// The footprint of a first load, which has no previous state.
    pub(super) fn of_first_load(provider: &str) -> Footprint {
        Footprint::of_provider(provider, &[Scope::Events, Scope::Concerts, Scope::Performers, Scope::Venues])
    }

    /// The union of all parts, and the days on which changed events start, before or after the change.
    pub(super) fn finish(self) -> (Footprint, BTreeSet<NaiveDate>) {
        let Self { start_days, .. } = self;
        let Self {
            events, details, new_or_removed_venues, changed_venues, new_or_removed_performers, renamed_performers, ..
        } = self;
        let parts = [events, details, new_or_removed_venues, changed_venues, new_or_removed_performers, renamed_performers];
        release_metrics::count_overflows(&parts);
        (Footprint::of_parts(parts), start_days)
    }

    /// Adds a batch of which the changes of some events are `logged`, and removes the venues and performers from it that the copy has
    /// already.
    pub(super) fn add(&mut self, previous: &PreviousState<'_>, changes: &mut CopyChanges, logged: &HashSet<Uuid>) {
        self.add_events(previous, changes, logged);

        changes.venues.retain(|id, venue| {
            let stored = previous.venues.get(id);
            match stored {
                Some(stored) if stored == venue => return false,
                Some(stored) => [stored, &*venue].into_iter().for_each(|venue| self.changed_venues.add_cell(cell_of(venue))),
                None => self.new_or_removed_venues.add_cell(cell_of(venue)),
            }
            true
        });
        changes.performers.retain(|id, performer| {
            let part = match previous.performers.get(id) {
                Some(stored) if stored == performer => return false,
                Some(_) => &mut self.renamed_performers,
                None => &mut self.new_or_removed_performers,
            };
            part.add_performer(hash_performer(&performer.source_id));
            true
        });
    }

    /// Adds venues that are removed, which no event has.
    pub(super) fn remove_venues(&mut self, venues: &[venue::Model]) {
        venues.iter().for_each(|venue| self.new_or_removed_venues.add_cell(cell_of(venue)));
    }

    /// Adds performers that are removed, which no event has.
    pub(super) fn remove_performers(&mut self, performers: &[performer::Model]) {
        performers
            .iter()
            .for_each(|performer| self.new_or_removed_performers.add_performer(hash_performer(&performer.source_id)));
    }

    fn add_events(&mut self, previous: &PreviousState<'_>, changes: &CopyChanges, logged: &HashSet<Uuid>) {
        let mut new_performers: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for row in &changes.event_performers {
            new_performers.entry(row.event_id).or_default().push(row.performer_id);
        }
        let new_performers = |event: &event::Model| new_performers.get(&event.id).map(Vec::as_slice).unwrap_or_default();
        let new_cell = |id: Uuid| changes.venues.get(&id).or_else(|| previous.venues.get(&id)).map(cell_of);
        let new_performer = |id: &Uuid| changes.performers.get(id).or_else(|| previous.performers.get(id));
        let new_hash = |id: &Uuid| new_performer(id).map(|performer| hash_performer(&performer.source_id));

        let new_base_events: HashMap<Uuid, &base_event::Model> =
            changes.base_events.iter().map(|base_event| (base_event.id, base_event)).collect();
        // Of the previous and of the new base event.
        let categories = |event: &event::Model| {
            let base_events = [new_base_events.get(&event.base_event_id).copied(), previous.base_event_of(event)];
            base_events.map(|base_event| event.category.clone().or_else(|| base_event?.category.clone()))
        };
        let retitled: HashSet<Uuid> = changes.retitled.iter().copied().collect();
        let mut only_tickets: HashSet<Uuid> = HashSet::new();
        for event in changes.new_events.iter().chain(&changes.changed_events) {
            let performers = new_performers(event);
            // Lists have the time of the newest logged change.
            let is_unlogged = !retitled.contains(&event.base_event_id) && !logged.contains(&event.id);
            let stored = previous.events.get(&event.id).filter(|_| is_unlogged);
            if stored.is_some_and(|stored| is_same(stored, event) && previous.has_performers(stored.id, performers)) {
                only_tickets.insert(event.id);
                if event.shown {
                    self.details.add_days(event.starts_at, event.ends_at);
                }
            } else if event.shown {
                let cell = event.venue_id.and_then(new_cell);
                self.add_event(event, &categories(event), cell, performers.iter().filter_map(new_hash));
            }
        }
        let is_shown = |event: &event::Model| event.shown || retitled.contains(&event.base_event_id);
        for event in previous.events.values().filter(|event| is_shown(event) && !only_tickets.contains(&event.id)) {
            let cell = event.venue_id.and_then(|id| previous.venues.get(&id)).map(cell_of);
            let performers = previous.performers_of(event.id).iter();
            let performers = performers.filter_map(|row| previous.performers.get(&row.performer_id));
            self.add_event(event, &categories(event), cell, performers.map(|performer| hash_performer(&performer.source_id)));
        }
    }

    fn add_event(
        &mut self,
        event: &event::Model,
        categories: &[Option<String>; 2],
        cell: Option<Cell>,
        performers: impl Iterator<Item = u32>,
    ) {
        self.events.add_days(event.starts_at, event.ends_at);
        self.start_days.extend(event.local_day());
        categories.iter().flatten().for_each(|category| self.events.add_category(category));
        cell.into_iter().for_each(|cell| self.events.add_cell(cell));
        performers.for_each(|performer| self.events.add_performer(performer));
    }
}

/// Whether two rows of an event differ in nothing but the numbers of its tickets, which only `/events/{id}` and its page show.
fn is_same(stored: &event::Model, new: &event::Model) -> bool {
    let event::Model { content_hash, first_seen_at, last_seen_at, left_at, came_back_at, .. } = *stored;
    // Those of an event that an earlier release wrote are unknown.
    let event::Model { sale_starts_at, sale_ends_at, next_boundary_at, .. } = *stored;
    let times = event::Model { sale_starts_at, sale_ends_at, next_boundary_at, ..new.clone() };
    // An undo may remove the event from its feed.
    let are_listed = left_at.is_none() && new.left_at.is_none();
    are_listed && event::Model { content_hash, first_seen_at, last_seen_at, left_at, came_back_at, ..times } == *stored
}

fn cell_of(venue: &venue::Model) -> Cell {
    Cell::at(venue.latitude, venue.longitude)
}
