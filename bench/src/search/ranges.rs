//! Date ranges of searches, each of which is generated once.

use std::sync::atomic::{AtomicU64, Ordering};

use entity::UtcInstant;

use super::catalogue::{DAYS, FIRST_MICROS};

const SECOND_MICROS: i64 = 1_000_000;
const DAY_SECONDS: u64 = 24 * 60 * 60;
/// The width of ranges: each contains far more events than a page.
const WIDTH_SECONDS: u64 = 30 * DAY_SECONDS;
/// The number of possible starts, in seconds after the first event.
const STARTS: u64 = (DAYS - 31) * DAY_SECONDS;
/// The step between two ranges: coprime to [`STARTS`], so that no range repeats, and large.
const STEP: u64 = 7_654_337;

/// Generates distinct ranges.
#[derive(Debug, Default)]
pub(super) struct SearchRanges {
    generated: AtomicU64,
}

impl SearchRanges {
    /// New ranges, as bounds in microseconds.
    pub(super) fn new_bounds(&self, count: u64) -> Vec<(i64, i64)> {
        let first = self.generated.fetch_add(count, Ordering::Relaxed);
        (first..first + count).map(|number| bounds(number * STEP % STARTS)).collect()
    }

    /// New ranges, as paths.
    pub(super) fn new_paths(&self, count: u64, rows: u64) -> Vec<String> {
        self.new_bounds(count).into_iter().map(|bounds| path(bounds, rows)).collect()
    }
}

/// The bounds of a range that starts this many seconds after the first event.
fn bounds(start: u64) -> (i64, i64) {
    let at = |seconds: u64| FIRST_MICROS + i64::try_from(seconds).unwrap_or(0) * SECOND_MICROS;
    (at(start), at(start + WIDTH_SECONDS))
}

/// The path of the first page of a range.
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
    fn no_range_repeats() {
        let ranges = SearchRanges::default();
        let paths: BTreeSet<String> = ranges.new_paths(60_000, 20).into_iter().chain(ranges.new_paths(60_000, 20)).collect();
        assert_eq!(paths.len(), 120_000);
        let (mut one, mut other) = (STARTS, STEP);
        while other > 0 {
            (one, other) = (other, one % other);
        }
        assert_eq!(one, 1, "a common factor would repeat ranges");
    }
}
