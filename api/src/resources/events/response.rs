//! The response of a request for an event.

use entity::{UtcInstant, to_decimal};
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};

use super::{event::Event, rows::EventRows};
use crate::{
    find::EventView,
    response::{CurrencyCode, Instant, Nullable},
};

/// An event with its zones and the history of its presence in the feed.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct EventDetails {
    /// The members that lists contain, too.
    #[serde(flatten)]
    #[oai(flatten)]
    pub event: Event,
    /// Whether the provider marks the event as sold out.
    pub sold_out: bool,
    /// The provider's current sell mode, such as `online`.
    pub sell_mode: String,
    /// The provider's id of the organizer.
    pub organizer_company_id: Nullable<String>,
    /// The priced areas. A provider may use one id twice with different prices.
    pub zones: Vec<EventZone>,
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
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
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

impl EventDetails {
    /// An event at an instant of the database's clock.
    pub(crate) fn new(rows: EventRows, now: UtcInstant) -> Self {
        let (event, provider) = (&rows.event, &rows.provider);
        // The newest copy of the feed contains the event, unless it was removed.
        let last_seen = if event.left_at.is_none() { provider.last_success_at } else { event.last_seen_at };
        Self {
            sold_out: event.sold_out,
            sell_mode: rows.base_event.sell_mode.clone(),
            organizer_company_id: rows.base_event.organizer_company_id.clone().into(),
            zones: rows.zones(),
            first_seen: event.first_seen_at.into(),
            last_seen: last_seen.map(Instant::from).into(),
            left: event.left_at.map(Instant::from).into(),
            came_back: event.came_back_at.map(Instant::from).into(),
            event: Event::new(rows.into_view(now), false),
        }
    }
}

impl EventZone {
    /// A zone, and the currency and its digits for a price without a currency.
    fn new(zone: &entity::zone::Model, (currency, digits): (&str, i16)) -> Self {
        Self {
            id: zone.source_id.clone(),
            name: zone.name.clone().into(),
            capacity: zone.capacity.into(),
            price: to_decimal(zone.price, zone.currency_digits.unwrap_or(digits)),
            currency: zone.currency.as_deref().unwrap_or(currency).into(),
            numbered: zone.numbered.into(),
        }
    }
}

impl EventRows {
    /// The zones in responses.
    pub(super) fn zones(&self) -> Vec<EventZone> {
        let currency = (self.provider.currency.as_str(), self.provider.currency_digits);
        self.zones.iter().map(|zone| EventZone::new(zone, currency)).collect()
    }

    /// The event at an instant of the database's clock.
    pub(super) fn into_view(self, now: UtcInstant) -> EventView {
        let Self { event, base_event, provider, venue, performers, updated_at, .. } = self;
        let performers: Vec<_> =
            performers.iter().map(|performer| (performer.id, &performer.source_id, &performer.name)).collect();
        let of_venue =
            |column: fn(&entity::venue::Model) -> &Option<String>| venue.as_ref().and_then(|venue| column(venue).clone());
        EventView {
            id: event.id,
            base_event_id: event.base_event_id,
            source_id: event.source_id,
            base_event_source_id: base_event.source_id,
            title: base_event.title,
            name: event.name,
            status: event.status,
            local_start: event.local_start,
            local_end: event.local_end,
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            sell_from: event.sell_from,
            sell_to: event.sell_to,
            sale_starts_at: event.sale_starts_at,
            sale_ends_at: event.sale_ends_at,
            sold_out: event.sold_out,
            time_zone: event.time_zone.unwrap_or(provider.time_zone),
            min_price: event.min_price,
            max_price: event.max_price,
            currency: event.currency.unwrap_or(provider.currency),
            currency_digits: event.currency_digits.unwrap_or(provider.currency_digits),
            category: event.category.or(base_event.category),
            description: event.description.or(base_event.description),
            url: event.url.or(base_event.url),
            image_url: event.image_url.or(base_event.image_url),
            organizer: event.organizer_name.or(base_event.organizer_name),
            first_seen_at: event.first_seen_at,
            updated_at: updated_at.unwrap_or(event.first_seen_at),
            left_at: event.left_at,
            previous_start_at: event.previous_start_at,
            // Texts and ids always serialize.
            performers: serde_json::to_string(&performers).ok(),
            venue_id: venue.as_ref().map(|venue| venue.id),
            venue_source_id: venue.as_ref().map(|venue| venue.source_id.clone()),
            venue_name: venue.as_ref().map(|venue| venue.name.clone()),
            latitude: venue.as_ref().map(|venue| venue.latitude),
            longitude: venue.as_ref().map(|venue| venue.longitude),
            located: venue.as_ref().map(|venue| venue.located),
            place_code: of_venue(|venue| &venue.place_code),
            address: of_venue(|venue| &venue.address),
            postal_code: of_venue(|venue| &venue.postal_code),
            city: of_venue(|venue| &venue.city),
            region: of_venue(|venue| &venue.region),
            country: of_venue(|venue| &venue.country),
            provider_slug: provider.slug,
            provider_name: provider.name,
            provider_home_page: provider.home_page,
            provider_licence: provider.licence,
            provider_attribution: provider.attribution,
            chord: 0.0,
            now,
        }
    }
}

impl Example for EventDetails {
    fn example() -> Self {
        Self {
            event: Event::example(),
            sold_out: false,
            sell_mode: "online".to_owned(),
            organizer_company_id: Nullable(Some("2".to_owned())),
            zones: vec![EventZone {
                id: "311".to_owned(),
                name: Nullable(Some("A42".to_owned())),
                capacity: Nullable(Some(2)),
                price: 55.0,
                currency: "EUR".into(),
                numbered: Nullable(Some(true)),
            }],
            first_seen: "2021-01-02T08:00:00Z".into(),
            last_seen: Nullable(Some("2021-02-09T08:00:00Z".into())),
            left: Nullable(None),
            came_back: Nullable(None),
        }
    }
}
