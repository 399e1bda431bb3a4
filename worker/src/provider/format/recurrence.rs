//! Which dates of an event that repeats are imported: those around the month in which its document is read.

use chrono::{Datelike, Days, NaiveDate};
use entity::UtcInstant;

/// Dates of one event: a daily show until the horizon, and most of the year before.
pub(super) const MAX_DATES: usize = 1_000;
/// How far ahead of the month, or of a later first date, dates are imported, and how far back they are searched: two years.
const HORIZON: Days = Days::new(731);

/// The month in UTC in which a document is read. It determines the dates of events that repeat, so that a document results in the same
/// events throughout a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMonth(NaiveDate);

impl ReadMonth {
    /// The month of an instant.
    #[must_use]
    pub fn of(instant: UtcInstant) -> Self {
        let day = instant.to_utc().map_or(NaiveDate::MAX, |instant| instant.date_naive());
        Self(day.with_day(1).unwrap_or(day))
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        self.0
    }

    /// The first day of which dates are searched.
    pub(super) fn earliest(self) -> NaiveDate {
        self.0.checked_sub_days(HORIZON).unwrap_or(NaiveDate::MIN)
    }

    /// The last day of which dates are imported, of an event that begins on this day.
    pub(super) fn latest(self, first: NaiveDate) -> NaiveDate {
        self.0.max(first).checked_add_days(HORIZON).unwrap_or(NaiveDate::MAX)
    }

    /// Drops dates, which are ordered, until there are not too many: first the oldest before the month, and then the last. Returns whether any
    /// were dropped.
    pub(super) fn limit<T>(self, dates: &mut Vec<T>, day_of: impl Fn(&T) -> NaiveDate) -> bool {
        let excess = dates.len().saturating_sub(MAX_DATES);
        let past = dates.partition_point(|date| day_of(date) < self.0);
        dates.drain(..past.min(excess));
        dates.truncate(MAX_DATES);
        excess > 0
    }
}

/// The warning about an event of which only these dates are imported.
pub(super) fn describe_limit(property: &str, first: NaiveDate, last: NaiveDate) -> String {
    format!("`{property}` has more dates than are imported, which are those from `{first}` to `{last}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_past_dates_are_dropped_before_the_last() {
        let month = ReadMonth::of(UtcInstant::from("2026-11-27T12:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap()));
        assert_eq!(month.first_day(), NaiveDate::from_ymd_opt(2026, 11, 1).unwrap());
        let day = |days: i64| month.first_day() + chrono::TimeDelta::days(days);
        for (dates, expected) in [(-300..500, -300..500), (-900..500, -500..500), (-10..2_000, 0..1_000), (5..3_000, 5..1_005)] {
            let mut limited: Vec<i64> = dates.clone().collect();
            let was_limited = month.limit(&mut limited, |days| day(*days));
            assert_eq!((limited, was_limited), (expected.clone().collect(), expected != dates), "{dates:?}");
        }
    }
}
