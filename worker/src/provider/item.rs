//! What a feed says, whatever its format: base events with their events, and what of it could not be taken.
//!
//! Items are checked when they exist: their dates are instants, their prices minor units, their texts within the limits.
//! An item is taken whole or not at all. A fault anywhere in an event rejects that event; a fault in what a base event says of
//! itself rejects it with all its events. A price list with a hole in it, or an event in a place that does not exist, would be
//! something the provider never said.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::local_time::LocalTime;

/// The sell mode with which a base event is shown.
pub const ONLINE: &str = "online";

/// A provider's show, with its dated events.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseEventItem {
    /// The provider's id of it.
    pub source_id: String,
    /// What it is called.
    pub title: String,
    /// `online`, `offline` or another word of the provider's.
    pub sell_mode: String,
    /// The provider's id of the organizer.
    pub organizer_company_id: Option<String>,
    /// Who plays at all of its events.
    pub performers: Vec<PerformerItem>,
    /// Its events.
    pub events: Vec<EventItem>,
    /// Where in the document it stands, in bytes; the last place if it stands in several.
    pub span: Range<usize>,
}

/// One dated showing.
#[derive(Clone, Debug, PartialEq)]
pub struct EventItem {
    /// The provider's id of it, unique only within its base event.
    pub source_id: String,
    /// When it starts.
    pub start: LocalTime,
    /// When it ends, never before it starts.
    pub end: Option<LocalTime>,
    /// Since when tickets are sold.
    pub sell_from: Option<LocalTime>,
    /// Until when tickets are sold.
    pub sell_to: Option<LocalTime>,
    /// Whether nothing is left.
    pub sold_out: bool,
    /// Who plays at this event alone.
    pub performers: Vec<PerformerItem>,
    /// Where it is.
    pub venue: Option<VenueItem>,
    /// Its priced areas in the feed's order; ids may repeat.
    pub zones: Vec<ZoneItem>,
    /// Where in the document it stands, in bytes.
    pub span: Range<usize>,
}

/// A priced area of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneItem {
    /// The provider's id of it.
    pub source_id: String,
    /// What it is called.
    pub name: Option<String>,
    /// How many tickets are left.
    pub capacity: Option<i64>,
    /// Price in minor units of the provider's currency.
    pub price: i64,
    /// Whether its seats are numbered.
    pub numbered: Option<bool>,
}

/// Who plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformerItem {
    /// The provider's id.
    pub source_id: String,
    /// The name.
    pub name: String,
}

/// Where an event is.
#[derive(Clone, Debug, PartialEq)]
pub struct VenueItem {
    /// The provider's id.
    pub source_id: String,
    /// The name.
    pub name: String,
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
    /// UN/LOCODE-style code of the place it lies in.
    pub place_code: Option<String>,
}

/// What a whole document says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedFeed {
    /// What could be taken, in the document's order.
    pub base_events: Vec<BaseEventItem>,
    /// What could not.
    pub rejects: Vec<Reject>,
}

/// One item that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Where in the document it stands, in bytes.
    pub span: Range<usize>,
    /// Which item it is, as far as it could be read.
    pub subject: RejectSubject,
    /// Events that it stands for: itself, or all those of a base event.
    pub events: usize,
    /// What is wrong, all of it, and what would be right.
    pub reason: String,
}

/// The item that a reject is about. An id is missing where it could not be read.
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

impl BaseEventItem {
    /// One of the several elements over which a feed has spread a base event, in the document's order: events are brought
    /// together under the last of them, and it is online if any of them is.
    pub(crate) fn merge(&mut self, mut later: Self) {
        // Each element's performers play at its own events.
        self.copy_performers_to_events();
        later.copy_performers_to_events();
        let mut events = std::mem::take(&mut self.events);
        events.append(&mut later.events);
        later.events = events;
        if self.sell_mode == ONLINE {
            later.sell_mode = std::mem::take(&mut self.sell_mode);
        }
        later.organizer_company_id = later.organizer_company_id.or(self.organizer_company_id.take());
        *self = later;
    }

    /// Makes its performers those of each of its events.
    fn copy_performers_to_events(&mut self) {
        let performers = std::mem::take(&mut self.performers);
        if performers.is_empty() {
            return;
        }
        for event in &mut self.events {
            event.performers.splice(0..0, performers.iter().cloned());
        }
    }

    /// Makes every event stand once. One that stands twice contradicts itself: the first is kept and each later one is a reject.
    pub(crate) fn remove_duplicate_events(&mut self, rejects: &mut Vec<Reject>) {
        if self.events.len() < 2 {
            return;
        }
        let mut seen = HashSet::with_capacity(self.events.len());
        let repeated: Vec<bool> = self.events.iter().map(|event| !seen.insert(event.source_id.as_str())).collect();
        if !repeated.contains(&true) {
            return;
        }
        let mut repeated = repeated.into_iter();
        let source_id = &self.source_id;
        self.events.retain(|event| {
            let is_repeated = repeated.next().unwrap_or_default();
            if is_repeated {
                rejects.push(Reject {
                    span: event.span.clone(),
                    subject: RejectSubject::Event { base_event: source_id.clone(), event: Some(event.source_id.clone()) },
                    events: 1,
                    reason: format!(
                        "event `{}` stands twice in base event `{source_id}`: the first one was taken",
                        event.source_id
                    ),
                });
            }
            !is_repeated
        });
    }
}

impl ParsedFeed {
    /// Number of events that were taken.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.base_events.iter().map(|base_event| base_event.events.len()).sum()
    }

    /// Makes every base event and every event stand once.
    #[must_use]
    pub fn deduplicate(self) -> Self {
        let mut settled = Self { base_events: Vec::with_capacity(self.base_events.len()), rejects: self.rejects };
        let mut places = HashMap::with_capacity(self.base_events.len());
        for base_event in self.base_events {
            match places.get(&base_event.source_id) {
                None => {
                    places.insert(base_event.source_id.clone(), settled.base_events.len());
                    settled.base_events.push(base_event);
                }
                Some(&place) => settled.base_events[place].merge(base_event),
            }
        }
        for base_event in &mut settled.base_events {
            base_event.remove_duplicate_events(&mut settled.rejects);
        }
        settled.rejects.sort_by_key(|reject| reject.span.start);
        settled
    }

    /// Moves all places on by this many bytes.
    pub(super) fn shift(&mut self, bytes: usize) {
        let shift = |span: &mut Range<usize>| *span = span.start + bytes..span.end + bytes;
        for base_event in &mut self.base_events {
            shift(&mut base_event.span);
            base_event.events.iter_mut().for_each(|event| shift(&mut event.span));
        }
        self.rejects.iter_mut().for_each(|reject| shift(&mut reject.span));
    }
}
