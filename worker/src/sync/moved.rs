//! Finds events with another date and, because their keys contain it, another key.

use std::collections::{HashMap, HashSet};

use entity::{UtcInstant, event};
use uuid::Uuid;

use super::identity::ItemIds;
use crate::provider::item::{BaseEventItem, EventItem};

/// What remains the same when a date moves: name, venue and URL.
type Constants<'a> = (Option<&'a str>, Option<Uuid>, Option<&'a str>);

/// The events of a base event with the same constants.
#[derive(Default)]
struct Candidates<'copy, 'item> {
    left: Vec<&'copy event::Model>,
    arrived: Vec<&'item EventItem>,
}

/// The ids that new events of a base event had before, by their new source ids: the only event that left and the only one that arrived
/// with the same name, venue and URL are the same event, if both have a key that contains their date.
///
/// An event that has already started was not moved: it is over, and its provider no longer lists it. An event is also the same if its key
/// has only gained its date.
pub(super) fn find_moved<'a>(
    item: &'a BaseEventItem,
    copied: &HashMap<Uuid, event::Model>,
    in_feed: &HashSet<Uuid>,
    (ids, fetched_at): (&ItemIds, UtcInstant),
) -> HashMap<&'a str, Uuid> {
    let mut candidates: HashMap<Constants<'_>, Candidates<'_, 'a>> = HashMap::new();
    let has_left = |event: &&event::Model| event.left_at.is_none() && !in_feed.contains(&event.id);
    let left: HashMap<&str, &event::Model> =
        copied.values().filter(has_left).map(|event| (event.source_id.as_str(), event)).collect();
    if left.is_empty() {
        return HashMap::new();
    }
    let mut same = HashMap::new();
    for event in left.values().copied() {
        if event.starts_at > fetched_at && contains_date(&event.source_id, &event.local_start) {
            let key = (event.name.as_deref(), event.venue_id, event.url.as_deref());
            candidates.entry(key).or_default().left.push(event);
        }
    }
    for event in &item.events {
        if copied.contains_key(&ids.event(&item.source_id, &event.source_id)) {
            continue;
        }
        let former = former_key(event).and_then(|key| left.get(key)).filter(|left| left.starts_at == event.start.instant);
        if let Some(left) = former {
            same.insert(event.source_id.as_str(), left.id);
        } else if contains_date(&event.source_id, &event.start.wall_clock) {
            let venue_id = event.venue.as_ref().map(|venue| ids.venue(&venue.source_id));
            let key = (event.name.as_deref(), venue_id, event.details.url.as_deref());
            candidates.entry(key).or_default().arrived.push(event);
        }
    }
    let pairs = candidates.into_values().filter_map(|candidates| match (&candidates.left[..], &candidates.arrived[..]) {
        ([left], [arrived]) => Some((arrived.source_id.as_str(), left.id)),
        _ => None,
    });
    let pairs: Vec<_> = pairs.filter(|(_, left)| !same.values().any(|id| id == left)).collect();
    same.extend(pairs);
    same
}

/// The key without its date, as before a format identified the dates of one URL.
fn former_key(event: &EventItem) -> Option<&str> {
    event.source_id.strip_suffix(&event.start.wall_clock)?.strip_suffix('#')
}

/// Whether a key contains the date of a wall clock, with or without hyphens.
fn contains_date(source_id: &str, wall_clock: &str) -> bool {
    let date = wall_clock.get(..10).unwrap_or(wall_clock);
    source_id.contains(date) || source_id.contains(&date.replace('-', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_date_in_a_key() {
        for (source_id, expected) in [
            ("https://a.example/jazz#2031-06-30T21:00:00", true),
            ("jazz-20310630", true),
            ("jazz-2031-07-01", false),
            ("1642", false),
        ] {
            assert_eq!(contains_date(source_id, "2031-06-30T21:00:00"), expected, "{source_id}");
        }
        assert!(contains_date("2031-06-30", "2031-06-30"), "an event without a time");
    }
}
