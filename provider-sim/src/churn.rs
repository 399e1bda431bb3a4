//! The changes of a base event from poll to poll.
//!
//! A base event cycles through small changes, at most one per poll. The number of changes until a poll is a formula, so that
//! any poll is computed directly, without the polls before it.

use chrono::TimeDelta;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::model::{SimBaseEvent, SimEvent, SimStatus};

/// The changes of one base event until one poll.
pub(crate) struct Life {
    /// Changes since the start of the cycle, which may be before poll 0.
    changes: u64,
    /// The index of the event that changes, modulo the number of events.
    focus: usize,
}

impl Life {
    /// `churn` is the percentage of base events that change per poll.
    pub(crate) fn at(poll: u64, churn: f64, random: &mut ChaCha8Rng) -> Self {
        // Not the last stage, in which the base event is removed: at poll 0 all are present.
        let first_stage = random.random_range(0..CYCLE.len() as u64 - 1);
        let phase = random.random_range(0..CERTAIN);
        let focus = random.random_range(0..4);
        Self { changes: first_stage + count_changes(poll, churn, phase), focus }
    }

    /// Whether it is currently removed from the feed.
    pub(crate) fn is_removed(&self) -> bool {
        self.is_on(CatalogueChange::Presence)
    }

    /// Applies the changes to a base event as it was generated.
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
            if event.status == Some(SimStatus::Scheduled) {
                event.status = Some(SimStatus::Rescheduled);
            }
        }
        if let Some(zone) = event.zones.first_mut() {
            zone.price_cents += PRICE_STEP_CENTS * step(self.count(CatalogueChange::Price), 5);
            zone.capacity -= CAPACITY_STEP * step(self.count(CatalogueChange::Capacity), 7);
        }
        event.sold_out = self.is_on(CatalogueChange::SoldOut);
    }

    /// The number of changes of a kind.
    fn count(&self, kind: CatalogueChange) -> u64 {
        let stages = CYCLE.len() as u64;
        let (rounds, stage) = (self.changes / stages, self.changes % stages);
        let of_kind = |part: &[CatalogueChange]| part.iter().filter(|&&change| change == kind).count() as u64;
        rounds * of_kind(&CYCLE) + of_kind(&CYCLE[..stage as usize])
    }

    /// Whether a change that alternates with its reversal is in effect.
    fn is_on(&self, kind: CatalogueChange) -> bool {
        self.count(kind) % 2 == 1
    }
}

/// The least capacity from which all capacity changes can be subtracted.
pub(crate) const MIN_CAPACITY: u32 = 30;

/// A price change adds this up to four times, and then returns to the first price.
const PRICE_STEP_CENTS: u32 = 100;

/// A capacity change subtracts this up to six times, and then returns to the first capacity.
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

/// The cycle of changes. Changes other than of price and capacity are in effect between their two occurrences. Capacity does
/// not change while sold out, because the change would be invisible.
#[rustfmt::skip] // pairs on one line
const CYCLE: [CatalogueChange; 22] = {
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

/// A churn of 100 % in units of the resolution, a millionth of the base events.
const CERTAIN: u64 = 1_000_000;

/// The number of changes until `poll`: the integer part of `phase` plus `churn` per poll. Phases are distributed evenly, so
/// that at each poll this percentage of base events changes.
fn count_changes(poll: u64, churn: f64, phase: u64) -> u64 {
    let per_poll = (churn.clamp(0.0, 100.0) / 100.0 * CERTAIN as f64).round() as u128;
    let total = u128::from(poll) * per_poll + u128::from(phase);
    (total / u128::from(CERTAIN)) as u64 // at most one per poll
}

fn step(count: u64, steps: u64) -> u32 {
    (count % steps) as u32
}
