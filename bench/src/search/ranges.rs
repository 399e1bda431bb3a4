//! Ranges of dates to ask for: a fixed set that is asked again and again, and ones that nobody asked before.

use std::sync::atomic::{AtomicU64, Ordering};

use entity::UtcInstant;

use super::catalogue::{DAYS, FIRST_MICROS};

const SECOND_MICROS: i64 = 1_000_000;
const DAY_SECONDS: u64 = 24 * 60 * 60;
/// The width of every range: at any place it holds far more events than are answered.
const WIDTH_SECONDS: u64 = 30 * DAY_SECONDS;
/// Where ranges may begin, in seconds after the first event.
const STARTS: u64 = (DAYS - 31) * DAY_SECONDS;
/// From one new range to the next: a prime, which shares no factor with [`STARTS`], so that none comes twice, and leads far away.
const STEP: u64 = 7_654_337;

/// The ranges of one run: none that is new is given out twice.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    given: AtomicU64,
}

impl Ranges {
    /// New ranges, as bounds in microseconds.
    pub(super) fn new_bounds(&self, count: u64) -> Vec<(i64, i64)> {
        let first = self.given.fetch_add(count, Ordering::Relaxed);
        (first..first + count).map(|number| bounds(number * STEP % STARTS)).collect()
    }

    /// The same as paths.
    pub(super) fn new_paths(&self, count: u64, rows: u64) -> Vec<String> {
        self.new_bounds(count).into_iter().map(|bounds| path(bounds, rows)).collect()
    }
}

/// The bounds of a range that begins so many seconds after the first event.
fn bounds(start: u64) -> (i64, i64) {
    let at = |seconds: u64| FIRST_MICROS + i64::try_from(seconds).unwrap_or(0) * SECOND_MICROS;
    (at(start), at(start + WIDTH_SECONDS))
}

/// `GET` this for the first rows of a range.
pub(super) fn path((from, until): (i64, i64), rows: u64) -> String {
    format!("/search?starts_at={}&ends_at={}&limit={rows}", text(from), text(until))
}

/// RFC 3339, to the second.
pub(super) fn text(micros: i64) -> String {
    UtcInstant(micros).to_utc().map(|instant| instant.format("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_new_range_is_given_out_twice() {
        let ranges = Ranges::default();
        let paths: BTreeSet<String> = ranges.new_paths(60_000, 20).into_iter().chain(ranges.new_paths(60_000, 20)).collect();
        assert_eq!(paths.len(), 120_000);
        let (mut one, mut other) = (STARTS, STEP);
        while other > 0 {
            (one, other) = (other, one % other);
        }
        assert_eq!(one, 1, "a common factor brings ranges back early");
    }
}
