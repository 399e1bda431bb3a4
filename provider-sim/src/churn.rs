//! How a base event changes from poll to poll.
//!
//! Owns the life of a base event after poll 0. A life is a round of small changes, at most
//! one a poll; how many have happened at a poll is a sum, not a history, so that any poll
//! can be computed directly. What a base event looks like before its first change is
//! `catalogue`'s.

use chrono::TimeDelta;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::model::{SimBaseEvent, SimEvent};

/// Where one base event stands in its life at one poll.
pub(crate) struct Life {
    /// Changes since the beginning of the round, including those that lie before poll 0.
    changes: u64,
    /// Which of its events the changes are about; taken modulo their number.
    focus: usize,
}

impl Life {
    /// The life at `poll` of a base event, of which `churn` percent change per poll.
    pub(crate) fn at(poll: u64, churn: f64, random: &mut ChaCha8Rng) -> Self {
        // Not from the last stage: there the base event would be missing at poll 0.
        let first_stage = random.random_range(0..ROUND.len() as u64 - 1);
        let phase = random.random_range(0..CERTAIN);
        let focus = random.random_range(0..4);
        Self { changes: first_stage + changes_until(poll, churn, phase), focus }
    }

    /// Whether it has left the feed for now.
    pub(crate) fn is_away(&self) -> bool {
        self.is_on(CatalogueChange::Presence)
    }

    /// Brings a base event as it was first invented to this point of its life.
    pub(crate) fn apply(&self, base_event: &mut SimBaseEvent) {
        if self.is_on(CatalogueChange::Title) {
            base_event.title.push_str(" (new date)");
        }
        let focus = self.focus % base_event.events.len().max(1);
        if let Some(event) = base_event.events.get_mut(focus) {
            self.apply_to_event(event);
        }
    }

    fn apply_to_event(&self, event: &mut SimEvent) {
        if self.is_on(CatalogueChange::Start) {
            event.starts += TimeDelta::hours(1);
            event.ends += TimeDelta::hours(1);
        }
        if let Some(zone) = event.zones.first_mut() {
            zone.price_cents += PRICE_STEP_CENTS * step(self.times(CatalogueChange::Price), 5);
            zone.capacity -= CAPACITY_STEP * step(self.times(CatalogueChange::Capacity), 7);
        }
        event.sold_out = self.is_on(CatalogueChange::SoldOut);
    }

    /// How often a change of this kind has happened.
    fn times(&self, kind: CatalogueChange) -> u64 {
        let stages = ROUND.len() as u64;
        let (rounds, stage) = (self.changes / stages, self.changes % stages);
        let of_kind = |part: &[CatalogueChange]| part.iter().filter(|&&change| change == kind).count() as u64;
        rounds * of_kind(&ROUND) + of_kind(&ROUND[..stage as usize])
    }

    /// Whether a change that takes turns with its opposite is in force.
    fn is_on(&self, kind: CatalogueChange) -> bool {
        self.times(kind) % 2 == 1
    }
}

/// Smallest capacity of a zone from which all steps can be taken.
pub(crate) const LEAST_CAPACITY: u32 = 30;

/// Price added by a change: five such steps up, then back.
const PRICE_STEP_CENTS: u32 = 100;

/// Tickets sold by a change: seven such steps down, then back.
const CAPACITY_STEP: u32 = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum CatalogueChange {
    Price,
    Capacity,
    Start,
    SoldOut,
    Title,
    Presence,
}

/// One round of a life. A change other than of price and capacity is in force from its
/// first to its second mention. No capacity changes while sold out, since that would not
/// show, and the base event comes back with the last change of the round.
#[rustfmt::skip] // pairs stand on one line
const ROUND: [CatalogueChange; 22] = {
    use CatalogueChange::{Capacity, Presence, Price, SoldOut, Start, Title};
    [
        Price, Capacity,
        Start, Price, Capacity, Start,
        Price, Capacity,
        SoldOut, Price, SoldOut,
        Capacity, Price, Capacity, Price,
        Title, Price, Title,
        Capacity, Price,
        Presence, Presence,
    ]
};

/// What a churn of 100 % counts per poll: the finest churn is a millionth of the base events.
const CERTAIN: u64 = 1_000_000;

/// Changes made by the end of `poll`: the whole steps of a climb of `churn` percent per poll
/// that began at `phase`. Phases are spread evenly, so each poll that percentage of the base
/// events takes a step.
fn changes_until(poll: u64, churn: f64, phase: u64) -> u64 {
    let per_poll = (churn.clamp(0.0, 100.0) / 100.0 * CERTAIN as f64).round() as u128;
    let climbed = u128::from(poll) * per_poll + u128::from(phase);
    (climbed / u128::from(CERTAIN)) as u64 // at most one a poll
}

fn step(times: u64, steps: u64) -> u32 {
    (times % steps) as u32
}
