//! The items of a catalogue, as the feed shows them.
//!
//! Owns only their shape. How they are invented is `catalogue`'s business, how they are
//! written is `feed`'s.

use chrono::NaiveDateTime;

/// Something that is staged, on one or more dates.
#[derive(Clone, Debug, PartialEq)]
pub struct SimBaseEvent {
    /// Unique in the feed.
    pub id: u64,
    /// Whether tickets are sold on line.
    pub sell_mode: SellMode,
    /// Absent for about one base event in ten.
    pub organizer_company_id: Option<u32>,
    /// As a reader sees it, not yet escaped.
    pub title: String,
    /// Who appears at all of its events: one to three, none twice.
    pub performers: Vec<SimPerformer>,
    /// One to four.
    pub events: Vec<SimEvent>,
}

/// How the tickets of a base event are sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SellMode {
    /// On line.
    Online,
    /// At the box office only.
    Offline,
}

/// One dated showing. All its times are the wall clock of its venue.
#[derive(Clone, Debug, PartialEq)]
pub struct SimEvent {
    /// Unique only within its base event.
    pub id: u64,
    /// When it starts.
    pub starts: NaiveDateTime,
    /// When it ends, on another day than it starts if it is late.
    pub ends: NaiveDateTime,
    /// Since when tickets are sold.
    pub sell_from: NaiveDateTime,
    /// Until when tickets are sold.
    pub sell_to: NaiveDateTime,
    /// Whether nothing is left; then the capacity of every zone is 0.
    pub sold_out: bool,
    /// Where it is.
    pub venue: SimVenue,
    /// Who appears at this event only.
    pub support: Option<SimPerformer>,
    /// As many as [`SimCatalogue::zones`](crate::SimCatalogue::zones) says; the last two may share their id.
    pub zones: Vec<SimZone>,
}

/// A part of the audience with a price of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimZone {
    /// Usually, but not always, unique within its event.
    pub id: u64,
    /// Tickets left.
    pub capacity: u32,
    /// Price of one ticket in hundredths of the currency.
    pub price_cents: u32,
    /// As a reader sees it, not yet escaped.
    pub name: String,
    /// Whether its seats are numbered.
    pub numbered: bool,
}

/// A place where events are held.
#[derive(Clone, Debug, PartialEq)]
pub struct SimVenue {
    /// Unique in the feed.
    pub id: u32,
    /// As a reader sees it, not yet escaped.
    pub name: String,
    /// Degrees north, to five decimals.
    pub latitude: f64,
    /// Degrees east, to five decimals.
    pub longitude: f64,
    /// UN/LOCODE of its city.
    pub place_code: &'static str,
}

/// A band or an artist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimPerformer {
    /// Unique in the feed.
    pub id: u64,
    /// As a reader sees it, not yet escaped; no two performers share it.
    pub name: String,
}
