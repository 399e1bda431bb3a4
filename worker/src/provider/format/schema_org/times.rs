//! Dates and times of JSON-LD: ISO 8601 in the zone of the venue.

use chrono::{Duration, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

use super::node::JsonLdNode;
use crate::provider::{
    format::values::ItemErrors,
    local_time::{DayEdge, LocalTime, means_none},
    quote::quote,
};

/// Reads times at a venue.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeReader {
    pub(super) zone: Tz,
}

/// A duration such as `P1DT2H30M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IsoDuration {
    pub(super) days: i64,
    pub(super) seconds: i64,
}

impl TimeReader {
    pub(super) fn parse(self, text: &str, edge: DayEdge) -> Result<LocalTime, String> {
        LocalTime::parse(text, self.zone, edge)
    }

    /// A time that an event may lack. An unreadable one is a warning.
    pub(super) fn read_optional(
        self,
        node: JsonLdNode<'_>,
        property: &str,
        edge: DayEdge,
        errors: &mut ItemErrors,
    ) -> Option<LocalTime> {
        if node.text(property).is_some_and(means_none) {
            return None;
        }
        errors.tolerate(node.optional(property, |text| self.parse(text, edge)))
    }

    /// The end of an event: its `endDate`, or its start and its `duration`, or else that of a day without a time.
    pub(super) fn read_end(self, event: JsonLdNode<'_>, start: &LocalTime, errors: &mut ItemErrors) -> Option<LocalTime> {
        self.read_written_end(event, start, errors).or_else(|| start.end_of_day(self.zone))
    }

    fn read_written_end(self, event: JsonLdNode<'_>, start: &LocalTime, errors: &mut ItemErrors) -> Option<LocalTime> {
        let mut end = match self.read_optional(event, "endDate", DayEdge::End, errors) {
            Some(end) => end,
            None => {
                let duration = errors.tolerate(event.optional("duration", IsoDuration::parse))?;
                errors.tolerate(self.add(start, duration).map(Some))?
            }
        };
        match LocalTime::check_order(start, &mut end) {
            Ok(()) => Some(end),
            Err(error) => {
                errors.warn(format!("{error}; the end is ignored"));
                None
            }
        }
    }

    /// The time after a duration: days on the clock of the venue, and the rest in real time. A bare date lasts for whole days.
    pub(super) fn add(self, start: &LocalTime, duration: IsoDuration) -> Result<LocalTime, String> {
        let too_long = || format!("`duration` must end before the year 10000, got {} days", duration.days);
        let after = |days: i64| Duration::try_days(days).ok_or_else(too_long);
        if let Ok(date) = start.wall_clock.parse::<NaiveDate>() {
            let days = if duration.seconds == 0 { duration.days.saturating_sub(1).max(0) } else { duration.days };
            let last = date.checked_add_signed(after(days)?).ok_or_else(too_long)?;
            return self.parse(&last.to_string(), DayEdge::End);
        }
        let clock: NaiveDateTime = start.wall_clock.parse().map_err(|_| too_long())?;
        let clock = clock.checked_add_signed(after(duration.days)?).ok_or_else(too_long)?;
        let day = self.parse(&clock.format("%Y-%m-%dT%H:%M:%S%.f").to_string(), DayEdge::Start)?;
        let instant = if duration.days == 0 { start.instant } else { day.instant };
        let end = instant.to_utc().and_then(|instant| instant.checked_add_signed(Duration::try_seconds(duration.seconds)?));
        self.parse(&end.ok_or_else(too_long)?.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string(), DayEdge::End)
    }
}

impl IsoDuration {
    /// Parses weeks, days, hours, minutes and seconds. Months and years have no fixed length.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let error = || format!("must be a duration such as PT2H30M, got {}", quote(text));
        let (date, time) = match text.strip_prefix('P').ok_or_else(error)?.split_once('T') {
            Some((date, time)) if !time.is_empty() => (date, time),
            Some(_) => return Err(error()),
            None => (text.strip_prefix('P').unwrap_or_default(), ""),
        };
        let days = sum_units(date, &[('W', 7), ('D', 1)]).ok_or_else(error)?;
        let seconds = sum_units(time, &[('H', 3600), ('M', 60), ('S', 1)]).ok_or_else(error)?;
        if text == "P" { Err(error()) } else { Ok(Self { days, seconds }) }
    }
}

/// The sum of numbers with their units, in this order.
fn sum_units(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut sum = 0_i64;
    for (unit, factor) in units {
        if let Some((number, rest)) = text.split_once(*unit) {
            // Fractions of a second are irrelevant for an event.
            let whole = if *unit == 'S' { number.split('.').next()? } else { number };
            let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
            let number: i64 = whole.parse().ok().filter(|_| is_number)?;
            sum = sum.checked_add(number.checked_mul(*factor)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_durations() {
        for (text, days, seconds) in [
            ("PT2H", 0, 7200),
            ("PT90M", 0, 5400),
            ("P1DT2H30M", 1, 9000),
            ("P2W", 14, 0),
            ("PT1H0M5.5S", 0, 3605),
            ("P0D", 0, 0),
        ] {
            assert_eq!(IsoDuration::parse(text), Ok(IsoDuration { days, seconds }), "{text}");
        }
        for text in ["", "P", "PT", "2H", "P1M", "P1Y", "PT2", "PT-2H", "PT2M1H", "P99999999999999999999D", "PT1.5H"] {
            assert!(IsoDuration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn adds_days_on_the_clock_and_hours_in_real_time() {
        let times = TimeReader { zone: Tz::Europe__Madrid };
        for (start, duration, end) in [
            ("2027-06-01T20:00:00", "PT2H", "2027-06-01T22:00:00"),
            ("2027-06-01T23:00:00", "PT2H", "2027-06-02T01:00:00"),
            // The clocks change in this night.
            ("2027-03-27T20:00:00", "P1D", "2027-03-28T20:00:00"),
            ("2027-03-28T01:00:00", "PT2H", "2027-03-28T04:00:00"),
            ("2027-06-01", "P3D", "2027-06-03"),
            ("2027-06-01", "PT2H", "2027-06-01"),
        ] {
            let start = times.parse(start, DayEdge::Start).expect("a date");
            let duration = IsoDuration::parse(duration).expect("a duration");
            assert_eq!(times.add(&start, duration).expect("an end").wall_clock, end);
        }
        let start = times.parse("2027-06-01", DayEdge::Start).expect("a date");
        assert!(times.add(&start, IsoDuration { days: i64::MAX, seconds: i64::MAX }).is_err());
    }
}
