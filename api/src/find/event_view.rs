//! An event as every list, export and page shows it.

use chrono_tz::Tz;
use entity::{EventStatus, UtcInstant, event::Availability, sphere};
use sea_orm::{FromQueryResult, prelude::Uuid};

/// An event with what it belongs to, and without its zones.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct EventView {
    pub(crate) id: Uuid,
    pub(crate) base_event_id: Uuid,
    pub(crate) source_id: String,
    pub(crate) base_event_source_id: String,
    pub(crate) title: String,
    pub(crate) name: Option<String>,
    pub(crate) status: EventStatus,
    pub(crate) local_start: String,
    pub(crate) local_end: Option<String>,
    pub(crate) starts_at: UtcInstant,
    pub(crate) ends_at: UtcInstant,
    pub(crate) sell_from: Option<String>,
    pub(crate) sell_to: Option<String>,
    pub(crate) sale_starts_at: Option<UtcInstant>,
    pub(crate) sale_ends_at: Option<UtcInstant>,
    pub(crate) sold_out: bool,
    pub(crate) time_zone: String,
    pub(crate) min_price: Option<i64>,
    pub(crate) max_price: Option<i64>,
    pub(crate) currency: String,
    pub(crate) currency_digits: i16,
    pub(crate) category: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) image_url: Option<String>,
    pub(crate) organizer: Option<String>,
    pub(crate) first_seen_at: UtcInstant,
    pub(crate) updated_at: UtcInstant,
    pub(crate) left_at: Option<UtcInstant>,
    pub(crate) previous_start_at: Option<UtcInstant>,
    /// A JSON array of `[id, source_id, name]`.
    pub(crate) performers: Option<String>,
    pub(crate) venue_id: Option<Uuid>,
    pub(crate) venue_source_id: Option<String>,
    pub(crate) venue_name: Option<String>,
    pub(crate) latitude: Option<f64>,
    pub(crate) longitude: Option<f64>,
    pub(crate) located: Option<bool>,
    pub(crate) place_code: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) postal_code: Option<String>,
    pub(crate) city: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) provider_slug: String,
    pub(crate) provider_name: Option<String>,
    pub(crate) provider_home_page: Option<String>,
    pub(crate) provider_licence: Option<String>,
    pub(crate) provider_attribution: Option<String>,
    /// The squared chord to the point of the filter, in radii; 0 without one.
    pub(crate) chord: f64,
    /// The database's clock.
    pub(crate) now: UtcInstant,
}

/// A performer of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventPerformerView {
    pub(crate) id: Uuid,
    pub(crate) source_id: String,
    pub(crate) name: String,
}

/// The venue of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventVenueView<'a> {
    pub(crate) id: Uuid,
    pub(crate) source_id: &'a str,
    pub(crate) name: &'a str,
    /// Latitude and longitude.
    pub(crate) coordinates: Option<(f64, f64)>,
}

impl EventView {
    /// Whether it can be bought now.
    pub(crate) fn availability(&self) -> Availability {
        Availability::at(self.now, self.ends_at, (self.sale_starts_at, self.sale_ends_at), self.sold_out)
    }

    /// The time zone of its place.
    pub(crate) fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(Tz::UTC)
    }

    /// The performers, in the provider's order.
    pub(crate) fn performers(&self) -> Vec<EventPerformerView> {
        let rows: Vec<(Uuid, String, String)> =
            self.performers.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        rows.into_iter().map(|(id, source_id, name)| EventPerformerView { id, source_id, name }).collect()
    }

    /// The venue, if it has one.
    pub(crate) fn venue(&self) -> Option<EventVenueView<'_>> {
        let coordinates = self.latitude.zip(self.longitude).filter(|_| self.located == Some(true));
        Some(EventVenueView {
            id: self.venue_id?,
            source_id: self.venue_source_id.as_deref()?,
            name: self.venue_name.as_deref()?,
            coordinates,
        })
    }

    /// The distance from the point of the filter in kilometres, along the great circle.
    pub(crate) fn distance_km(&self) -> f64 {
        sphere::km_of_chord_squared(self.chord)
    }
}
