//! A hash of an item's content, which detects an unchanged item without reading it back.
//!
//! Every field is hashed with its length or a mark of its absence, so that different items are never hashed from the same bytes. The
//! events of a base event are hashed in the order of their ids, so that their order in the feed does not matter. The hash is xxh3 of
//! 64 bits: it compares the new content of one item with its old one, and a provider that forged a collision would only hide its own
//! change.

use chrono_tz::Tz;
use entity::{Category, performer, venue};
use xxhash_rust::xxh3::xxh3_64;

use super::rejects::RejectedEvents;
use crate::provider::{
    currency::Currency,
    item::{BaseEventItem, EventItem, ItemDetails, PerformerItem, VenueItem},
    local_time::LocalTime,
};

/// Must be incremented when the encoding below, or what is stored of an item, changes: everything is then written again, once.
pub(super) const ENCODING: i64 = 5;

/// Hashes an event with its zones, venue and performers, including those of its base event.
fn hash_event(base_event: &BaseEventItem, event: &EventItem) -> i64 {
    let mut fingerprint = Fingerprint::new();
    fingerprint.add_performers(&base_event.performers);
    fingerprint.add_text(&event.source_id);
    fingerprint.add_optional(event.name.as_deref());
    fingerprint.add_text(event.status.name());
    fingerprint.add_details(&event.details);
    fingerprint.add_optional(event.time_zone.map(Tz::name));
    fingerprint.add_time(Some(&event.start));
    fingerprint.add_time(event.end.as_ref());
    fingerprint.add_time(event.sell_from.as_ref());
    fingerprint.add_time(event.sell_to.as_ref());
    fingerprint.add_number(i64::from(event.sold_out));
    fingerprint.add_performers(&event.performers);
    fingerprint.add_optional(event.venue.as_ref().map(|venue| venue.source_id.as_str()));
    if let Some(VenueItem {
        source_id: _,
        name,
        coordinates,
        place_code,
        address,
        city,
        region,
        country,
        postal_code,
        time_zone,
    }) = &event.venue
    {
        fingerprint.add_text(name);
        fingerprint.add_number(i64::from(coordinates.is_some()));
        for degrees in coordinates.iter().flat_map(|at| [at.latitude, at.longitude]) {
            fingerprint.add_bytes(&degrees.to_le_bytes());
        }
        fingerprint.add_optionals([place_code, address, city, region, country, postal_code].map(Option::as_deref));
        fingerprint.add_optional(time_zone.map(Tz::name));
    }
    fingerprint.add_count(event.zones.len());
    for zone in &event.zones {
        fingerprint.add_text(&zone.source_id);
        fingerprint.add_optional(zone.name.as_deref());
        fingerprint.add_number(zone.capacity.unwrap_or(-1));
        fingerprint.add_number(zone.price);
        fingerprint.add_optional(zone.currency.as_ref().map(Currency::code));
        fingerprint.add_number(zone.numbered.map_or(-1, i64::from));
    }
    fingerprint.finish()
}

/// Hashes a base event: returns the hashes of its events, in their order, and the hash of the whole, including which of its events were
/// rejected.
pub(super) fn hash_base_event(base_event: &BaseEventItem, rejected: &RejectedEvents) -> (Vec<i64>, i64) {
    let hashes: Vec<i64> = base_event.events.iter().map(|event| hash_event(base_event, event)).collect();
    let content_hash = hash_content(base_event, &hashes, rejected);
    (hashes, content_hash)
}

/// Hashes a venue, which many events may share, so that a sync writes it once.
pub(super) fn hash_venue(venue: &venue::Model) -> i64 {
    let mut fingerprint = Fingerprint::new();
    let venue::Model { name, latitude, longitude, located, place_code, country, city, region, postal_code, address, .. } = venue;
    fingerprint.add_text(name);
    fingerprint.add_number(i64::from(*located));
    fingerprint.add_bytes(&latitude.to_le_bytes());
    fingerprint.add_bytes(&longitude.to_le_bytes());
    fingerprint.add_optionals([place_code, country, city, region, postal_code, address, &venue.time_zone].map(Option::as_deref));
    fingerprint.finish()
}

/// Hashes a performer, for the same purpose.
pub(super) fn hash_performer(performer: &performer::Model) -> i64 {
    let mut fingerprint = Fingerprint::new();
    fingerprint.add_text(&performer.name);
    fingerprint.finish()
}

fn hash_content(base_event: &BaseEventItem, event_hashes: &[i64], rejected: &RejectedEvents) -> i64 {
    let mut fingerprint = Fingerprint::new();
    fingerprint.add_text(&base_event.title);
    fingerprint.add_text(&base_event.sell_mode);
    fingerprint.add_optional(base_event.organizer_company_id.as_deref());
    fingerprint.add_details(&base_event.details);
    let source_ids = base_event.events.iter().map(|event| event.source_id.as_str());
    let mut events: Vec<(&str, i64)> = source_ids.zip(event_hashes.iter().copied()).collect();
    events.sort_unstable();
    fingerprint.add_count(events.len());
    for (source_id, hash) in events {
        fingerprint.add_text(source_id);
        fingerprint.add_number(hash);
    }
    let mut rejected_ids: Vec<&str> = rejected.ids.iter().map(String::as_str).collect();
    rejected_ids.sort_unstable();
    fingerprint.add_count(rejected_ids.len());
    for source_id in rejected_ids {
        fingerprint.add_text(source_id);
    }
    fingerprint.add_number(i64::from(rejected.has_unidentified));
    fingerprint.finish()
}

/// The bytes that are hashed: an item has many short fields, which are hashed several times faster together.
struct Fingerprint(Vec<u8>);

/// The usual bytes of an event with a few zones.
const USUAL_BYTES: usize = 1024;

impl Fingerprint {
    fn new() -> Self {
        let mut fingerprint = Self(Vec::with_capacity(USUAL_BYTES));
        fingerprint.add_number(ENCODING);
        fingerprint
    }

    fn add_text(&mut self, text: &str) {
        self.add_bytes(text.as_bytes());
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        self.add_count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn add_number(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn add_count(&mut self, count: usize) {
        self.0.extend_from_slice(&(count as u64).to_le_bytes());
    }

    fn add_optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.add_text(text),
            // No text has this length.
            None => self.0.extend_from_slice(&u64::MAX.to_le_bytes()),
        }
    }

    /// Adds texts of which most are absent.
    fn add_optionals<const COUNT: usize>(&mut self, texts: [Option<&str>; COUNT]) {
        let present = texts.iter().enumerate().fold(0, |bits, (index, text)| bits | i64::from(text.is_some()) << index);
        self.add_number(present);
        texts.into_iter().flatten().for_each(|text| self.add_text(text));
    }

    fn add_time(&mut self, time: Option<&LocalTime>) {
        self.add_optional(time.map(|time| time.wall_clock.as_str()));
        self.add_number(time.map_or(0, |time| time.instant.0));
    }

    fn add_details(&mut self, details: &ItemDetails) {
        let ItemDetails { category, description, url, image_url, organizer_name } = details;
        let [description, url, image_url, organizer_name] = [description, url, image_url, organizer_name].map(Option::as_deref);
        self.add_optionals([category.map(Category::slug), description, url, image_url, organizer_name]);
    }

    fn add_performers(&mut self, performers: &[PerformerItem]) {
        self.add_count(performers.len());
        for performer in performers {
            self.add_text(&performer.source_id);
            self.add_text(&performer.name);
        }
    }

    fn finish(&self) -> i64 {
        xxh3_64(&self.0).cast_signed()
    }
}
