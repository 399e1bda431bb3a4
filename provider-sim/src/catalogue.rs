//! The invented catalogue: every item from the seed and its own number.
//!
//! Owns what base events, venues and performers look like. Each is computed from nothing
//! but the settings and its number, never from its neighbours, so that a catalogue of any
//! size can be walked without being held. Deliberately leaves changes over time to `churn`
//! and XML to `feed`.

use std::{io, iter};

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::churn::{LEAST_CAPACITY, Life};
use crate::cities::{CITIES, City};
use crate::feed;
use crate::model::{SellMode, SimBaseEvent, SimEvent, SimPerformer, SimVenue, SimZone};
use crate::words;

/// The settings from which a catalogue follows entirely: the same settings and the same
/// poll number give the same items and the same bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimCatalogue {
    /// Any number; another one gives other items.
    pub seed: u64,
    /// Events of the whole feed, spread over base events of one to four.
    pub events: u64,
    /// Zones of every event. An event without zones has no price or capacity to change.
    pub zones: u32,
    /// Percent of the base events that change from one poll to the next, 0 to 100.
    pub churn: f64,
    /// The day around which the events lie, from about 60 days before to 300 days after it; its
    /// year is to lie between 1 and 9998.
    pub anchor: NaiveDate,
}

impl Default for SimCatalogue {
    /// 500 events of four zones that never change, around the first day of 2026.
    fn default() -> Self {
        Self { seed: 1, events: 500, zones: 4, churn: 0.0, anchor: NaiveDate::from_ymd_opt(2026, 1, 1).unwrap_or_default() }
    }
}

impl SimCatalogue {
    /// The base events at this poll, in the order of the feed. At poll 0 none is missing.
    pub fn base_events(&self, poll: u64) -> impl Iterator<Item = SimBaseEvent> + Send + use<> {
        let catalogue = *self;
        (0..catalogue.base_event_count()).filter_map(move |index| catalogue.base_event(index, poll))
    }

    /// The base event of this number, from 0; none beyond the last or while it has left the feed.
    #[must_use]
    pub fn base_event(&self, index: u64, poll: u64) -> Option<SimBaseEvent> {
        if index >= self.base_event_count() {
            return None;
        }
        let life = Life::at(poll, self.churn, &mut self.random(RandomSubject::Life, index));
        if life.is_away() {
            return None;
        }
        let mut base_event = self.first_invented(index);
        life.apply(&mut base_event);
        for event in base_event.events.iter_mut().filter(|event| event.sold_out) {
            for zone in &mut event.zones {
                zone.capacity = 0;
            }
        }
        Some(base_event)
    }

    /// How many base events hold the events, counting those that may be away at a poll.
    #[must_use]
    pub fn base_event_count(&self) -> u64 {
        let whole = self.events / EVENTS_PER_BLOCK * BLOCK;
        let begun = (whole..whole + BLOCK).filter(|&index| self.events_before(index) < self.events).count();
        whole + begun as u64
    }

    /// Writes the feed at this poll, piece by piece: memory does not grow with its length.
    ///
    /// # Errors
    ///
    /// Whatever `out` answers.
    pub fn write_feed(&self, poll: u64, out: &mut impl io::Write) -> io::Result<()> {
        feed::pieces(self, poll).try_for_each(|piece| out.write_all(piece.as_bytes()))
    }

    /// The feed at this poll as a whole.
    #[must_use]
    pub fn feed(&self, poll: u64) -> String {
        feed::pieces(self, poll).collect()
    }

    fn first_invented(&self, index: u64) -> SimBaseEvent {
        let mut random = self.random(RandomSubject::BaseEvent, index);
        let performers = self.performers(index, &mut random);
        let home = random.random_range(0..VENUES);
        let title = invented_title(&performers, city_of(home), &mut random);
        let plan = Plan {
            home,
            tours: random.random_ratio(1, 3),
            first_day: self.day(random.random_range(-60..=285)),
            start: NaiveTime::MIN + TimeDelta::minutes(random.random_range(34..=45) * 30),
            length: TimeDelta::minutes(random.random_range(4..=12) * 15),
            sold_days_ahead: random.random_range(30..=240),
            price_cents: random.random_range(24..=240) * 50,
        };
        let mut events = Vec::new();
        for number in 0..self.events_of(index) {
            events.push(self.event(index, number, &plan, &mut random));
        }
        SimBaseEvent {
            id: index + 1,
            sell_mode: if random.random_ratio(1, 10) { SellMode::Offline } else { SellMode::Online },
            organizer_company_id: random.random_ratio(9, 10).then(|| random.random_range(1..=40)),
            title,
            performers,
            events,
        }
    }

    fn event(&self, base_event: u64, number: u64, plan: &Plan, random: &mut ChaCha8Rng) -> SimEvent {
        let day = plan.first_day.checked_add_days(Days::new(number * 2)).unwrap_or(plan.first_day);
        let starts = NaiveDateTime::new(day, plan.start);
        let first_sold = day.checked_sub_days(Days::new(plan.sold_days_ahead)).unwrap_or(day);
        let venue = if plan.tours { (plan.home + 7 * number as u32) % VENUES } else { plan.home };
        SimEvent {
            // Counted on from the base event's own id, so that neighbours share ids.
            id: base_event + 1 + number,
            starts,
            ends: starts + plan.length,
            sell_from: NaiveDateTime::new(first_sold, NaiveTime::MIN),
            sell_to: starts - TimeDelta::hours(1),
            sold_out: random.random_ratio(1, 20),
            venue: self.venue(venue),
            support: random.random_ratio(1, 8).then(|| self.performer(base_event + FAMILIAR)),
            zones: self.event_zones(venue, plan.price_cents, random),
        }
    }

    fn event_zones(&self, venue: u32, best_price_cents: u32, random: &mut ChaCha8Rng) -> Vec<SimZone> {
        let mut zones = Vec::new();
        for position in 0..self.zones {
            let (name, numbered) = words::ZONE_NAMES[position as usize % words::ZONE_NAMES.len()];
            let tier = position / words::ZONE_NAMES.len() as u32;
            let percent = 100 - 8 * (position % 10);
            zones.push(SimZone {
                id: u64::from(venue) * 10 + u64::from(position) + 1,
                capacity: random.random_range(LEAST_CAPACITY..=800),
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
            // Far enough above that no change of the first price reaches it.
            second.price_cents = first.price_cents + 1000;
        }
        zones
    }

    /// One to three, drawn from those that earlier base events could draw from and a few
    /// new ones: the early ones come back often, as famous acts do.
    fn performers(&self, base_event: u64, random: &mut ChaCha8Rng) -> Vec<SimPerformer> {
        let wanted = [1, 1, 1, 2, 2, 3][random.random_range(0..6)];
        let mut numbers = Vec::with_capacity(wanted);
        while numbers.len() < wanted {
            let number = random.random_range(0..base_event + FAMILIAR);
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        numbers.into_iter().map(|number| self.performer(number)).collect()
    }

    fn performer(&self, number: u64) -> SimPerformer {
        // Strides through the names so that neighbours differ in more than a word; the
        // stride shares no factor with their number, so each is met once a round.
        const STRIDE: u64 = 1787;
        let round = number / words::PERFORMER_NAMES;
        let offset = self.random(RandomSubject::Names, 0).random_range(0..words::PERFORMER_NAMES);
        let within = (number % words::PERFORMER_NAMES * STRIDE + offset) % words::PERFORMER_NAMES;
        SimPerformer { id: number + 1, name: words::performer_name(round * words::PERFORMER_NAMES + within) }
    }

    fn venue(&self, number: u32) -> SimVenue {
        let mut random = self.random(RandomSubject::Venue, number.into());
        let city = city_of(number);
        let form = pick(city.venue_forms, &mut random);
        SimVenue {
            id: number + 1,
            name: form.replace("{}", pick(&words::SURNAMES, &mut random)),
            latitude: near(city.latitude, &mut random),
            longitude: near(city.longitude, &mut random),
            place_code: city.place_code,
        }
    }

    fn events_of(&self, index: u64) -> u64 {
        self.share(index).min(self.events.saturating_sub(self.events_before(index)))
    }

    fn events_before(&self, index: u64) -> u64 {
        let block = index / BLOCK;
        let in_block: u64 = (block * BLOCK..index).map(|earlier| self.share(earlier)).sum();
        block * EVENTS_PER_BLOCK + in_block
    }

    /// Events of a base event that is not cut short by the end of the feed.
    fn share(&self, index: u64) -> u64 {
        let rotation = self.seed % BLOCK + index / BLOCK;
        SHARES[((index + rotation) % BLOCK) as usize]
    }

    fn day(&self, days_from_anchor: i64) -> NaiveDate {
        self.anchor.checked_add_signed(TimeDelta::days(days_from_anchor)).unwrap_or(self.anchor)
    }

    /// The numbers that belong to one item alone: a stream of the seed's generator.
    fn random(&self, subject: RandomSubject, number: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(((subject as u64) << 56) | number);
        random
    }
}

/// What the events of one base event have in common.
struct Plan {
    home: u32,
    tours: bool,
    first_day: NaiveDate,
    start: NaiveTime,
    length: TimeDelta,
    sold_days_ahead: u64,
    price_cents: u32,
}

/// What random numbers are drawn for; keeps the streams of different items apart.
#[derive(Clone, Copy)]
enum RandomSubject {
    BaseEvent = 1,
    Life = 2,
    Venue = 3,
    Names = 4,
}

/// Every four base events in a row hold ten events, in an order that turns from block to
/// block: so it is known without counting where the feed ends.
const SHARES: [u64; 4] = [1, 2, 4, 3];
const BLOCK: u64 = SHARES.len() as u64;
const EVENTS_PER_BLOCK: u64 = SHARES[0] + SHARES[1] + SHARES[2] + SHARES[3];

const VENUES: u32 = CITIES.len() as u32 * 6;

/// Performers that even the first base event can choose from.
const FAMILIAR: u64 = 6;

fn city_of(venue: u32) -> &'static City {
    &CITIES[venue as usize % CITIES.len()]
}

/// A few kilometres from the middle of a city, in whole hundred-thousandths of a degree.
fn near(degrees: f64, random: &mut ChaCha8Rng) -> f64 {
    let jitter: i32 = random.random_range(-3000..=3000);
    ((degrees * 1e5).round() + f64::from(jitter)) / 1e5
}

fn invented_title(performers: &[SimPerformer], city: &City, random: &mut ChaCha8Rng) -> String {
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
