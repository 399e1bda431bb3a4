//! The response of a request for an event.

use entity::to_decimal;
use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::{rows::EventRows, status::EventStatus};
use crate::{
    resources::search::EventSummary,
    response::{CurrencyCode, Instant, LocalDateTime, Nullable, ProviderSlug},
};

/// An event. Instants are RFC 3339 in UTC; `start_*`, `end_*` and `sell_*` are in the venue's local time.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct EventDetails {
    /// The members that lists contain, too.
    #[serde(flatten)]
    #[oai(flatten)]
    pub event: EventSummary,
    /// The event's own name, if it differs from the title.
    pub name: Nullable<String>,
    /// Whether the event takes place as announced.
    pub status: EventStatus,
    /// The category, and after a slash its second level.
    pub category: Nullable<String>,
    /// The description as plain text of several lines.
    pub description: Nullable<String>,
    /// Where to buy.
    pub url: Nullable<String>,
    /// A picture.
    pub image_url: Nullable<String>,
    /// The name of the organizer.
    pub organizer: Nullable<String>,
    /// The time zone of the local times (IANA).
    pub time_zone: String,
    /// The start as an instant.
    pub starts_at: Instant,
    /// The end as an instant; an event without an end ends when it starts.
    pub ends_at: Instant,
    /// When the event started before it was last rescheduled.
    pub previous_start_at: Nullable<Instant>,
    /// When the sale begins.
    pub sell_from: Nullable<LocalDateTime>,
    /// When the sale ends.
    pub sell_to: Nullable<LocalDateTime>,
    /// Whether the provider marks the event as sold out.
    pub sold_out: bool,
    /// The provider's current sell mode, such as `online`.
    pub sell_mode: String,
    /// The provider's id of the organizer.
    pub organizer_company_id: Nullable<String>,
    /// The currency of the lowest and the highest price (ISO 4217).
    pub currency: CurrencyCode,
    /// The priced areas. A provider may use one id twice with different prices.
    pub zones: Vec<EventZone>,
    /// The performers, in the provider's order.
    pub performers: Vec<EventPerformer>,
    /// The venue.
    pub venue: Nullable<EventVenue>,
    /// The provider, with its ids of the event.
    pub provider: EventSource,
    /// When the event was first seen in the feed.
    pub first_seen: Instant,
    /// When the event was last seen in the feed.
    pub last_seen: Nullable<Instant>,
    /// When the event was removed from the feed; null while it is in the feed.
    pub left: Nullable<Instant>,
    /// When the event last returned to the feed after it had been removed.
    pub came_back: Nullable<Instant>,
}

/// A priced area.
#[derive(Clone, Debug, Object, Serialize)]
pub struct EventZone {
    /// The provider's id.
    pub id: String,
    /// The name.
    pub name: Nullable<String>,
    /// The number of available tickets.
    #[oai(validator(minimum(value = "0")))]
    pub capacity: Nullable<i64>,
    /// The price of a ticket.
    #[oai(validator(minimum(value = "0")))]
    pub price: f64,
    /// The currency of the price (ISO 4217).
    pub currency: CurrencyCode,
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
    /// The latitude (WGS 84), if it is known.
    #[oai(validator(minimum(value = "-90"), maximum(value = "90")))]
    pub latitude: Nullable<f64>,
    /// The longitude (WGS 84), if it is known.
    #[oai(validator(minimum(value = "-180"), maximum(value = "180")))]
    pub longitude: Nullable<f64>,
    /// The code of the venue's place, as in `/places`.
    pub place_code: Nullable<String>,
    /// The street and number.
    pub address: Nullable<String>,
    /// The postal code.
    pub postal_code: Nullable<String>,
    /// The city.
    pub city: Nullable<String>,
    /// The region, state or province.
    pub region: Nullable<String>,
    /// The country (ISO 3166-1 alpha-2).
    pub country: Nullable<String>,
}

/// The provider of an event, and its ids.
#[derive(Clone, Debug, Object, Serialize)]
pub struct EventSource {
    /// The provider's slug.
    pub slug: ProviderSlug,
    /// The provider's name.
    pub name: Nullable<String>,
    /// The provider's web page.
    pub home_page: Nullable<String>,
    /// The licence of the provider's data.
    pub licence: Nullable<String>,
    /// The text with which the provider's data must be shown.
    pub attribution: Nullable<String>,
    /// The provider's id of the base event.
    pub base_event_id: String,
    /// The provider's id of the event, unique only within the base event.
    pub event_id: String,
}

impl From<EventRows> for EventDetails {
    fn from(rows: EventRows) -> Self {
        let EventRows { event, base_event, provider, venue, performers, zones } = rows;
        let default_digits = provider.currency_digits;
        let digits = event.currency_digits.unwrap_or(default_digits);
        let zones = zones.into_iter().map(|zone| EventZone::new(zone, (&provider.currency, default_digits))).collect();
        // The newest copy of the feed contains the event, unless it was removed.
        let last_seen = if event.left_at.is_none() { provider.last_success_at } else { event.last_seen_at };
        Self {
            name: event.name.into(),
            status: event.status.into(),
            category: event.category.or(base_event.category).into(),
            description: event.description.or(base_event.description).into(),
            url: event.url.or(base_event.url).into(),
            image_url: event.image_url.or(base_event.image_url).into(),
            organizer: event.organizer_name.or(base_event.organizer_name).into(),
            time_zone: event.time_zone.unwrap_or(provider.time_zone),
            previous_start_at: event.previous_start_at.map(Instant::from).into(),
            starts_at: event.starts_at.into(),
            ends_at: event.ends_at.into(),
            sell_from: event.sell_from.clone().map(LocalDateTime).into(),
            sell_to: event.sell_to.clone().map(LocalDateTime).into(),
            sold_out: event.sold_out,
            sell_mode: base_event.sell_mode,
            organizer_company_id: base_event.organizer_company_id.into(),
            currency: event.currency.unwrap_or(provider.currency).into(),
            zones,
            performers: performers.into_iter().map(EventPerformer::from).collect(),
            venue: venue.map(EventVenue::from).into(),
            provider: EventSource {
                slug: provider.slug.into(),
                name: provider.name.into(),
                home_page: provider.home_page.into(),
                licence: provider.licence.into(),
                attribution: provider.attribution.into(),
                base_event_id: base_event.source_id,
                event_id: event.source_id.clone(),
            },
            first_seen: event.first_seen_at.into(),
            last_seen: last_seen.map(Instant::from).into(),
            left: event.left_at.map(Instant::from).into(),
            came_back: event.came_back_at.map(Instant::from).into(),
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
    /// A zone, and the currency and its digits for a price without a currency.
    fn new(zone: entity::zone::Model, (currency, digits): (&str, i16)) -> Self {
        Self {
            id: zone.source_id,
            name: zone.name.into(),
            capacity: zone.capacity.into(),
            price: to_decimal(zone.price, zone.currency_digits.unwrap_or(digits)),
            currency: zone.currency.unwrap_or_else(|| currency.to_owned()).into(),
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
            latitude: venue.located.then_some(venue.latitude).into(),
            longitude: venue.located.then_some(venue.longitude).into(),
            place_code: venue.place_code.into(),
            address: venue.address.into(),
            postal_code: venue.postal_code.into(),
            city: venue.city.into(),
            region: venue.region.into(),
            country: venue.country.into(),
        }
    }
}

impl Example for EventDetails {
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        let some = |text: &str| Nullable(Some(text.to_owned()));
        Self {
            event: EventSummary::example(),
            name: Nullable(None),
            status: EventStatus::Scheduled,
            category: some("comedy"),
            description: some("Two comedians, and everything that annoys them."),
            url: some("https://tickets.example/322/1642"),
            image_url: some("https://tickets.example/322.jpg"),
            organizer: some("Teatro Example"),
            time_zone: text("Europe/Madrid"),
            previous_start_at: Nullable(None),
            starts_at: "2021-02-10T19:00:00Z".into(),
            ends_at: "2021-02-10T20:30:00Z".into(),
            sell_from: Nullable(Some("2021-01-01T00:00:00".into())),
            sell_to: Nullable(Some("2021-02-09T19:50:00".into())),
            sold_out: false,
            sell_mode: text("online"),
            organizer_company_id: some("2"),
            currency: "EUR".into(),
            zones: vec![EventZone {
                id: text("311"),
                name: some("A42"),
                capacity: Nullable(Some(2)),
                price: 55.0,
                currency: "EUR".into(),
                numbered: Nullable(Some(true)),
            }],
            performers: vec![EventPerformer { id: text("12"), name: text("Pantomima Full") }],
            venue: Nullable(Some(EventVenue {
                id: text("7"),
                name: text("Sala Apolo"),
                latitude: Nullable(Some(41.374)),
                longitude: Nullable(Some(2.169)),
                place_code: some("ESBCN"),
                address: some("Carrer Nou de la Rambla 113"),
                postal_code: some("08004"),
                city: some("Barcelona"),
                region: Nullable(None),
                country: some("ES"),
            })),
            provider: EventSource {
                slug: "fever".into(),
                name: some("Fever"),
                home_page: Nullable(None),
                licence: Nullable(None),
                attribution: Nullable(None),
                base_event_id: text("322"),
                event_id: text("1642"),
            },
            first_seen: "2021-01-02T08:00:00Z".into(),
            last_seen: Nullable(Some("2021-02-09T08:00:00Z".into())),
            left: Nullable(Some("2021-02-09T09:00:00Z".into())),
            came_back: Nullable(None),
        }
    }
}
