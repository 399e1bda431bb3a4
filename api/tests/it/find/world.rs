//! Random catalogues of events around the present.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use entity::{EventStatus, UtcInstant, chunks, event::Availability, listing, words::split_words};
use proptest::{collection::vec, option, prelude::*};
use sea_orm::prelude::Uuid;

use crate::fixtures::{CatalogueFixture, NewEvent};

pub(super) const CITIES: [&str; 4] = ["Barcelona", "Málaga", "São Paulo", "東京"];
pub(super) const COUNTRIES: [&str; 4] = ["ES", "ES", "BR", "JP"];
pub(super) const CATEGORIES: [&str; 5] = ["music", "music/jazz", "music/rock", "theatre", "other"];
pub(super) const PROVIDERS: [&str; 2] = ["fever", "northstage"];
/// The currencies of the providers.
pub(super) const CURRENCIES: [&str; 2] = ["EUR", "USD"];
pub(super) const PERFORMERS: [&str; 4] = ["1", "2", "3", "4"];
pub(super) const ORGANIZERS: [&str; 3] = ["77", "Sala Norte", "Sala Sur"];
/// Shows of each provider.
const SHOWS: usize = 100;
const ZONES: [Tz; 6] =
    [Tz::UTC, Tz::Europe__Madrid, Tz::America__New_York, Tz::Asia__Tokyo, Tz::Pacific__Kiritimati, Tz::Pacific__Pago_Pago];
pub(super) const PLACES: [&str; 4] = ["ESBCN", "ESAGP", "BRSAO", "JPTYO"];
pub(super) const VENUES: usize = 12;
/// Titles and own names.
pub(super) const NAMES: [&str; 12] = [
    "Rock 'n' Roll Night",
    "Große Straße",
    "Bjørn & Łąki",
    "Mo\u{308}tley Crüe",
    "東京ドームコンサート",
    "שָׁלוֹם عالم",
    "🎸 Rocking 🎷",
    "!!!",
    "The Rock",
    "서울 재즈 페스티벌",
    "ROLLING Stones",
    "Музыка: jazz/night",
];

/// An event of a random catalogue. Indexes refer to the constants above.
#[derive(Clone, Debug)]
pub(super) struct RandomEvent {
    provider: usize,
    /// In place of the organizer of its show.
    has_organizer: bool,
    /// Events of a provider with the same one have one base event.
    show: usize,
    name: Option<usize>,
    /// Hours and a half from now to its start, and how many it takes.
    start_hours: i64,
    duration_hours: Option<i64>,
    zone: usize,
    venue: Option<usize>,
    performers: Vec<usize>,
    category: Option<usize>,
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
    /// The provider's id of the organizer of its show, and the name of its organizer.
    pub(super) organizers: [Option<&'static str>; 2],
    pub(super) prices: Option<(i64, i64)>,
    pub(super) currency: &'static str,
    pub(super) status: EventStatus,
    pub(super) listed: bool,
    pub(super) availability: &'static str,
    pub(super) first_seen_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    /// The base event.
    pub(super) show: Uuid,
    pub(super) title: &'static str,
    pub(super) name: Option<&'static str>,
    /// The words of its show at its venue.
    pub(super) words: BTreeSet<String>,
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
        (option::weighted(0.8, 0..CATEGORIES.len()), prop::bool::weighted(0.2)),
        (0..SHOWS, option::weighted(0.3, 0..NAMES.len())),
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
                category: what.3.0,
                has_organizer: what.3.1,
                show: what.4.0,
                name: what.4.1,
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
    let mut expected: Vec<Expected> = events.iter().enumerate().map(|(number, event)| event.expect(number, now)).collect();
    add_words(&mut expected, venues);
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

/// The words of all events of a show at a venue.
fn add_words(events: &mut [Expected], venues: &[RandomVenue]) {
    let mut words: HashMap<(Uuid, Option<usize>), BTreeSet<String>> = HashMap::new();
    for event in events.iter() {
        let texts = event.texts(venues).into_iter().flatten();
        words.entry((event.show, event.venue)).or_default().extend(texts.flat_map(|text| split_words(&text)));
    }
    for event in events {
        event.words = words[&(event.show, event.venue)].clone();
    }
}

impl Expected {
    /// The texts by which it is found, the most important ones first: title and name, performers, venue, the others.
    pub(super) fn texts(&self, venues: &[RandomVenue]) -> [Vec<String>; 4] {
        let venue = self.venue.map(|venue| format!("{} {venue}", self.provider));
        let city = self.venue.and_then(|venue| venues[venue].1).map(|city| CITIES[city]);
        [
            std::iter::once(self.title).chain(self.name).map(str::to_owned).collect(),
            self.performers.iter().map(|performer| format!("Performer {performer}")).collect(),
            venue.into_iter().collect(),
            city.into_iter().chain(self.category).map(str::to_owned).collect(),
        ]
    }
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
            category: self.category.or(self.category_of_show()).map(|category| CATEGORIES[category]),
            organizers: self.organizers(),
            prices: self.prices,
            currency: self.currency.unwrap_or(CURRENCIES[self.provider]),
            status: EventStatus::ALL[self.status % EventStatus::ALL.len()],
            listed: self.listed,
            availability: Availability::at(now.into(), ends_at.into(), sale, self.sold_out).name(),
            first_seen_at,
            updated_at: self.updated_hours.map_or(first_seen_at, |hours| hours_from(now, hours)),
            show: Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("show {} of {}", self.show, PROVIDERS[self.provider]).as_bytes()),
            title: NAMES[self.show % NAMES.len()],
            name: self.name.map(|name| NAMES[name]),
            words: BTreeSet::new(),
        }
    }

    /// Its base event has one, too, unless it has another one.
    fn category_of_show(&self) -> Option<usize> {
        Some(self.show % 9).filter(|category| *category < CATEGORIES.len())
    }

    fn organizers(&self) -> [Option<&'static str>; 2] {
        let [id, name, own_name] = ORGANIZERS;
        let name_of_show = (self.show % 4 == 1).then_some(name);
        [(self.show.is_multiple_of(4)).then_some(id), self.has_organizer.then_some(own_name).or(name_of_show)]
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
        new.row.base_event_id = expected.show;
        new.row.name = expected.name.map(str::to_owned);
        new.row.category = self.category.map(|category| CATEGORIES[category].to_owned());
        new.base_event.id = expected.show;
        new.base_event.source_id = expected.show.to_string();
        expected.title.clone_into(&mut new.base_event.title);
        new.base_event.category = self.category_of_show().map(|category| CATEGORIES[category].to_owned());
        new.row.organizer_name = self.has_organizer.then(|| ORGANIZERS[2].to_owned());
        let of_show = Self { has_organizer: false, ..self.clone() };
        [new.base_event.organizer_company_id, new.base_event.organizer_name] =
            of_show.organizers().map(|organizer| organizer.map(str::to_owned));
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
