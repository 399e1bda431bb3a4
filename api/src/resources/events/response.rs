//! The response of a request for an event.

use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::rows::EventRows;
use crate::{
    query::to_rfc3339,
    resources::search::{EventSummary, to_decimal},
    response::Nullable,
};

/// An event. Instants are RFC 3339 in UTC; `start_*`, `end_*` and `sell_*` are in the venue's local time.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct EventDetails {
    /// The members that lists contain, too.
    #[serde(flatten)]
    #[oai(flatten)]
    pub event: EventSummary,
    /// The start as an instant.
    pub starts_at: String,
    /// The end as an instant; an event without an end ends when it starts.
    pub ends_at: String,
    /// When the sale begins.
    pub sell_from: Nullable<String>,
    /// When the sale ends.
    pub sell_to: Nullable<String>,
    /// Whether the provider marks the event as sold out.
    pub sold_out: bool,
    /// The provider's current sell mode, such as `online`.
    pub sell_mode: String,
    /// The provider's id of the organizer.
    pub organizer_company_id: Nullable<String>,
    /// The currency of all prices (ISO 4217).
    pub currency: String,
    /// The priced areas. A provider may use one id twice with different prices.
    pub zones: Vec<EventZone>,
    /// The performers, in the provider's order.
    pub performers: Vec<EventPerformer>,
    /// The venue.
    pub venue: Nullable<EventVenue>,
    /// The provider, with its ids of the event.
    pub provider: EventSource,
    /// When the event was first seen in the feed.
    pub first_seen: String,
    /// When the event was last seen in the feed.
    pub last_seen: Nullable<String>,
    /// When the event was removed from the feed; null while it is in the feed.
    pub left: Nullable<String>,
    /// When the event last returned to the feed after it had been removed.
    pub came_back: Nullable<String>,
}

/// A priced area.
#[derive(Clone, Debug, Object, Serialize)]
pub struct EventZone {
    /// The provider's id.
    pub id: String,
    /// The name.
    pub name: Nullable<String>,
    /// The number of available tickets.
    pub capacity: Nullable<i64>,
    /// The price of a ticket.
    pub price: f64,
    /// Whether the seats are numbered.
    pub numbered: Nullable<bool>,
}

/// A performer.
#[derive(Clone, Debug, Object, Serialize)]
pub struct EventPerformer {
    /// The provider's id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// A venue.
#[derive(Clone, Debug, Object, Serialize)]
pub struct EventVenue {
    /// The provider's id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The latitude (WGS 84).
    pub latitude: f64,
    /// The longitude (WGS 84).
    pub longitude: f64,
    /// The code of the venue's place, as in `/places`.
    pub place_code: Nullable<String>,
}

/// The provider of an event, and its ids.
#[derive(Clone, Debug, Object, Serialize)]
pub struct EventSource {
    /// The provider's slug.
    pub slug: String,
    /// The provider's id of the base event.
    pub base_event_id: String,
    /// The provider's id of the event, unique only within the base event.
    pub event_id: String,
}

impl From<EventRows> for EventDetails {
    fn from(rows: EventRows) -> Self {
        let EventRows { event, base_event, provider, venue, performers, zones } = rows;
        let digits = provider.currency_digits;
        // The newest copy of the feed contains the event, unless it was removed.
        let last_seen = if event.left_at.is_none() { provider.last_success_at } else { event.last_seen_at };
        Self {
            starts_at: to_rfc3339(event.starts_at),
            ends_at: to_rfc3339(event.ends_at),
            sell_from: event.sell_from.clone().into(),
            sell_to: event.sell_to.clone().into(),
            sold_out: event.sold_out,
            sell_mode: base_event.sell_mode,
            organizer_company_id: base_event.organizer_company_id.into(),
            currency: provider.currency,
            zones: zones.into_iter().map(|zone| EventZone::new(zone, digits)).collect(),
            performers: performers.into_iter().map(EventPerformer::from).collect(),
            venue: venue.map(EventVenue::from).into(),
            provider: EventSource { slug: provider.slug, base_event_id: base_event.source_id, event_id: event.source_id.clone() },
            first_seen: to_rfc3339(event.first_seen_at),
            last_seen: last_seen.map(to_rfc3339).into(),
            left: event.left_at.map(to_rfc3339).into(),
            came_back: event.came_back_at.map(to_rfc3339).into(),
            event: EventSummary::new(
                event.id,
                base_event.title,
                (&event.local_start, event.local_end.as_deref()),
                (event.min_price, event.max_price),
                digits,
            ),
        }
    }
}

impl EventZone {
    fn new(zone: entity::zone::Model, currency_digits: i16) -> Self {
        Self {
            id: zone.source_id,
            name: zone.name.into(),
            capacity: zone.capacity.into(),
            price: to_decimal(zone.price, currency_digits),
            numbered: zone.numbered.into(),
        }
    }
}

impl From<entity::performer::Model> for EventPerformer {
    fn from(performer: entity::performer::Model) -> Self {
        Self { id: performer.source_id, name: performer.name }
    }
}

impl From<entity::venue::Model> for EventVenue {
    fn from(venue: entity::venue::Model) -> Self {
        Self {
            id: venue.source_id,
            name: venue.name,
            latitude: venue.latitude,
            longitude: venue.longitude,
            place_code: venue.place_code.into(),
        }
    }
}

impl Example for EventDetails {
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        let some = |text: &str| Nullable(Some(text.to_owned()));
        Self {
            event: EventSummary::example(),
            starts_at: text("2021-02-10T19:00:00Z"),
            ends_at: text("2021-02-10T20:30:00Z"),
            sell_from: some("2021-01-01T00:00:00"),
            sell_to: some("2021-02-09T19:50:00"),
            sold_out: false,
            sell_mode: text("online"),
            organizer_company_id: some("2"),
            currency: text("EUR"),
            zones: vec![EventZone {
                id: text("311"),
                name: some("A42"),
                capacity: Nullable(Some(2)),
                price: 55.0,
                numbered: Nullable(Some(true)),
            }],
            performers: vec![EventPerformer { id: text("12"), name: text("Pantomima Full") }],
            venue: Nullable(Some(EventVenue {
                id: text("7"),
                name: text("Sala Apolo"),
                latitude: 41.374,
                longitude: 2.169,
                place_code: some("ESBCN"),
            })),
            provider: EventSource { slug: text("fever"), base_event_id: text("322"), event_id: text("1642") },
            first_seen: text("2021-01-02T08:00:00Z"),
            last_seen: some("2021-02-09T08:00:00Z"),
            left: some("2021-02-09T09:00:00Z"),
            came_back: Nullable(None),
        }
    }
}
