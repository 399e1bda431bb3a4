//! The content of a feed, independent of its format: base events with their events, and the rejected items.
//!
//! Items are validated when they are created: dates are instants, prices are minor units, and texts are within their limits.
//! An error in a required value (id, start, title) of an event rejects that event; one in the base event itself rejects it with all its
//! events. An error in an optional detail is a warning, and the item is accepted without the detail.

mod warnings;

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use chrono_tz::Tz;
use entity::{Category, EventStatus};

pub use self::warnings::{FeedWarning, FeedWarnings};
use super::{currency::Currency, local_time::LocalTime};

/// The sell mode with which a base event is shown.
pub const ONLINE: &str = "online";

/// A provider's show, with its dated events.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseEventItem {
    /// The provider's id.
    pub source_id: String,
    /// The title.
    pub title: String,
    /// `online`, `offline` or another value that the provider uses.
    pub sell_mode: String,
    /// The provider's id of the organizer.
    pub organizer_company_id: Option<String>,
    /// What describes it.
    pub details: ItemDetails,
    /// The performers of all its events.
    pub performers: Vec<PerformerItem>,
    /// Its events.
    pub events: Vec<EventItem>,
    /// Its byte range in the document; the last one if it is in the document several times.
    pub span: Range<usize>,
}

/// What describes a base event, or one of its events if it differs. All of it is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemDetails {
    /// The category, mapped from the provider's words.
    pub category: Option<Category>,
    /// Plain text of several lines.
    pub description: Option<String>,
    /// Where to buy, an absolute `http` or `https` URL.
    pub url: Option<String>,
    /// A picture, an absolute `http` or `https` URL.
    pub image_url: Option<String>,
    /// The name of the organizer.
    pub organizer_name: Option<String>,
}

/// One dated showing.
#[derive(Clone, Debug, PartialEq)]
pub struct EventItem {
    /// The provider's id, unique only within the base event.
    pub source_id: String,
    /// Its own name, if it differs from the title of the base event.
    pub name: Option<String>,
    /// Whether it takes place as announced.
    pub status: EventStatus,
    /// What describes it, as far as it differs from its base event.
    pub details: ItemDetails,
    /// The time zone of the place, if it is known.
    pub time_zone: Option<Tz>,
    /// When it starts.
    pub start: LocalTime,
    /// When it ends, never before it starts.
    pub end: Option<LocalTime>,
    /// When ticket sales start.
    pub sell_from: Option<LocalTime>,
    /// When ticket sales end.
    pub sell_to: Option<LocalTime>,
    /// Whether all tickets are sold.
    pub sold_out: bool,
    /// The performers of this event only.
    pub performers: Vec<PerformerItem>,
    /// The venue.
    pub venue: Option<VenueItem>,
    /// Its priced areas in the feed's order; ids may repeat.
    pub zones: Vec<ZoneItem>,
    /// Its byte range in the document.
    pub span: Range<usize>,
}

/// A priced area of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneItem {
    /// The provider's id.
    pub source_id: String,
    /// The name.
    pub name: Option<String>,
    /// The number of tickets left.
    pub capacity: Option<i64>,
    /// The price in minor units.
    pub price: i64,
    /// The currency, if it is not the provider's.
    pub currency: Option<Currency>,
    /// Whether its seats are numbered.
    pub numbered: Option<bool>,
}

/// A performer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformerItem {
    /// The provider's id.
    pub source_id: String,
    /// The name.
    pub name: String,
}

/// A venue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VenueItem {
    /// The provider's id.
    pub source_id: String,
    /// The name.
    pub name: String,
    /// Where it is, if that is known.
    pub coordinates: Option<Coordinates>,
    /// UN/LOCODE-style code of its place.
    pub place_code: Option<String>,
    /// Street and number.
    pub address: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Region, state or province.
    pub region: Option<String>,
    /// ISO 3166-1 alpha-2 code of the country.
    pub country: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Time zone.
    pub time_zone: Option<Tz>,
}

/// A point on the earth (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
}

/// The content of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedFeed {
    /// The accepted base events, in the document's order.
    pub base_events: Vec<BaseEventItem>,
    /// The rejected items.
    pub rejects: Vec<RejectedItem>,
    /// Details that were ignored or changed.
    pub warnings: FeedWarnings,
    /// The elements of base events that were not parsed, because their bytes are known, in the document's order.
    pub known: Vec<HashedElement>,
    /// The elements of base events without rejects and warnings, in the document's order: the same bytes need not be parsed again.
    pub recognizable: Vec<HashedElement>,
}

/// The bytes of a base event's element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedElement {
    /// A hash of the bytes.
    pub hash: i64,
    /// Their range in the document.
    pub span: Range<usize>,
}

/// One rejected item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedItem {
    /// Its byte range in the document.
    pub span: Range<usize>,
    /// The item, as far as its ids are valid.
    pub subject: RejectSubject,
    /// The number of rejected events: 1, or all events of a base event.
    pub events: usize,
    /// Every error of the item, with the value and what is accepted.
    pub reason: String,
}

/// The item that was rejected. An id is `None` if it is missing or invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RejectSubject {
    /// A base event with all its events.
    BaseEvent(Option<String>),
    /// One event of a base event.
    Event {
        /// The provider's id of the base event.
        base_event: String,
        /// The provider's id of the event.
        event: Option<String>,
    },
}

impl RejectSubject {
    /// The provider's ids of the base event and of the event.
    pub(crate) fn ids(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Self::BaseEvent(base_event) => (base_event.as_deref(), None),
            Self::Event { base_event, event } => (Some(base_event), event.as_deref()),
        }
    }
}

impl BaseEventItem {
    /// Merges a later element of the same base event into this one. The fields are those of the later element, except that the base
    /// event is online if either element is. After the last one, [`finish_merge`](Self::finish_merge) must be called.
    pub(crate) fn merge(&mut self, mut later: Self) {
        // The performers of an element play only at the events of that element, and its details describe these.
        self.move_performers_to_events();
        later.move_performers_to_events();
        self.copy_details_to_events();
        later.copy_details_to_events();
        let mut events = std::mem::take(&mut self.events);
        events.append(&mut later.events);
        later.events = events;
        if self.sell_mode == ONLINE {
            later.sell_mode = std::mem::take(&mut self.sell_mode);
        }
        *self = later;
    }

    /// Removes the details of events that are the same as those of the base event.
    pub(crate) fn finish_merge(&mut self) {
        for event in &mut self.events {
            event.details = std::mem::take(&mut event.details).without(&self.details);
        }
    }

    /// Completes the details of the events of the newest element, which are the last ones.
    fn copy_details_to_events(&mut self) {
        let Self { details, span, events, .. } = self;
        for event in events.iter_mut().rev().take_while(|event| span.start <= event.span.start && event.span.end <= span.end) {
            event.details.complete(details);
        }
    }

    fn move_performers_to_events(&mut self) {
        let performers = std::mem::take(&mut self.performers);
        if performers.is_empty() {
            return;
        }
        for event in &mut self.events {
            event.performers.splice(0..0, performers.iter().cloned());
        }
    }

    /// Removes events with a repeated id, with a warning: the last one stays, because publishers append what has changed.
    pub(crate) fn remove_duplicate_events(&mut self, warnings: &mut FeedWarnings) {
        if self.events.len() < 2 {
            return;
        }
        let mut seen = HashSet::with_capacity(self.events.len());
        let mut are_last: Vec<bool> = self.events.iter().rev().map(|event| seen.insert(event.source_id.as_str())).collect();
        if !are_last.contains(&false) {
            return;
        }
        let source_id = &self.source_id;
        self.events.retain(|event| {
            let is_last = are_last.pop().unwrap_or_default();
            if !is_last {
                let id = &event.source_id;
                warnings.add(FeedWarning {
                    position: event.span.start,
                    subject: Some(RejectSubject::Event { base_event: source_id.clone(), event: Some(id.clone()) }),
                    reason: format!(
                        "event `{id}` occurs again in base event `{source_id}`; this entry is ignored, and the last one imported"
                    ),
                });
            }
            is_last
        });
    }
}

impl ItemDetails {
    /// Adds the details that are missing.
    fn complete(&mut self, others: &Self) {
        self.category = self.category.or(others.category);
        for (detail, other) in [
            (&mut self.description, &others.description),
            (&mut self.url, &others.url),
            (&mut self.image_url, &others.image_url),
            (&mut self.organizer_name, &others.organizer_name),
        ] {
            if detail.is_none() {
                detail.clone_from(other);
            }
        }
    }

    /// The details that differ from those of a base event.
    pub(super) fn without(self, base: &Self) -> Self {
        let differing = |detail: Option<String>, base: &Option<String>| if detail == *base { None } else { detail };
        Self {
            category: self.category.filter(|category| base.category != Some(*category)),
            description: differing(self.description, &base.description),
            url: differing(self.url, &base.url),
            image_url: differing(self.image_url, &base.image_url),
            organizer_name: differing(self.organizer_name, &base.organizer_name),
        }
    }
}

impl ParsedFeed {
    /// The number of accepted events.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.base_events.iter().map(|base_event| base_event.events.len()).sum()
    }

    /// Merges the elements of each base event and removes duplicate events, with warnings.
    #[must_use]
    pub fn deduplicate(mut self) -> Self {
        let base_events = std::mem::take(&mut self.base_events);
        let mut unique = Self { base_events: Vec::with_capacity(base_events.len()), ..self };
        let mut indexes = HashMap::with_capacity(base_events.len());
        let mut merged = HashSet::new();
        for base_event in base_events {
            match indexes.get(&base_event.source_id) {
                None => {
                    indexes.insert(base_event.source_id.clone(), unique.base_events.len());
                    unique.base_events.push(base_event);
                }
                Some(&index) => {
                    unique.base_events[index].merge(base_event);
                    merged.insert(index);
                }
            }
        }
        for index in merged {
            unique.base_events[index].finish_merge();
        }
        for base_event in &mut unique.base_events {
            base_event.remove_duplicate_events(&mut unique.warnings);
        }
        unique.warnings.sort();
        unique
    }

    /// The number of its events with their zones and performers.
    pub(super) fn count_items(&self) -> usize {
        let events = self.base_events.iter().flat_map(|base_event| &base_event.events);
        events.map(|event| 1 + event.zones.len() + event.performers.len()).sum()
    }

    /// Adds the items of a later page.
    pub(super) fn append(&mut self, mut later: Self) {
        self.base_events.append(&mut later.base_events);
        self.rejects.append(&mut later.rejects);
        self.warnings.append(later.warnings);
        self.known.append(&mut later.known);
        self.recognizable.append(&mut later.recognizable);
    }

    /// Adds an offset to all spans.
    pub(super) fn shift_spans(&mut self, bytes: usize) {
        let shift = |span: &mut Range<usize>| *span = span.start + bytes..span.end + bytes;
        for base_event in &mut self.base_events {
            shift(&mut base_event.span);
            base_event.events.iter_mut().for_each(|event| shift(&mut event.span));
        }
        self.rejects.iter_mut().for_each(|reject| shift(&mut reject.span));
        self.known.iter_mut().chain(&mut self.recognizable).for_each(|element| shift(&mut element.span));
        self.warnings.listed.iter_mut().for_each(|warning| warning.position += bytes);
    }
}
