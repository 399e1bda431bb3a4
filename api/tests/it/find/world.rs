//! Random catalogues of events around the present.

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use entity::{EventStatus, UtcInstant, chunks, event::Availability, listing};
use proptest::{collection::vec, option, prelude::*};
use sea_orm::prelude::Uuid;

use crate::fixtures::{CatalogueFixture, NewEvent};

pub(super) const CITIES: [&str; 4] = ["Barcelona", "Málaga", "São Paulo", "東京"];
pub(super) const COUNTRIES: [&str; 4] = ["ES", "ES", "BR", "JP"];
pub(super) const CATEGORIES: [&str; 5] = ["music", "music/jazz", "music/rock", "theatre", "other"];
pub(super) const PROVIDERS: [&str; 2] = ["fever", "northstage"];
pub(super) const PERFORMERS: [&str; 4] = ["1", "2", "3", "4"];
pub(super) const ORGANIZERS: [&str; 2] = ["77", "Sala Norte"];
const ZONES: [Tz; 4] = [Tz::UTC, Tz::Europe__Madrid, Tz::America__New_York, Tz::Asia__Tokyo];
pub(super) const PLACES: [&str; 4] = ["ESBCN", "ESAGP", "BRSAO", "JPTYO"];
pub(super) const VENUES: usize = 12;

/// An event of a random catalogue. Indexes refer to the constants above.
#[derive(Clone, Debug)]
pub(super) struct RandomEvent {
    provider: usize,
    /// Hours and a half from now to its start, and how many it takes.
    start_hours: i64,
    duration_hours: Option<i64>,
    zone: usize,
    venue: Option<usize>,
    performers: Vec<usize>,
    category: Option<usize>,
    organizer: Option<usize>,
    prices: Option<(i64, i64)>,
    currency: Option<&'static str>,
    status: usize,
    listed: bool,
    sold_out: bool,
    /// Hours and a half from now.
    sale: (Option<i64>, Option<i64>),
    seen_hours: i64,
    updated_hours: Option<i64>,
}

/// An event as the full scan sees it.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) id: Uuid,
    pub(super) provider: &'static str,
    pub(super) starts_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) zone: Tz,
    pub(super) venue: Option<usize>,
    pub(super) performers: Vec<&'static str>,
    pub(super) category: Option<&'static str>,
    pub(super) organizer: Option<&'static str>,
    pub(super) prices: Option<(i64, i64)>,
    pub(super) currency: &'static str,
    pub(super) status: EventStatus,
    pub(super) listed: bool,
    pub(super) availability: &'static str,
    pub(super) first_seen_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

/// Coordinates and city of a venue; some have neither.
pub(super) type RandomVenue = (Option<(f64, f64)>, Option<usize>);

pub(super) fn venues() -> impl Strategy<Value = Vec<RandomVenue>> {
    let short = |degrees: f64| (degrees * 1e3).round() / 1e3;
    let near_antimeridian = prop_oneof![3 => -180.0..180.0_f64, 1 => 179.5..180.0_f64, 1 => -180.0..-179.5_f64];
    let anywhere =
        (-89.0..89.0_f64, near_antimeridian).prop_map(move |(latitude, longitude)| (short(latitude), short(longitude)));
    let barcelona = (41.2..41.6_f64, 2.0..2.4_f64).prop_map(move |(latitude, longitude)| (short(latitude), short(longitude)));
    let point = option::weighted(0.85, prop_oneof![anywhere, barcelona]);
    vec((point, option::weighted(0.8, 0..CITIES.len())), VENUES)
}

pub(super) fn events() -> impl Strategy<Value = Vec<RandomEvent>> {
    let when = (-500..1_500_i64, option::weighted(0.7, prop_oneof![4 => 0..5_i64, 1 => 5..900_i64]), 0..ZONES.len());
    let what = (
        0..PROVIDERS.len(),
        option::weighted(0.85, 0..VENUES),
        vec(0..PERFORMERS.len(), 0..3),
        option::weighted(0.8, 0..CATEGORIES.len()),
        option::weighted(0.5, 0..ORGANIZERS.len()),
    );
    let prices = option::weighted(0.8, (0..40_i64, 0..20_i64).prop_map(|(min, more)| (min * 50, (min + more) * 50)));
    let currency = option::weighted(0.1, Just("GBP"));
    let state = (0..EventStatus::ALL.len() + 4, prop::bool::weighted(0.8), prop::bool::weighted(0.2));
    let sale = (option::of(-900..900_i64), option::of(-900..900_i64));
    let history = (-2_000..0_i64, option::weighted(0.6, -1_000..0_i64));
    vec((when, what, prices, currency, state, sale, history), 1..150).prop_map(|rows| {
        rows.into_iter()
            .map(|(when, what, prices, currency, state, sale, history)| RandomEvent {
                start_hours: when.0,
                duration_hours: when.1,
                zone: when.2,
                provider: what.0,
                venue: what.1,
                performers: what.2,
                category: what.3,
                organizer: what.4,
                prices,
                currency,
                status: state.0,
                listed: state.1,
                sold_out: state.2,
                sale,
                seen_hours: history.0,
                updated_hours: history.1,
            })
            .collect()
    })
}

/// Inserts a catalogue.
pub(super) async fn insert(
    catalogue: &CatalogueFixture,
    venues: &[RandomVenue],
    events: &[RandomEvent],
    now: DateTime<Utc>,
) -> Vec<Expected> {
    catalogue.clear().await;
    let expected: Vec<Expected> = events.iter().enumerate().map(|(number, event)| event.expect(number, now)).collect();
    let rows: Vec<NewEvent> = events
        .iter()
        .zip(&expected)
        .enumerate()
        .map(|(number, (event, expected))| event.row(number, expected, venues, now))
        .collect();
    catalogue.insert(rows).await;
    for (event, expected) in events.iter().zip(&expected).filter(|(event, _)| event.updated_hours.is_some()) {
        for ids in chunks(vec![expected.id]) {
            listing::touch(&catalogue.database, ids, hours_from(now, event.updated_hours.unwrap_or(0)).into()).await.unwrap();
        }
    }
    expected
}

/// A number of hours and a half from an instant: no filter that depends on the clock changes while a test runs.
fn hours_from(now: DateTime<Utc>, hours: i64) -> DateTime<Utc> {
    now + TimeDelta::minutes(60 * hours + 30)
}

fn title(number: usize) -> String {
    format!("event {number}")
}

impl RandomEvent {
    fn expect(&self, number: usize, now: DateTime<Utc>) -> Expected {
        let starts_at = hours_from(now, self.start_hours);
        let ends_at = starts_at + TimeDelta::hours(self.duration_hours.unwrap_or(0));
        let instant = |hours: Option<i64>| hours.map(|hours| UtcInstant::from(hours_from(now, hours)));
        let sale = (instant(self.sale.0), instant(self.sale.1));
        let first_seen_at = hours_from(now, self.seen_hours.min(-1));
        Expected {
            id: NewEvent::titled(&title(number)).row.id,
            provider: PROVIDERS[self.provider],
            starts_at,
            ends_at,
            zone: ZONES[self.zone],
            venue: self.venue,
            performers: self.performers.iter().map(|&performer| PERFORMERS[performer]).collect(),
            category: self.category.map(|category| CATEGORIES[category]),
            organizer: self.organizer.map(|organizer| ORGANIZERS[organizer]),
            prices: self.prices,
            currency: self.currency.unwrap_or("EUR"),
            status: EventStatus::ALL[self.status % EventStatus::ALL.len()],
            listed: self.listed,
            availability: Availability::at(now.into(), ends_at.into(), sale, self.sold_out).name(),
            first_seen_at,
            updated_at: self.updated_hours.map_or(first_seen_at, |hours| hours_from(now, hours)),
        }
    }

    fn row(&self, number: usize, expected: &Expected, venues: &[RandomVenue], now: DateTime<Utc>) -> NewEvent {
        let mut performers: Vec<&str> = Vec::new();
        for performer in &expected.performers {
            if !performers.contains(performer) {
                performers.push(performer);
            }
        }
        let instant = |hours: Option<i64>| hours.map(|hours| UtcInstant::from(hours_from(now, hours)));
        let local = |at: DateTime<Utc>| local_of(expected.zone, at).format("%Y-%m-%dT%H:%M:%S%.f").to_string();
        let mut new = NewEvent::titled(&title(number)).of_provider(expected.provider).performers(&performers).with(|row| {
            row.local_start = local(expected.starts_at);
            row.local_end = self.duration_hours.map(|_| local(expected.ends_at));
            (row.starts_at, row.ends_at) = (expected.starts_at.into(), expected.ends_at.into());
            (row.sale_starts_at, row.sale_ends_at) = (instant(self.sale.0), instant(self.sale.1));
            row.sold_out = self.sold_out;
            row.time_zone = Some(expected.zone.name().to_owned());
            (row.min_price, row.max_price) = self.prices.unzip();
            row.currency = self.currency.map(str::to_owned);
            row.currency_digits = self.currency.map(|_| 2);
            row.status = expected.status;
            row.left_at = (!self.listed).then(|| now.into());
            row.first_seen_at = expected.first_seen_at.into();
        });
        // Either the event or its base event has the category.
        let category = expected.category.map(str::to_owned);
        if number.is_multiple_of(2) {
            new.row.category = category;
        } else {
            new.base_event.category = category;
        }
        match expected.organizer {
            Some(name) if name == ORGANIZERS[1] => new.base_event.organizer_name = Some(name.to_owned()),
            id => new.base_event.organizer_company_id = id.map(str::to_owned),
        }
        let Some(venue) = self.venue else { return new };
        let (point, city) = venues[venue];
        // Both providers have the venue.
        new.venue_with(&format!("{} {venue}", expected.provider), point, |row| {
            row.city = city.map(|city| CITIES[city].to_owned());
            row.country = city.map(|city| COUNTRIES[city].to_owned());
            row.place_code = city.map(|city| PLACES[city].to_owned());
        })
    }
}

/// What the clock of a zone shows.
pub(super) fn local_of(zone: Tz, instant: DateTime<Utc>) -> NaiveDateTime {
    zone.from_utc_datetime(&instant.naive_utc()).naive_local()
}
