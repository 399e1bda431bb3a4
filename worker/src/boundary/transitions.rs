//! Which boundaries of events have passed, and what they change. It is pure: it reads and writes nothing.

use std::collections::HashMap;

use entity::{
    UtcInstant,
    change::{ChangeKind, NewChange},
    event::{self, Availability},
    event_state::ChangedStates,
    provider,
};
use serde_json::json;
use uuid::Uuid;

use super::details::Details;

/// The boundaries of events up to an instant.
#[derive(Debug, Default)]
pub(super) struct Transitions<'a> {
    /// The changes for the log, in the order of the boundaries.
    pub(super) changes: Vec<AvailabilityChange<'a>>,
    /// The events that a reader sees changed, also those that have left their feed.
    pub(super) changed_events: Vec<&'a event::Model>,
    /// The first boundary of each event after the instant.
    pub(super) next_boundaries: Vec<(Uuid, Option<UtcInstant>)>,
    /// The events that have ended.
    pub(super) ended: Vec<Uuid>,
}

/// A change of the availability of an event.
#[derive(Debug)]
pub(super) struct AvailabilityChange<'a> {
    event: &'a event::Model,
    old: Availability,
    new: Availability,
}

/// One boundary of an event.
struct Transition<'a> {
    at: UtcInstant,
    event: &'a event::Model,
}

impl<'a> Transitions<'a> {
    /// Finds all boundaries up to an instant that have not been handled yet.
    pub(super) fn find(events: &'a [event::Model], provider_of: &HashMap<Uuid, &provider::Model>, through: UtcInstant) -> Self {
        let mut found = Self::default();
        let mut passed: Vec<Transition<'_>> = Vec::new();
        for event in events {
            let boundaries = std::iter::successors(event.next_boundary_at, |at| event.find_next_boundary(*at));
            let earlier = passed.len();
            passed.extend(boundaries.take_while(|at| *at <= through).map(|at| Transition { at, event }));
            let of_event = &passed[earlier..];
            let Some(last) = of_event.last() else { continue };
            found.next_boundaries.push((event.id, event.find_next_boundary(last.at)));
            found.ended.extend((event.ends_at <= last.at).then_some(event.id));
            let provider = provider_of[&event.id];
            let is_visible = event.shown && provider.loading_since.is_none();
            if is_visible && of_event.iter().any(Transition::is_change) {
                found.changed_events.push(event);
            }
        }
        passed.sort_by_key(|transition| (transition.at, transition.event.id));
        for transition in passed {
            let provider = provider_of[&transition.event.id];
            let is_listed = transition.event.shown && transition.event.left_at.is_none() && provider.loading_since.is_none();
            found.changes.extend(transition.change().filter(|_| is_listed));
        }
        found
    }
}

impl<'a> Transition<'a> {
    /// Before and from this instant on.
    fn availability(&self) -> (Availability, Availability) {
        (self.event.availability(UtcInstant(self.at.0.saturating_sub(1))), self.event.availability(self.at))
    }

    /// Whether a reader may see it: responses can also depend on whether an event has ended.
    fn is_change(&self) -> bool {
        let (old, new) = self.availability();
        old != new || self.at == self.event.ends_at
    }

    /// The change, if the availability changes.
    fn change(&self) -> Option<AvailabilityChange<'a>> {
        let (old, new) = self.availability();
        (old != new).then_some(AvailabilityChange { event: self.event, old, new })
    }
}

impl AvailabilityChange<'_> {
    /// The change for the log.
    pub(super) fn describe(&self, provider: &provider::Model, details: &Details) -> NewChange {
        let Self { event, old, new } = *self;
        let kind = if new == Availability::OnSale { ChangeKind::OnSale } else { ChangeKind::Updated };
        let changed = json!({ "availability": { "old": old.name(), "new": new.name() } }).to_string();
        let [old, new] = [old, new].map(|availability| details.state_of(event, provider, availability));
        // Unknown states are selected by all filters.
        let states = (old.is_some() && new.is_some()).then(|| ChangedStates { old, new }.to_json());
        NewChange { kind, provider_id: provider.id, event_id: event.id, changed, states }
    }

    pub(super) fn event_id(&self) -> Uuid {
        self.event.id
    }
}
