//! The rejected items of a feed, while it is compared with the copy.

use std::collections::HashMap;

use uuid::Uuid;

use super::identity::ItemIds;
use crate::provider::item::{RejectSubject, RejectedItem};

/// Rejects that are stored with details: beyond that the reasons repeat, and the count is still exact.
const MAX_STORED: usize = 1_000;

/// The rejected items of a feed.
#[derive(Debug, Default)]
pub(super) struct RejectSummary {
    /// The first ones, in the order of the document.
    pub(super) first: Vec<RejectedItem>,
    /// Their number.
    pub(super) count: usize,
    /// The number of rejected events.
    pub(super) events: usize,
    /// Rejected base events, ordered by id once the feed is complete. They count as present, with unknown events.
    pub(super) base_events: Vec<Uuid>,
    /// The base events of rejected events, ordered as well. They are present, too, even if all their events were rejected.
    pub(super) base_events_of_events: Vec<Uuid>,
    /// The number of base events without a readable id.
    pub(super) unidentified: usize,
}

/// The rejected events of one base event.
#[derive(Clone, Debug, Default)]
pub(super) struct RejectedEvents {
    pub(super) ids: Vec<String>,
    /// There is one without a readable id: it may be any that is missing.
    pub(super) has_unidentified: bool,
}

impl RejectedEvents {
    /// The rejected events by base event, for base events that were accepted in part.
    pub(super) fn group(rejects: &[RejectedItem]) -> HashMap<&str, Self> {
        let mut groups: HashMap<&str, Self> = HashMap::new();
        for reject in rejects {
            if let RejectSubject::Event { base_event, event } = &reject.subject {
                let group = groups.entry(base_event).or_default();
                match event {
                    Some(id) => group.ids.push(id.clone()),
                    None => group.has_unidentified = true,
                }
            }
        }
        groups
    }
}

impl RejectSummary {
    pub(super) fn new(mut rejects: Vec<RejectedItem>, ids: &ItemIds) -> Self {
        let mut summary = Self { count: rejects.len(), ..Self::default() };
        for reject in &rejects {
            summary.events += reject.events;
            match &reject.subject {
                RejectSubject::BaseEvent(Some(id)) => summary.base_events.push(ids.base_event(id)),
                RejectSubject::BaseEvent(None) => summary.unidentified += 1,
                RejectSubject::Event { base_event, .. } => summary.base_events_of_events.push(ids.base_event(base_event)),
            }
        }
        summary.base_events_of_events.dedup();
        rejects.truncate(MAX_STORED);
        summary.first = rejects;
        summary
    }

    /// Orders the ids once the feed is complete.
    pub(super) fn sort(&mut self) {
        self.base_events.sort_unstable();
        self.base_events_of_events.sort_unstable();
    }

    /// Whether a base event was rejected, or events of it.
    pub(super) fn contains(&self, base_event: &Uuid) -> bool {
        [&self.base_events, &self.base_events_of_events].iter().any(|ids| ids.binary_search(base_event).is_ok())
    }

    /// Adds the rejects of a later part of the document.
    pub(super) fn add(&mut self, mut later: Self) {
        self.first.append(&mut later.first);
        self.first.truncate(MAX_STORED);
        self.count += later.count;
        self.events += later.events;
        self.base_events.append(&mut later.base_events);
        self.base_events_of_events.append(&mut later.base_events_of_events);
        self.unidentified += later.unidentified;
    }
}
