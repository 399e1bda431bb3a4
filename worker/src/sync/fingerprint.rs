//! A hash of what an item says, by which an unchanged one is known without reading it back.
//!
//! Every field goes into it with its length or a mark of its absence, so that no two items run together, and the events of a
//! base event in the order of their ids, so that a feed in another order is the same feed. The hash is xxh3 of 64 bits: it tells
//! the new content of one item from its old one, and a provider that forged a collision would only hide its own change.

use entity::{performer, venue};
use xxhash_rust::xxh3::Xxh3Default;

use super::survey::RejectedEvents;
use crate::provider::{
    item::{BaseEventItem, EventItem, PerformerItem},
    local_time::LocalTime,
};

/// To be raised when the encoding below or what the tables keep of an item changes: then all is written anew, once.
pub(super) const ENCODING: i64 = 3;

/// The hash of one event with its zones, venue and performers, those of its base event included.
fn of_event(base_event: &BaseEventItem, event: &EventItem) -> i64 {
    let mut fingerprint = Fingerprint::new();
    fingerprint.performers(&base_event.performers);
    fingerprint.text(&event.source_id);
    fingerprint.time(Some(&event.start));
    fingerprint.time(event.end.as_ref());
    fingerprint.time(event.sell_from.as_ref());
    fingerprint.time(event.sell_to.as_ref());
    fingerprint.number(i64::from(event.sold_out));
    fingerprint.performers(&event.performers);
    fingerprint.optional(event.venue.as_ref().map(|venue| venue.source_id.as_str()));
    if let Some(venue) = &event.venue {
        fingerprint.text(&venue.name);
        fingerprint.bytes(&venue.latitude.to_le_bytes());
        fingerprint.bytes(&venue.longitude.to_le_bytes());
        fingerprint.optional(venue.place_code.as_deref());
    }
    fingerprint.count(event.zones.len());
    for zone in &event.zones {
        fingerprint.text(&zone.source_id);
        fingerprint.optional(zone.name.as_deref());
        fingerprint.number(zone.capacity.unwrap_or(-1));
        fingerprint.number(zone.price);
        fingerprint.number(zone.numbered.map_or(-1, i64::from));
    }
    fingerprint.finish()
}

/// The hashes of a base event's events, in their order, and that of all of it: of itself, of those hashes, and of which of its
/// events were rejected.
pub(super) fn of_whole(base_event: &BaseEventItem, rejected: &RejectedEvents) -> (Vec<i64>, i64) {
    let hashes: Vec<i64> = base_event.events.iter().map(|event| of_event(base_event, event)).collect();
    let content_hash = of_base_event(base_event, &hashes, rejected);
    (hashes, content_hash)
}

/// The hash of what many events may share, to know what the same sync has written already.
pub(super) fn of_venue(venue: &venue::Model) -> i64 {
    let mut fingerprint = Fingerprint::new();
    fingerprint.text(&venue.name);
    fingerprint.bytes(&venue.latitude.to_le_bytes());
    fingerprint.bytes(&venue.longitude.to_le_bytes());
    fingerprint.optional(venue.place_code.as_deref());
    fingerprint.finish()
}

/// The same of a performer.
pub(super) fn of_performer(performer: &performer::Model) -> i64 {
    let mut fingerprint = Fingerprint::new();
    fingerprint.text(&performer.name);
    fingerprint.finish()
}

fn of_base_event(base_event: &BaseEventItem, event_hashes: &[i64], rejected: &RejectedEvents) -> i64 {
    let mut fingerprint = Fingerprint::new();
    fingerprint.text(&base_event.title);
    fingerprint.text(&base_event.sell_mode);
    fingerprint.optional(base_event.organizer_company_id.as_deref());
    let source_ids = base_event.events.iter().map(|event| event.source_id.as_str());
    let mut events: Vec<(&str, i64)> = source_ids.zip(event_hashes.iter().copied()).collect();
    events.sort_unstable();
    fingerprint.count(events.len());
    for (source_id, hash) in events {
        fingerprint.text(source_id);
        fingerprint.number(hash);
    }
    let mut rejected_ids: Vec<&str> = rejected.ids.iter().map(String::as_str).collect();
    rejected_ids.sort_unstable();
    fingerprint.count(rejected_ids.len());
    for source_id in rejected_ids {
        fingerprint.text(source_id);
    }
    fingerprint.number(i64::from(rejected.unrecognised));
    fingerprint.finish()
}

struct Fingerprint(Xxh3Default);

impl Fingerprint {
    fn new() -> Self {
        let mut fingerprint = Self(Xxh3Default::new());
        fingerprint.number(ENCODING);
        fingerprint
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn number(&mut self, number: i64) {
        self.0.update(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_le_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            // No text has this length.
            None => self.0.update(&u64::MAX.to_le_bytes()),
        }
    }

    fn time(&mut self, time: Option<&LocalTime>) {
        self.optional(time.map(|time| time.wall_clock.as_str()));
        self.number(time.map_or(0, |time| time.instant.0));
    }

    fn performers(&mut self, performers: &[PerformerItem]) {
        self.count(performers.len());
        for performer in performers {
            self.text(&performer.source_id);
            self.text(&performer.name);
        }
    }

    fn finish(&self) -> i64 {
        self.0.digest().cast_signed()
    }
}
