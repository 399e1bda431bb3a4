//! An event in responses.

use chrono::SecondsFormat;
use chrono_tz::Tz;
use entity::{UtcInstant, to_decimal};
use poem_openapi::{Enum, Object, types::Example};
use serde::{Deserialize, Serialize};

use super::status::EventStatus;
use crate::{
    find::{EventPerformerView, EventVenueView, EventView},
    resources::search::split_date_and_time,
    response::{CurrencyCode, EventId, Instant, LocalDate, LocalDateTime, LocalTime, Nullable, ProviderSlug},
};

/// Kilometres are rounded to metres: coordinates are not more exact.
const METRES_PER_KM: f64 = 1_000.0;

/// An event. `start_*`, `end_*` and `sell_*` are what the clock at the venue shows.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct Event {
    /// The permanent id.
    pub id: EventId,
    /// The title of the show.
    pub title: String,
    /// The event's own name, if it differs from the title.
    pub name: Nullable<String>,
    /// The id of the show, the same for all of its dates.
    pub base_event_id: EventId,
    /// Whether the event takes place as announced.
    pub status: EventStatus,
    /// Whether the event can be bought now.
    pub availability: Availability,
    /// Whether the event is in the feed of its provider.
    pub listed: bool,
    /// The start, with the offset of the time zone.
    pub starts_at: Instant,
    /// The end, with the offset of the time zone; an event without an end ends when it starts.
    pub ends_at: Instant,
    /// The start date.
    pub start_date: LocalDate,
    /// The start time, if it is known.
    pub start_time: Nullable<LocalTime>,
    /// The end date, if it is known.
    pub end_date: Nullable<LocalDate>,
    /// The end time, if it is known.
    pub end_time: Nullable<LocalTime>,
    /// The time zone of the venue (IANA).
    pub time_zone: String,
    /// The lowest price of all zones, if there are zones.
    #[oai(validator(minimum(value = "0")))]
    pub min_price: Nullable<f64>,
    /// The highest price of all zones, if there are zones.
    #[oai(validator(minimum(value = "0")))]
    pub max_price: Nullable<f64>,
    /// The currency of the prices (ISO 4217).
    pub currency: CurrencyCode,
    /// The category, and after a slash its second level.
    pub category: Nullable<String>,
    /// The description as plain text of several lines.
    pub description: Nullable<String>,
    /// Where to buy.
    pub url: Nullable<String>,
    /// A picture.
    pub image_url: Nullable<String>,
    /// The performers, in the provider's order.
    pub performers: Vec<EventPerformer>,
    /// The venue.
    pub venue: Nullable<EventVenue>,
    /// The name of the organizer.
    pub organizer: Nullable<String>,
    /// The provider, with its ids of the event.
    pub provider: EventSource,
    /// When the sale begins.
    pub sell_from: Nullable<LocalDateTime>,
    /// When the sale ends.
    pub sell_to: Nullable<LocalDateTime>,
    /// The distance from the point of the request in kilometres, along the great circle.
    #[oai(validator(minimum(value = "0")))]
    pub distance_km: Nullable<f64>,
    /// When the event was first seen in the feed.
    pub first_seen_at: Instant,
    /// When the event last changed.
    pub updated_at: Instant,
    /// When the event was removed from the feed; null while it is in the feed.
    pub left_at: Nullable<Instant>,
    /// When the event started before it was last rescheduled.
    pub previous_start_at: Nullable<Instant>,
}

/// Whether an event can be bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// It is on sale.
    OnSale,
    /// The provider reports it as sold out.
    SoldOut,
    /// Its sale has not begun.
    NotYet,
    /// Its sale, or the event, has ended.
    Ended,
    /// The provider states no sale period.
    Unknown,
}

/// A performer.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct EventPerformer {
    /// The provider's id.
    pub id: String,
    /// The permanent id, for the filter `performer` and for `/performers/{id}`.
    pub uuid: EventId,
    /// The name.
    pub name: String,
}

/// A venue.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct EventVenue {
    /// The provider's id.
    pub id: String,
    /// The permanent id, for the filter `venue` and for `/venues/{id}`.
    pub uuid: EventId,
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
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
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

impl Event {
    /// An event of a list. It has a distance if the list `has_point`.
    pub(crate) fn new(view: EventView, has_point: bool) -> Self {
        let (zone, availability) = (view.zone(), view.availability().into());
        let performers = view.performers().into_iter().map(EventPerformer::from).collect();
        let venue = view.venue().map(|venue| EventVenue::new(venue, &view));
        let distance_km = venue.as_ref().filter(|_| has_point).map(|_| round_to_metres(view.distance_km()));
        let (start_date, start_time) = split_date_and_time(&view.local_start);
        let (end_date, end_time) = view.local_end.as_deref().map(split_date_and_time).unzip();
        let price = |minor_units: Option<i64>| Nullable(minor_units.map(|units| to_decimal(units, view.currency_digits)));
        Self {
            id: view.id.to_string().into(),
            base_event_id: view.base_event_id.to_string().into(),
            status: view.status.into(),
            availability,
            listed: view.left_at.is_none(),
            starts_at: with_offset(view.starts_at, zone),
            ends_at: with_offset(view.ends_at, zone),
            start_date,
            start_time: start_time.into(),
            end_date: end_date.into(),
            end_time: end_time.flatten().into(),
            min_price: price(view.min_price),
            max_price: price(view.max_price),
            currency: view.currency.into(),
            category: view.category.into(),
            description: view.description.into(),
            url: view.url.into(),
            image_url: view.image_url.into(),
            performers,
            venue: venue.into(),
            organizer: view.organizer.into(),
            provider: EventSource {
                slug: view.provider_slug.into(),
                name: view.provider_name.into(),
                home_page: view.provider_home_page.into(),
                licence: view.provider_licence.into(),
                attribution: view.provider_attribution.into(),
                base_event_id: view.base_event_source_id,
                event_id: view.source_id,
            },
            sell_from: view.sell_from.map(LocalDateTime).into(),
            sell_to: view.sell_to.map(LocalDateTime).into(),
            distance_km: distance_km.into(),
            first_seen_at: view.first_seen_at.into(),
            updated_at: view.updated_at.into(),
            left_at: view.left_at.map(Instant::from).into(),
            previous_start_at: view.previous_start_at.map(|instant| with_offset(instant, zone)).into(),
            title: view.title,
            name: view.name.into(),
            time_zone: view.time_zone,
        }
    }
}

impl EventVenue {
    fn new(venue: EventVenueView<'_>, view: &EventView) -> Self {
        let (latitude, longitude) = venue.coordinates.unzip();
        Self {
            id: venue.source_id.to_owned(),
            uuid: venue.id.to_string().into(),
            name: venue.name.to_owned(),
            latitude: latitude.into(),
            longitude: longitude.into(),
            place_code: view.place_code.clone().into(),
            address: view.address.clone().into(),
            postal_code: view.postal_code.clone().into(),
            city: view.city.clone().into(),
            region: view.region.clone().into(),
            country: view.country.clone().into(),
        }
    }
}

impl From<EventPerformerView> for EventPerformer {
    fn from(performer: EventPerformerView) -> Self {
        Self { id: performer.source_id, uuid: performer.id.to_string().into(), name: performer.name }
    }
}

impl From<entity::event::Availability> for Availability {
    fn from(availability: entity::event::Availability) -> Self {
        match availability {
            entity::event::Availability::OnSale => Self::OnSale,
            entity::event::Availability::SoldOut => Self::SoldOut,
            entity::event::Availability::NotYet => Self::NotYet,
            entity::event::Availability::Ended => Self::Ended,
            entity::event::Availability::Unknown => Self::Unknown,
        }
    }
}

/// An instant as RFC 3339 with the offset of a time zone.
pub(super) fn with_offset(instant: UtcInstant, zone: Tz) -> Instant {
    let local = instant.to_utc().map(|instant| instant.with_timezone(&zone));
    Instant(local.map(|local| local.to_rfc3339_opts(SecondsFormat::AutoSi, false)).unwrap_or_default())
}

fn round_to_metres(km: f64) -> f64 {
    (km * METRES_PER_KM).round() / METRES_PER_KM
}

impl Example for Event {
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        let some = |text: &str| Nullable(Some(text.to_owned()));
        Self {
            id: "c4a626ff-9f25-5533-a0a8-2b67472b5ee3".into(),
            title: text("Pantomima Full"),
            name: Nullable(None),
            base_event_id: "e9cbf4a1-97b0-5b0a-a5a1-1a2d9f0f2c11".into(),
            status: EventStatus::Scheduled,
            availability: Availability::OnSale,
            listed: true,
            starts_at: "2021-02-10T20:00:00+01:00".into(),
            ends_at: "2021-02-10T21:30:00+01:00".into(),
            start_date: "2021-02-10".into(),
            start_time: Nullable(Some("20:00:00".into())),
            end_date: Nullable(Some("2021-02-10".into())),
            end_time: Nullable(Some("21:30:00".into())),
            time_zone: text("Europe/Madrid"),
            min_price: Nullable(Some(55.0)),
            max_price: Nullable(Some(55.0)),
            currency: "EUR".into(),
            category: some("comedy"),
            description: some("Two comedians, and everything that annoys them."),
            url: some("https://tickets.example/322/1642"),
            image_url: some("https://tickets.example/322.jpg"),
            performers: vec![EventPerformer {
                id: text("12"),
                uuid: "0b9c3f6e-52f3-5f0a-8f39-7d3c2f5f9a01".into(),
                name: text("Pantomima Full"),
            }],
            venue: Nullable(Some(EventVenue {
                id: text("7"),
                uuid: "9a0c7c55-5b1e-5a57-9f0b-3c1f0b7c2d02".into(),
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
            organizer: some("Teatro Example"),
            provider: EventSource {
                slug: "fever".into(),
                name: some("Fever"),
                home_page: Nullable(None),
                licence: Nullable(None),
                attribution: Nullable(None),
                base_event_id: text("322"),
                event_id: text("1642"),
            },
            sell_from: Nullable(Some("2021-01-01T00:00:00".into())),
            sell_to: Nullable(Some("2021-02-09T19:50:00".into())),
            distance_km: Nullable(None),
            first_seen_at: "2021-01-02T08:00:00Z".into(),
            updated_at: "2021-01-20T10:00:00Z".into(),
            left_at: Nullable(None),
            previous_start_at: Nullable(None),
        }
    }
}
