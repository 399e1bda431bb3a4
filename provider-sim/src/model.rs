//! The items of a catalogue. `catalogue` generates them, `feed` formats them.

use chrono::NaiveDateTime;

/// A show with one or more events.
#[derive(Clone, Debug, PartialEq)]
pub struct SimBaseEvent {
    /// Unique in the feed.
    pub id: u64,
    /// How its tickets are sold.
    pub sell_mode: SellMode,
    /// Absent for about one base event in ten.
    pub organizer_company_id: Option<u32>,
    /// Not escaped.
    pub title: String,
    /// All absent without [`SimCatalogue::details`](crate::SimCatalogue::details).
    pub details: SimDetails,
    /// One to three distinct performers of all events.
    pub performers: Vec<SimPerformer>,
    /// One to four events.
    pub events: Vec<SimEvent>,
}

/// What describes a show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimDetails {
    /// In the words of a provider.
    pub category: Option<&'static str>,
    /// Not escaped; in the language of the city.
    pub description: Option<String>,
    /// Not escaped.
    pub organizer_name: Option<String>,
    /// Where to buy.
    pub url: Option<String>,
    /// A picture, as a path on the server of the feed.
    pub image_url: Option<String>,
}

/// Whether an event takes place as announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimStatus {
    /// As announced.
    Scheduled,
    /// Not at all.
    Cancelled,
    /// On a date that is not known yet.
    Postponed,
    /// On another date.
    Rescheduled,
    /// Online.
    MovedOnline,
}

/// How the tickets of a base event are sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SellMode {
    /// Online.
    Online,
    /// Only at the box office.
    Offline,
}

/// A dated showing. Times are local to the venue.
#[derive(Clone, Debug, PartialEq)]
pub struct SimEvent {
    /// Unique only within its base event.
    pub id: u64,
    /// Start.
    pub starts: NaiveDateTime,
    /// End, which may be on the next day.
    pub ends: NaiveDateTime,
    /// Start of the sale.
    pub sell_from: NaiveDateTime,
    /// End of the sale.
    pub sell_to: NaiveDateTime,
    /// If true, the capacity of every zone is 0.
    pub sold_out: bool,
    /// Absent without [`SimCatalogue::details`](crate::SimCatalogue::details).
    pub status: Option<SimStatus>,
    /// Its own name, which few events have.
    pub name: Option<&'static str>,
    /// Venue.
    pub venue: SimVenue,
    /// A performer of this event only.
    pub support: Option<SimPerformer>,
    /// [`SimCatalogue::zones`](crate::SimCatalogue::zones) zones, of which the last two may have the same id.
    pub zones: Vec<SimZone>,
}

/// A priced area of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimZone {
    /// Usually unique within its event.
    pub id: u64,
    /// Tickets left.
    pub capacity: u32,
    /// Price of one ticket in hundredths of the currency.
    pub price_cents: u32,
    /// Not escaped.
    pub name: String,
    /// Whether its seats are numbered.
    pub numbered: bool,
}

/// A venue.
#[derive(Clone, Debug, PartialEq)]
pub struct SimVenue {
    /// Unique in the feed.
    pub id: u32,
    /// Not escaped.
    pub name: String,
    /// Degrees north, to five decimals.
    pub latitude: f64,
    /// Degrees east, to five decimals.
    pub longitude: f64,
    /// UN/LOCODE of its city.
    pub place_code: &'static str,
    /// Absent without [`SimCatalogue::details`](crate::SimCatalogue::details).
    pub address: Option<SimAddress>,
}

/// Where a venue is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimAddress {
    /// Street and number; not escaped.
    pub street: String,
    /// City.
    pub city: &'static str,
    /// Region, state or province.
    pub region: &'static str,
    /// ISO 3166-1 alpha-2 code.
    pub country: &'static str,
    /// Postal code.
    pub postal_code: String,
    /// IANA time zone.
    pub time_zone: &'static str,
}

/// A band or an artist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimPerformer {
    /// Unique in the feed.
    pub id: u64,
    /// Unique in the feed; not escaped.
    pub name: String,
}
