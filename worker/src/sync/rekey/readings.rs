//! A document that is read twice: with the keys of the copy, and with those of the entry.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::super::{fingerprint, identity::ItemIds, rejects::RejectedEvents};
use crate::provider::item::ParsedFeed;

/// The position of an event: of its item in the document, and its start, because an item may have several dates.
pub(super) type Position<'a> = (usize, &'a str);

/// A document with its keys before and after.
pub(super) struct Readings {
    /// With the keys of the copy.
    pub(super) old: ParsedFeed,
    /// With the keys of the entry, and with every item: several may have the same key now.
    pub(super) new: ParsedFeed,
}

/// The keys of one event in one reading.
#[derive(Debug)]
pub(super) struct EventKeys<'a> {
    pub(super) base_event: &'a str,
    pub(super) event: &'a str,
    pub(super) venue: Option<&'a str>,
    pub(super) performers: Vec<&'a str>,
}

impl Readings {
    /// The ids that the base events have or could have.
    pub(super) fn list_base_events(&self, ids: &ItemIds) -> Vec<Uuid> {
        let items = self.old.base_events.iter().chain(&self.new.base_events);
        let base_events: HashSet<Uuid> = items.map(|item| ids.base_event(&item.source_id)).collect();
        base_events.into_iter().collect()
    }

    /// The ids of which it must be known whether they are those of rows: what the new keys could mean, and the parts of the events.
    pub(super) fn list_others(&self, ids: &ItemIds) -> Vec<Uuid> {
        let mut others = HashSet::new();
        for (_, keys) in list_events(&self.new) {
            others.insert(ids.event_of_key(keys.base_event, keys.event));
            others.extend(keys.performers.iter().map(|performer| ids.performer_of_key(performer)));
            others.extend(keys.venue.map(|venue| ids.venue_of_key(venue)));
        }
        for (_, keys) in list_events(&self.old) {
            others.insert(ids.event(keys.base_event, keys.event));
            others.extend(keys.performers.iter().map(|performer| ids.performer(performer)));
            others.extend(keys.venue.map(|venue| ids.venue(venue)));
        }
        others.into_iter().collect()
    }

    /// The events with both keys. Those that cannot be read both ways are not included.
    pub(super) fn pair(&self) -> Vec<(Position<'_>, EventKeys<'_>, EventKeys<'_>)> {
        let mut new: HashMap<Position<'_>, EventKeys<'_>> = list_events(&self.new).collect();
        list_events(&self.old).filter_map(|(at, old)| new.remove(&at).map(|new| (at, old, new))).collect()
    }
}

fn list_events(feed: &ParsedFeed) -> impl Iterator<Item = (Position<'_>, EventKeys<'_>)> {
    feed.base_events.iter().flat_map(|item| {
        item.events.iter().map(move |event| {
            let performers = item.performers.iter().chain(&event.performers);
            let keys = EventKeys {
                base_event: &item.source_id,
                event: &event.source_id,
                venue: event.venue.as_ref().map(|venue| venue.source_id.as_str()),
                performers: performers.map(|performer| performer.source_id.as_str()).collect(),
            };
            ((event.span.start, event.start.wall_clock.as_str()), keys)
        })
    })
}

/// The content hashes of the items in one reading, as a sync computes them.
pub(super) struct ReadingHashes<'a> {
    pub(super) events: HashMap<Position<'a>, i64>,
    /// By key, with the number of events.
    pub(super) base_events: HashMap<&'a str, (i64, usize)>,
}

impl<'a> ReadingHashes<'a> {
    /// The hashes of a feed without duplicates.
    pub(super) fn of(feed: &'a ParsedFeed) -> Self {
        let rejected = RejectedEvents::group(&feed.rejects);
        let mut hashes = Self { events: HashMap::new(), base_events: HashMap::new() };
        for item in &feed.base_events {
            let rejected = rejected.get(item.source_id.as_str()).cloned().unwrap_or_default();
            let (event_hashes, content_hash) = fingerprint::hash_base_event(item, &rejected);
            hashes.base_events.insert(&item.source_id, (content_hash, item.events.len()));
            let positions = item.events.iter().map(|event| (event.span.start, event.start.wall_clock.as_str()));
            hashes.events.extend(positions.zip(event_hashes));
        }
        hashes
    }
}
