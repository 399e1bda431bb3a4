//! The filters of the requests, each with its condition in the bare SQL. Their values differ between requests.

use entity::{
    GeoArea, UtcInstant, show_text,
    sphere::{Direction, chord_squared},
    words::split_query,
};
use migration::testing::event_catalogue::{CITIES, EventCatalogue, ORGANIZERS, PROVIDERS, city_point, event_id};
use sea_orm::DbBackend;

use super::ROWS;
use crate::baseline::find::{BareQuery, BareValue};

const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;
const RADIUS_KM: f64 = 10.0;
const MAX_AREAS: usize = 64;
/// Organizers of a request: each has a few events.
const ORGANIZERS_AT_ONCE: u64 = 5;

/// A filter or an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FindFilter {
    Week,
    Dates,
    Overlaps,
    City,
    Country,
    Place,
    Venue,
    Circle,
    Rectangle,
    Category,
    Provider,
    Performer,
    Organizer,
    MaxPrice,
    UpdatedSince,
    SoldOut,
    Cancelled,
    Ids,
    Words,
    ByStartDescending,
    ByPrice,
    ByUpdate,
    ByFirstSight,
}

impl FindFilter {
    /// The parameters of a request.
    pub(super) fn query(self, catalogue: &EventCatalogue, number: u64) -> String {
        let (latitude, longitude) = city_point(number % CITIES);
        match self {
            Self::Week | Self::Dates | Self::Overlaps => {
                let [first, last] = self.bounds(catalogue, number).map(to_text);
                let range = if self == Self::Overlaps { "&range=overlaps" } else { "" };
                format!("starts_at={first}&ends_at={last}{range}")
            }
            Self::City => format!("city=city%20{}", number % CITIES),
            Self::Country => format!("country={}", country(number)),
            Self::Place => format!("place=XX{:03}", number % CITIES),
            Self::Venue => format!("venue=p1:{}", number % catalogue.venue_count()),
            Self::Circle => format!("latitude={latitude}&longitude={longitude}&radius={RADIUS_KM}"),
            Self::Rectangle => {
                let [west, south, east, north] = rectangle(number);
                format!("bbox={west},{south},{east},{north}")
            }
            Self::Category => "category=music".to_owned(),
            Self::Provider => format!("provider=p{}", 1 + number % PROVIDERS),
            Self::Performer => format!("performer=p1:{}", number % catalogue.performer_count()),
            Self::Organizer => {
                let names: Vec<String> = organizers(number).map(|number| format!("p3:Organizer%20{number}")).collect();
                format!("organizer={}", names.join(","))
            }
            Self::MaxPrice => format!("max_price={}", max_price(number) / 100),
            Self::UpdatedSince => format!("updated_since={}", to_text(updated_since(catalogue))),
            Self::SoldOut => "availability=sold_out".to_owned(),
            Self::Cancelled => "status=cancelled".to_owned(),
            Self::Ids => format!("ids={}", ids(number, catalogue).join(",")),
            Self::Words => format!("q={}", words(number, catalogue).replace(' ', "%20")),
            Self::ByStartDescending => "sort=-starts_at".to_owned(),
            Self::ByPrice => "sort=price".to_owned(),
            Self::ByUpdate => "sort=-updated_at".to_owned(),
            Self::ByFirstSight => "sort=-first_seen_at".to_owned(),
        }
    }

    /// Adds it to the bare SQL.
    pub(super) fn restrict(self, catalogue: &EventCatalogue, number: u64, sql: &mut BareQuery) {
        use BareValue::{Integer, Text, Texts};
        match self {
            Self::Week | Self::Dates | Self::Overlaps => {
                let [first, last] = self.bounds(catalogue, number).map(|bound| Integer(bound.0));
                if self == Self::Overlaps {
                    sql.and("listing.ends_at >= ? AND listing.starts_at <= ?", [first, last]);
                } else {
                    sql.and("listing.starts_at >= ? AND listing.starts_at <= ?", [first, last.clone()]);
                    sql.and("listing.ends_at <= ?", [last]);
                }
            }
            Self::City | Self::Country | Self::Place | Self::Venue | Self::Circle | Self::Rectangle => {
                self.restrict_place(catalogue, number, sql);
            }
            Self::Category => sql.and(
                "listing.category = ANY(?)",
                [Texts(["music", "music/jazz", "music/rock", "music/pop", "music/classical"].map(str::to_owned).to_vec())],
            ),
            Self::Provider => sql.and("listing.provider_id = ?", [Integer((1 + number % PROVIDERS).cast_signed())]),
            Self::Performer => sql.and(
                "listing.event_id IN (SELECT event_id FROM event_performer JOIN performer ON performer.id = performer_id \
                 WHERE performer.provider_id = 1 AND performer.source_id = ?)",
                [Text((number % catalogue.performer_count()).to_string())],
            ),
            Self::Organizer => {
                let names = organizers(number).map(|number| format!("Organizer {number}")).collect();
                sql.and(
                    "listing.base_event_id IN (SELECT id FROM base_event WHERE provider_id = 3 AND organizer_name = ANY(?))",
                    [Texts(names)],
                );
            }
            Self::MaxPrice => sql.and("listing.currency = 'EUR' AND listing.min_price <= ?", [Integer(max_price(number))]),
            Self::UpdatedSince => sql.and("listing.updated_at >= ?", [Integer(updated_since(catalogue).0)]),
            Self::SoldOut => sql.and("event.sold_out", []),
            Self::Cancelled => {
                sql.is_not_cancelled = false;
                sql.and("listing.status = 'cancelled'", []);
            }
            Self::Ids => {
                // Known events are found whatever their state is.
                (sql.is_upcoming, sql.is_not_cancelled) = (false, false);
                sql.and("listing.event_id = ANY(CAST(? AS uuid[]))", [Texts(ids(number, catalogue))]);
            }
            Self::Words => sql.and(
                "listing.show_text_id IN (SELECT id FROM show_text WHERE words @@ CAST(? AS tsquery))",
                [Text(show_text::match_text(DbBackend::Postgres, &split_query(&words(number, catalogue))))],
            ),
            Self::ByStartDescending => sql.order = "listing.starts_at DESC, listing.event_id DESC",
            Self::ByPrice => {
                sql.and("listing.currency = 'EUR' AND listing.min_price IS NOT NULL", []);
                sql.order = "listing.min_price, listing.starts_at, listing.event_id";
            }
            Self::ByUpdate => sql.order = "listing.updated_at DESC, listing.event_id DESC",
            Self::ByFirstSight => sql.order = "listing.first_seen_at DESC, listing.event_id DESC",
        }
    }

    fn restrict_place(self, catalogue: &EventCatalogue, number: u64, sql: &mut BareQuery) {
        use BareValue::{Integers, Real, Text};
        match self {
            Self::City => sql.and("listing.city = ?", [Text(format!("city {}", number % CITIES))]),
            Self::Country => sql.and("listing.country = ?", [Text(country(number).to_owned())]),
            Self::Place => sql.and(
                "listing.venue_id IN (SELECT id FROM venue WHERE place_code = ?)",
                [Text(format!("XX{:03}", number % CITIES))],
            ),
            Self::Venue => sql.and(
                "listing.venue_id = (SELECT id FROM venue WHERE provider_id = 1 AND source_id = ?)",
                [Text((number % catalogue.venue_count()).to_string())],
            ),
            Self::Circle => {
                let (latitude, longitude) = city_point(number % CITIES);
                let areas = GeoArea::within_radius((latitude, longitude, RADIUS_KM), MAX_AREAS).unwrap_or_default();
                sql.and("listing.area = ANY(?)", [Integers(areas.into_iter().map(|area| area.0).collect())]);
                let Direction { x, y, z } = Direction::from_degrees(latitude, longitude);
                sql.and(
                    "(venue.direction_x - ?) ^ 2 + (venue.direction_y - ?) ^ 2 + (venue.direction_z - ?) ^ 2 <= ?",
                    [x, y, z, chord_squared(RADIUS_KM)].map(Real),
                );
            }
            Self::Rectangle => {
                let [west, south, east, north] = rectangle(number);
                let areas = GeoArea::within_degrees([west, south, east, north], MAX_AREAS).unwrap_or_default();
                sql.and("listing.area = ANY(?)", [Integers(areas.into_iter().map(|area| area.0).collect())]);
                sql.and(
                    "venue.longitude BETWEEN ? AND ? AND venue.latitude BETWEEN ? AND ?",
                    [west, east, south, north].map(Real),
                );
            }
            _ => {}
        }
    }

    /// A week, or most of the time in which events take place.
    fn bounds(self, catalogue: &EventCatalogue, number: u64) -> [UtcInstant; 2] {
        let day = |days: u64| UtcInstant(catalogue.now.0 + days.cast_signed() * DAY_MICROS);
        let first = 1 + number % 60;
        [day(first), day(first + if self == Self::Dates { 300 } else { 7 })]
    }
}

pub(super) fn to_text(instant: UtcInstant) -> String {
    instant.to_utc().map(|utc| utc.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()).unwrap_or_default()
}

fn country(number: u64) -> &'static str {
    if number.is_multiple_of(2) { "ES" } else { "FR" }
}

fn rectangle(number: u64) -> [f64; 4] {
    let (latitude, longitude) = city_point(number % CITIES);
    [longitude - 0.1, latitude - 0.1, longitude + 0.1, latitude + 0.1]
}

fn organizers(number: u64) -> impl Iterator<Item = u64> {
    (0..ORGANIZERS_AT_ONCE).map(move |more| (number + more) % ORGANIZERS)
}

/// A quarter of the prices or a little more, in minor units.
fn max_price(number: u64) -> i64 {
    3_000 + (number % 10).cast_signed() * 100
}

fn updated_since(catalogue: &EventCatalogue) -> UtcInstant {
    UtcInstant(catalogue.now.0 - DAY_MICROS)
}

/// One more than a page has.
fn ids(number: u64, catalogue: &EventCatalogue) -> Vec<String> {
    (0..=ROWS).map(|more| event_id((number * 31 + more * 7) % catalogue.events).to_string()).collect()
}

/// The name of a venue. All shows have the first word. The second one is also the beginning of other numbers of venues and titles.
fn words(number: u64, catalogue: &EventCatalogue) -> String {
    format!("hall {}", number % catalogue.venue_count())
}
