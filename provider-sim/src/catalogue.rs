//! Generates the catalogue. Each item is computed only from the settings and its number, so that memory does not grow with
//! the catalogue. `churn` applies changes over time, `feed` formats XML.

use std::{io, iter};

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::churn::{Life, MIN_CAPACITY};
use crate::cities::{CITIES, City};
use crate::details;
use crate::feed;
use crate::model::{SellMode, SimBaseEvent, SimDetails, SimEvent, SimPerformer, SimVenue, SimZone};
use crate::words;

/// The settings that determine a catalogue: the same settings and poll number produce the same bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimCatalogue {
    /// Seed of the random items.
    pub seed: u64,
    /// Number of events. Each base event has one to four.
    pub events: u64,
    /// Number of zones per event. Without zones, prices and capacities cannot change.
    pub zones: u32,
    /// Percentage of base events that change between two polls, 0 to 100.
    pub churn: f64,
    /// Events start from about 60 days before to 300 days after this day. Its year must be from 1 to 9998.
    pub anchor: NaiveDate,
    /// Whether items have details such as statuses, categories, descriptions and addresses. The other values do not depend on it.
    pub details: bool,
}

impl Default for SimCatalogue {
    /// 500 events with four zones that never change, without details, around 2026-01-01.
    fn default() -> Self {
        let anchor = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap_or_default();
        Self { seed: 1, events: 500, zones: 4, churn: 0.0, anchor, details: false }
    }
}

impl SimCatalogue {
    /// The base events at a poll, in the order of the feed. At poll 0 all are present.
    pub fn base_events(&self, poll: u64) -> impl Iterator<Item = SimBaseEvent> + Send + use<> {
        let catalogue = *self;
        (0..catalogue.base_event_count()).filter_map(move |index| catalogue.base_event(index, poll))
    }

    /// The base event at an index; `None` after the last, or while it is removed from the feed.
    #[must_use]
    pub fn base_event(&self, index: u64, poll: u64) -> Option<SimBaseEvent> {
        if index >= self.base_event_count() {
            return None;
        }
        let life = Life::at(poll, self.churn, &mut self.item_random(RandomSubject::Life, index));
        if life.is_removed() {
            return None;
        }
        let mut base_event = self.generate_base_event(index);
        life.apply(&mut base_event);
        for event in base_event.events.iter_mut().filter(|event| event.sold_out) {
            for zone in &mut event.zones {
                zone.capacity = 0;
            }
        }
        Some(base_event)
    }

    /// The number of base events, including those that are removed at a poll.
    #[must_use]
    pub fn base_event_count(&self) -> u64 {
        let whole = self.events / EVENTS_PER_BLOCK * BLOCK;
        let begun = (whole..whole + BLOCK).filter(|&index| self.count_events_before(index) < self.events).count();
        whole + begun as u64
    }

    /// Writes the feed at a poll, in pieces.
    ///
    /// # Errors
    ///
    /// If `out` fails.
    pub fn write_feed(&self, poll: u64, out: &mut impl io::Write) -> io::Result<()> {
        feed::pieces(self, poll).try_for_each(|piece| out.write_all(piece.as_bytes()))
    }

    /// The feed at a poll.
    #[must_use]
    pub fn feed(&self, poll: u64) -> String {
        feed::pieces(self, poll).collect()
    }

    fn generate_base_event(&self, index: u64) -> SimBaseEvent {
        let mut random = self.item_random(RandomSubject::BaseEvent, index);
        let performers = self.select_performers(index, &mut random);
        let home = random.random_range(0..VENUES);
        let title = generate_title(&performers, city_of(home), &mut random);
        let plan = EventPlan {
            home,
            tours: random.random_ratio(1, 3),
            first_day: self.day(random.random_range(-60..=285)),
            start: NaiveTime::MIN + TimeDelta::minutes(random.random_range(34..=45) * 30),
            length: TimeDelta::minutes(random.random_range(4..=12) * 15),
            sold_days_ahead: random.random_range(30..=240),
            price_cents: random.random_range(24..=240) * 50,
        };
        let mut events = Vec::new();
        for number in 0..self.count_events(index) {
            events.push(self.generate_event(index, number, &plan, &mut random));
        }
        let mut base_event = SimBaseEvent {
            id: index + 1,
            sell_mode: if random.random_ratio(1, 10) { SellMode::Offline } else { SellMode::Online },
            organizer_company_id: random.random_ratio(9, 10).then(|| random.random_range(1..=40)),
            title,
            details: SimDetails::default(),
            performers,
            events,
        };
        if self.details {
            details::add(&mut base_event, city_of(home), &mut self.item_random(RandomSubject::Details, index));
        }
        base_event
    }

    fn generate_event(&self, base_event: u64, number: u64, plan: &EventPlan, random: &mut ChaCha8Rng) -> SimEvent {
        let day = plan.first_day.checked_add_days(Days::new(number * 2)).unwrap_or(plan.first_day);
        let starts = NaiveDateTime::new(day, plan.start);
        let first_sold = day.checked_sub_days(Days::new(plan.sold_days_ahead)).unwrap_or(day);
        let venue = if plan.tours { (plan.home + 7 * number as u32) % VENUES } else { plan.home };
        SimEvent {
            // Base events that follow each other share event ids.
            id: base_event + 1 + number,
            starts,
            ends: starts + plan.length,
            sell_from: NaiveDateTime::new(first_sold, NaiveTime::MIN),
            sell_to: starts - TimeDelta::hours(1),
            sold_out: random.random_ratio(1, 20),
            status: None,
            name: None,
            venue: self.generate_venue(venue),
            support: random.random_ratio(1, 8).then(|| self.generate_performer(base_event + FIRST_PERFORMERS)),
            zones: self.generate_zones(venue, plan.price_cents, random),
        }
    }

    fn generate_zones(&self, venue: u32, best_price_cents: u32, random: &mut ChaCha8Rng) -> Vec<SimZone> {
        let mut zones = Vec::new();
        for position in 0..self.zones {
            let (name, numbered) = words::ZONE_NAMES[position as usize % words::ZONE_NAMES.len()];
            let tier = position / words::ZONE_NAMES.len() as u32;
            let percent = 100 - 8 * (position % 10);
            zones.push(SimZone {
                id: u64::from(venue) * 10 + u64::from(position) + 1,
                capacity: random.random_range(MIN_CAPACITY..=800),
                price_cents: best_price_cents * percent / 5000 * 50,
                name: if tier == 0 { name.to_owned() } else { format!("{name} {}", tier + 1) },
                numbered,
            });
        }
        if let [.., first, second] = zones.as_mut_slice()
            && random.random_ratio(1, 10)
        {
            second.id = first.id;
            second.name.clone_from(&first.name);
            second.numbered = first.numbered;
            // Higher than any price that changes can give the first zone.
            second.price_cents = first.price_cents + 1000;
        }
        zones
    }

    /// One to three performers. Those with low numbers are available to more base events, and so appear more often.
    fn select_performers(&self, base_event: u64, random: &mut ChaCha8Rng) -> Vec<SimPerformer> {
        let count = [1, 1, 1, 2, 2, 3][random.random_range(0..6)];
        let mut numbers = Vec::with_capacity(count);
        while numbers.len() < count {
            let number = random.random_range(0..base_event + FIRST_PERFORMERS);
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        numbers.into_iter().map(|number| self.generate_performer(number)).collect()
    }

    fn generate_performer(&self, number: u64) -> SimPerformer {
        // Performers with adjacent numbers get different names. The stride is coprime to the number of names, so that each
        // name is used once per round.
        const STRIDE: u64 = 1787;
        let round = number / words::PERFORMER_NAMES;
        let offset = self.item_random(RandomSubject::Names, 0).random_range(0..words::PERFORMER_NAMES);
        let within = (number % words::PERFORMER_NAMES * STRIDE + offset) % words::PERFORMER_NAMES;
        SimPerformer { id: number + 1, name: words::performer_name(round * words::PERFORMER_NAMES + within) }
    }

    fn generate_venue(&self, number: u32) -> SimVenue {
        let mut random = self.item_random(RandomSubject::Venue, number.into());
        let city = city_of(number);
        let form = pick(city.venue_forms, &mut random);
        SimVenue {
            id: number + 1,
            name: form.replace("{}", pick(&words::SURNAMES, &mut random)),
            latitude: offset_coordinate(city.latitude, &mut random),
            longitude: offset_coordinate(city.longitude, &mut random),
            place_code: city.place_code,
            address: self
                .details
                .then(|| details::generate_address(city, &mut self.item_random(RandomSubject::Address, number.into()))),
        }
    }

    fn count_events(&self, index: u64) -> u64 {
        self.events_per_base_event(index).min(self.events.saturating_sub(self.count_events_before(index)))
    }

    fn count_events_before(&self, index: u64) -> u64 {
        let block = index / BLOCK;
        let in_block: u64 = (block * BLOCK..index).map(|earlier| self.events_per_base_event(earlier)).sum();
        block * EVENTS_PER_BLOCK + in_block
    }

    /// The number of events of a base event, ignoring the end of the feed.
    fn events_per_base_event(&self, index: u64) -> u64 {
        let rotation = self.seed % BLOCK + index / BLOCK;
        EVENTS_IN_BLOCK[((index + rotation) % BLOCK) as usize]
    }

    fn day(&self, days_from_anchor: i64) -> NaiveDate {
        self.anchor.checked_add_signed(TimeDelta::days(days_from_anchor)).unwrap_or(self.anchor)
    }

    /// The random generator of one item: a separate stream of the seed.
    fn item_random(&self, subject: RandomSubject, number: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(((subject as u64) << 56) | number);
        random
    }
}

/// The shared properties of the events of a base event.
struct EventPlan {
    home: u32,
    tours: bool,
    first_day: NaiveDate,
    start: NaiveTime,
    length: TimeDelta,
    sold_days_ahead: u64,
    price_cents: u32,
}

/// Separates the random streams of different kinds of items.
#[derive(Clone, Copy)]
enum RandomSubject {
    BaseEvent = 1,
    Life = 2,
    Venue = 3,
    Names = 4,
    Details = 5,
    Address = 6,
}

/// The events of each base event in a block, in an order that rotates from block to block. Every block has ten events, so
/// that the position of an event is computed without generating the ones before it.
const EVENTS_IN_BLOCK: [u64; 4] = [1, 2, 4, 3];
const BLOCK: u64 = EVENTS_IN_BLOCK.len() as u64;
const EVENTS_PER_BLOCK: u64 = EVENTS_IN_BLOCK[0] + EVENTS_IN_BLOCK[1] + EVENTS_IN_BLOCK[2] + EVENTS_IN_BLOCK[3];

const VENUES: u32 = CITIES.len() as u32 * 6;

/// The number of performers that the first base event selects from.
const FIRST_PERFORMERS: u64 = 6;

fn city_of(venue: u32) -> &'static City {
    &CITIES[venue as usize % CITIES.len()]
}

/// A coordinate within a few kilometers of a city center, with five decimals.
fn offset_coordinate(degrees: f64, random: &mut ChaCha8Rng) -> f64 {
    let jitter: i32 = random.random_range(-3000..=3000);
    ((degrees * 1e5).round() + f64::from(jitter)) / 1e5
}

fn generate_title(performers: &[SimPerformer], city: &City, random: &mut ChaCha8Rng) -> String {
    let form = match performers.len() {
        0 | 1 => pick(&words::SOLO_TITLES, random),
        2 => pick(&words::DUO_TITLES, random),
        _ => pick(&words::FESTIVAL_TITLES, random),
    };
    let work = format!("{} {}", pick(&words::WORK_HEADS, random), pick(&words::WORK_TAILS, random));
    let mut names = performers.iter().map(|performer| performer.name.as_str()).chain(iter::repeat(""));
    form.replace("{performer}", names.next().unwrap_or_default())
        .replace("{guest}", names.next().unwrap_or_default())
        .replace("{work}", &work)
        .replace("{city}", city.name)
}

fn pick(table: &'static [&'static str], random: &mut ChaCha8Rng) -> &'static str {
    table[random.random_range(0..table.len())]
}
