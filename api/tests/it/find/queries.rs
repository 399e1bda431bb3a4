//! Random queries, and whether an event is in their lists.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::{
    EventStatus, fold_name,
    words::{Term, split_query, split_words},
};
use proptest::{option, prelude::*};

use super::world::{
    CATEGORIES, CITIES, COUNTRIES, Expected, ORGANIZERS, PERFORMERS, PLACES, PROVIDERS, RandomVenue, VENUES, local_of,
};

/// The mean radius of the Earth in kilometres.
const RADIUS_KM: f64 = 6_371.008_8;
pub(super) const SORTS: [&str; 8] =
    ["starts_at", "-starts_at", "price", "-price", "distance", "-updated_at", "-first_seen_at", "relevance"];
/// Words as people write them, and beginnings of words.
const WORDS: [&str; 26] = [
    "rock",
    "ROC",
    "roll night",
    "STRASSE",
    "große stra",
    "BJØRN",
    "laki",
    "mötley",
    "Mo\u{308}tley cru",
    "東京",
    "ドーム",
    "京",
    "dongjing",
    "שלום",
    "عالم",
    "🎸",
    "🎷 rock",
    "!!!",
    "재즈",
    "페",
    "Музыка",
    "jazz",
    "performer",
    "malaga",
    "são",
    "fever 1",
];
const AVAILABILITIES: [&str; 5] = ["on_sale", "sold_out", "not_yet", "ended", "unknown"];

/// A random query. Filters that are `None` are absent.
#[derive(Clone, Debug, Default)]
pub(super) struct RandomQuery {
    words: Option<Vec<usize>>,
    /// Days from today: the first and the last one.
    days: (Option<i64>, Option<i64>),
    zone: Option<&'static str>,
    range: Option<&'static str>,
    status: Option<&'static str>,
    listed: Option<&'static str>,
    availability: Option<usize>,
    performer: Option<(usize, usize)>,
    venue: Option<(usize, usize)>,
    organizer: Option<usize>,
    provider: Option<usize>,
    category: Option<usize>,
    city: Option<usize>,
    country: Option<usize>,
    place: Option<usize>,
    near: Option<((f64, f64), f64)>,
    bbox: Option<[f64; 4]>,
    prices: (Option<i64>, Option<i64>),
    updated_hours: Option<i64>,
    pub(super) sort: usize,
    pub(super) limit: usize,
}

pub(super) fn queries() -> impl Strategy<Value = RandomQuery> {
    let days = (option::weighted(0.4, -20..40_i64), option::weighted(0.3, -10..60_i64));
    let clock = (
        option::weighted(0.4, prop::sample::select(vec!["UTC", "Europe/Madrid", "Asia/Tokyo", "venue"])),
        option::weighted(0.4, prop::sample::select(vec!["within", "starts", "overlaps", "all"])),
    );
    let status = option::weighted(0.3, prop::sample::select(vec!["any", "cancelled", "scheduled,postponed"]));
    let listed = option::weighted(0.4, prop::sample::select(vec!["any", "true", "false"]));
    let states = (status, listed, option::weighted(0.15, 0..AVAILABILITIES.len()));
    let items = (
        option::weighted(0.2, (0..PERFORMERS.len() + 1, 0..PROVIDERS.len())),
        option::weighted(0.15, (0..VENUES, 0..PROVIDERS.len())),
        option::weighted(0.1, 0..ORGANIZERS.len()),
        option::weighted(0.2, 0..PROVIDERS.len()),
    );
    let kinds = (
        option::weighted(0.25, 0..CATEGORIES.len()),
        option::weighted(0.2, 0..CITIES.len()),
        option::weighted(0.15, 0..COUNTRIES.len()),
        option::weighted(0.1, 0..PLACES.len()),
    );
    let radius = prop_oneof![4 => 1.0..60.0_f64, 1 => 60.0..9_000.0_f64];
    let center = prop_oneof![3 => (41.0..41.8_f64, 1.8..2.6_f64), 1 => (-89.0..89.0_f64, -180.0..180.0_f64)];
    let near = option::weighted(0.3, (center, radius));
    let latitudes = (-90.0..90.0_f64, 0.0..120.0_f64);
    let bbox = option::weighted(
        0.2,
        (-180.0..180.0_f64, -180.0..180.0_f64, latitudes)
            .prop_map(|(west, east, (south, height))| [west, south, east, (south + height).min(90.0)]),
    );
    let prices = (option::weighted(0.15, 0..20_i64), option::weighted(0.25, 0..30_i64));
    let words = option::weighted(0.4, prop::collection::vec(0..WORDS.len(), 1..3));
    let order = (option::weighted(0.1, -1_500..0_i64), 0..SORTS.len(), 1..60_usize, words);
    (days, clock, states, items, kinds, (near, bbox), prices, order).prop_map(
        |(days, clock, states, items, kinds, areas, prices, order)| RandomQuery {
            days,
            zone: clock.0,
            range: clock.1,
            status: states.0,
            listed: states.1,
            availability: states.2,
            performer: items.0,
            venue: items.1,
            organizer: items.2,
            provider: items.3,
            category: kinds.0,
            city: kinds.1,
            country: kinds.2,
            place: kinds.3,
            near: areas.0,
            bbox: areas.1,
            prices,
            updated_hours: order.0,
            sort: order.1,
            limit: order.2,
            words: order.3,
        },
    )
}

impl RandomQuery {
    /// Whether the combination is one that the API accepts.
    pub(super) fn is_valid(&self) -> bool {
        let is_bounded = self.days.0.is_some() || self.days.1.is_some();
        let is_ordered = self.days.0.zip(self.days.1).is_none_or(|(first, last)| first <= last);
        let are_prices_ordered = self.prices.0.zip(self.prices.1).is_none_or(|(min, max)| min <= max);
        is_ordered
            && are_prices_ordered
            && !(is_bounded && self.range == Some("all"))
            && (SORTS[self.sort] != "distance" || self.near.is_some())
            && (SORTS[self.sort] != "relevance" || self.words.is_some())
    }

    /// Whether prices are compared, for which the query names their currency.
    fn compares_prices(&self) -> bool {
        self.prices.0.is_some() || self.prices.1.is_some() || SORTS[self.sort].ends_with("price")
    }

    fn text(&self) -> Option<String> {
        Some(self.words.as_ref()?.iter().map(|index| WORDS[*index]).collect::<Vec<_>>().join(" "))
    }

    /// How important the words are in an event, the least first.
    pub(super) fn rank(&self, event: &Expected, venues: &[RandomVenue]) -> usize {
        let fields = event.texts(venues).map(|texts| texts.iter().flat_map(|text| split_words(text)).collect::<Vec<_>>());
        let terms = split_query(&self.text().unwrap_or_default());
        let rank_term = |term: &Term| match fields.iter().position(|words| words.contains(&term.word)) {
            Some(field) => field,
            None if term.is_prefix => {
                let begins = |words: &Vec<String>| words.iter().any(|word| word.starts_with(&term.word));
                1_000 + fields.iter().position(begins).unwrap_or(fields.len())
            }
            None => fields.len(),
        };
        terms.iter().map(rank_term).sum()
    }

    fn has_words(&self, event: &Expected) -> bool {
        let is_found = |Term { word, is_prefix }: &Term| {
            event.words.contains(word) || *is_prefix && event.words.iter().any(|other| other.starts_with(word))
        };
        self.text().is_none_or(|text| split_query(&text).iter().all(is_found))
    }

    /// The first and the last day.
    pub(super) fn edges(&self, today: NaiveDate) -> (Option<NaiveDate>, Option<NaiveDate>) {
        let day = |days: i64| today + TimeDelta::days(days);
        (self.days.0.map(day), self.days.1.map(day))
    }

    /// The query with the defaults of a calendar.
    pub(super) fn of_days(&self) -> Self {
        Self { zone: self.zone.or(Some("venue")), range: self.range.or(Some("starts")), ..self.clone() }
    }

    /// Without filters beside the days.
    pub(super) fn only_days(&self) -> Self {
        Self { days: self.days, ..Self::default() }
    }

    pub(super) fn to_query_string(&self, today: NaiveDate, now: DateTime<Utc>) -> String {
        format!("{}&sort={}", self.to_filter_string(today, now), SORTS[self.sort])
    }

    /// The filters without the order.
    pub(super) fn to_filter_string(&self, today: NaiveDate, now: DateTime<Utc>) -> String {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        let day = |days: i64| (today + TimeDelta::days(days)).to_string();
        pairs.extend(self.text().map(|text| ("q", text)));
        pairs.extend(self.days.0.map(|days| ("starts_at", day(days))));
        pairs.extend(self.days.1.map(|days| ("ends_at", day(days))));
        pairs.extend(self.zone.map(|zone| ("time_zone", zone.to_owned())));
        pairs.extend(self.range.map(|range| ("range", range.to_owned())));
        pairs.extend(self.status.map(|status| ("status", status.to_owned())));
        pairs.extend(self.listed.map(|listed| ("listed", listed.to_owned())));
        pairs.extend(self.availability.map(|index| ("availability", AVAILABILITIES[index].to_owned())));
        let performer = |(performer, provider): (usize, usize)| {
            format!("{}:{}", PROVIDERS[provider], PERFORMERS.get(performer).unwrap_or(&"unknown"))
        };
        pairs.extend(self.performer.map(|reference| ("performer", performer(reference))));
        let venue = |(venue, provider): (usize, usize)| format!("{0}:venue of {0} {venue}", PROVIDERS[provider]);
        pairs.extend(self.venue.map(|reference| ("venue", venue(reference))));
        pairs.extend(self.organizer.map(|index| ("organizer", format!("{}:{}", PROVIDERS[0], ORGANIZERS[index]))));
        pairs.extend(self.provider.map(|index| ("provider", PROVIDERS[index].to_owned())));
        pairs.extend(self.category.map(|index| ("category", CATEGORIES[index].to_owned())));
        pairs.extend(self.city.map(|index| ("city", CITIES[index].to_uppercase())));
        pairs.extend(self.country.map(|index| ("country", COUNTRIES[index].to_lowercase())));
        pairs.extend(self.place.map(|index| ("place", PLACES[index].to_owned())));
        if let Some(((latitude, longitude), radius)) = self.near {
            pairs.extend(
                [("latitude", latitude), ("longitude", longitude), ("radius", radius)]
                    .map(|(name, value)| (name, value.to_string())),
            );
        }
        pairs.extend(self.bbox.map(|bbox| ("bbox", bbox.map(|degrees| degrees.to_string()).join(","))));
        pairs.extend(self.prices.0.map(|price| ("min_price", price.to_string())));
        pairs.extend(self.prices.1.map(|price| ("max_price", price.to_string())));
        pairs.extend(self.compares_prices().then(|| ("currency", "EUR".to_owned())));
        pairs.extend(self.updated_hours.map(|hours| ("updated_since", (now + TimeDelta::hours(hours)).to_rfc3339())));
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(pairs);
        text.finish()
    }

    pub(super) fn selects(&self, event: &Expected, venues: &[RandomVenue], (today, now): (NaiveDate, DateTime<Utc>)) -> bool {
        let (point, city) = event.venue.map_or((None, None), |venue| venues[venue]);
        self.is_in_time(event, (today, now))
            && self.has_words(event)
            && match self.status {
                None => event.status != EventStatus::Cancelled,
                Some("any") => true,
                Some(names) => names.split(',').any(|name| name == event.status.name()),
            }
            && match self.listed {
                None | Some("true") => event.listed,
                Some("false") => !event.listed,
                _ => true,
            }
            && self.availability.is_none_or(|index| AVAILABILITIES[index] == event.availability)
            && self.performer.is_none_or(|(performer, provider)| {
                event.provider == PROVIDERS[provider] && PERFORMERS.get(performer).is_some_and(|id| event.performers.contains(id))
            })
            && self.venue.is_none_or(|(venue, provider)| event.provider == PROVIDERS[provider] && event.venue == Some(venue))
            && self
                .organizer
                .is_none_or(|index| event.provider == PROVIDERS[0] && event.organizers.contains(&Some(ORGANIZERS[index])))
            && self.provider.is_none_or(|index| event.provider == PROVIDERS[index])
            && self.category.is_none_or(|index| {
                let wanted = CATEGORIES[index];
                event.category.is_some_and(|category| category == wanted || category.starts_with(&format!("{wanted}/")))
            })
            && self.city.is_none_or(|index| city.is_some_and(|city| fold_name(CITIES[city]) == fold_name(CITIES[index])))
            && self.country.is_none_or(|index| city.is_some_and(|city| COUNTRIES[city] == COUNTRIES[index]))
            && self.place.is_none_or(|index| city.is_some_and(|city| PLACES[city] == PLACES[index]))
            && self.near.is_none_or(|(center, radius)| point.is_some_and(|point| km_between(point, center) <= radius))
            && self.bbox.is_none_or(|bbox| point.is_some_and(|point| is_within(point, bbox)))
            && (!self.compares_prices() || event.currency == "EUR")
            && self.prices.0.is_none_or(|price| event.prices.is_some_and(|(_, max)| max >= price * 100))
            && self.prices.1.is_none_or(|price| event.prices.is_some_and(|(min, _)| min <= price * 100))
            && self.updated_hours.is_none_or(|hours| event.updated_at >= now + TimeDelta::hours(hours))
    }

    fn is_in_time(&self, event: &Expected, (today, now): (NaiveDate, DateTime<Utc>)) -> bool {
        let (first, last) = self.days;
        if first.is_none() && last.is_none() {
            return self.range == Some("all") || event.ends_at > now;
        }
        let zone = match self.zone {
            None => Tz::UTC,
            Some("venue") => event.zone,
            Some(name) => name.parse().unwrap(),
        };
        let days = [event.starts_at, event.ends_at].map(|instant| (local_of(zone, instant).date() - today).num_days());
        let [start, end] = match self.range {
            Some("starts") => [days[0], days[0]],
            Some("overlaps") => [days[1], days[0]],
            _ => days,
        };
        first.is_none_or(|first| start >= first) && last.is_none_or(|last| end <= last)
    }

    /// The distance of an event, for the order.
    pub(super) fn distance(&self, event: &Expected, venues: &[RandomVenue]) -> Option<f64> {
        let (center, _) = self.near?;
        Some(km_between(event.venue.and_then(|venue| venues[venue].0)?, center))
    }

    /// Whether a venue is so near the edge of the circle that rounding decides.
    pub(super) fn is_at_edge(&self, venues: &[RandomVenue]) -> bool {
        let Some((center, radius)) = self.near else { return false };
        venues.iter().filter_map(|(point, _)| *point).any(|point| (km_between(point, center) - radius).abs() < 1e-6)
    }
}

fn is_within((latitude, longitude): (f64, f64), [west, south, east, north]: [f64; 4]) -> bool {
    let is_between = if west <= east { west <= longitude && longitude <= east } else { west <= longitude || longitude <= east };
    south <= latitude && latitude <= north && is_between
}

/// The haversine formula.
fn km_between((latitude, longitude): (f64, f64), (other_latitude, other_longitude): (f64, f64)) -> f64 {
    let [latitude, longitude, other_latitude, other_longitude] =
        [latitude, longitude, other_latitude, other_longitude].map(f64::to_radians);
    let hav = |angle: f64| (angle / 2.0).sin().powi(2);
    let share = hav(other_latitude - latitude) + latitude.cos() * other_latitude.cos() * hav(other_longitude - longitude);
    2.0 * RADIUS_KM * share.sqrt().min(1.0).asin()
}
