//! Instants in requests and responses.

use std::{borrow::Cow, ops::RangeInclusive};

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use entity::{DayError, UtcInstant, parse_day};

/// The years that RFC 3339 can express: an offset must not lead out of them, because links express instants in UTC.
const YEARS: RangeInclusive<i32> = 0..=9999;

/// Which bound of a range a moment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The lower bound: a date means the first instant of the day.
    Start,
    /// The upper bound: a date means the last instant of the day.
    End,
}

/// A parsed moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A date and time with an offset.
    Instant(DateTime<Utc>),
    /// A date and time without an offset.
    Local(NaiveDateTime),
    /// A date.
    Date(NaiveDate),
}

/// Parses an RFC 3339 date and time, in UTC if it has no offset, or a date. The seconds may be omitted, as HTML forms do
/// ([`datetime-local`](https://html.spec.whatwg.org/#local-date-and-time-state-(type=datetime-local))).
///
/// An unescaped `+` in a query string arrives as a space; in the place of an offset's sign, it is read as `+`.
///
/// # Errors
///
/// With the requirement that the text does not meet.
pub fn parse_moment(text: &str, edge: Edge) -> Result<UtcInstant, String> {
    Moment::parse(text)?.resolve(Tz::UTC, edge)
}

impl Moment {
    /// Parses a moment, as [`parse_moment`].
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (date, time) = text.split_at_checked(10).ok_or_else(malformed)?;
        let date = match parse_day(date) {
            Ok(date) => date,
            Err(DayError::NotInCalendar) => return Err(DayError::NotInCalendar.to_string()),
            Err(DayError::Malformed) => return Err(malformed()),
        };
        if time.is_empty() {
            return Ok(Self::Date(date));
        }
        let restored = add_seconds(restore_plus(text));
        if let Ok(instant) = DateTime::parse_from_rfc3339(&restored) {
            return Ok(Self::Instant(instant.to_utc()));
        }
        match NaiveDateTime::parse_from_str(&restored, "%Y-%m-%dT%H:%M:%S%.f") {
            Ok(local) if restored.len() >= "2021-02-01T00:00:00".len() => Ok(Self::Local(local)),
            _ => Err(malformed()),
        }
    }

    /// The instant, in a time zone if the moment has no offset.
    pub(crate) fn resolve(self, zone: Tz, edge: Edge) -> Result<UtcInstant, String> {
        let instant = match self {
            Self::Instant(instant) => round_inwards(instant, edge),
            Self::Local(local) => round_inwards(to_instant(local, zone, edge), edge),
            Self::Date(date) => edge_of_day(date, zone, edge),
        };
        let is_in_range = instant.to_utc().is_some_and(|instant| YEARS.contains(&instant.year()));
        is_in_range.then_some(instant).ok_or_else(|| "must be within the years 0000 to 9999 in UTC".to_owned())
    }
}

fn malformed() -> String {
    "must be RFC 3339 such as 2021-02-01T00:00:00Z or 2021-02-01T00:00:00+01:00, or a date such as 2021-02-01".to_owned()
}

fn edge_of_day(date: NaiveDate, zone: Tz, edge: Edge) -> UtcInstant {
    let first_of = |date: NaiveDate| UtcInstant::from(to_instant(date.and_time(NaiveTime::MIN), zone, Edge::Start));
    match edge {
        Edge::Start => first_of(date),
        Edge::End => UtcInstant(first_of(date + Days::new(1)).0 - 1),
    }
}

/// The instant of a wall clock. If clocks are set back, it occurs twice, and the range includes both; if they are set forward, it does not
/// occur, and stands for the moment at which they are.
fn to_instant(local: NaiveDateTime, zone: Tz, edge: Edge) -> DateTime<Utc> {
    let found = zone.from_local_datetime(&local);
    let found = if edge == Edge::Start { found.earliest() } else { found.latest() };
    found.map_or_else(|| end_of_gap(local, zone), |instant| instant.to_utc())
}

/// The first instant after a wall clock that does not occur. No zone skips more than a day.
fn end_of_gap(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let minutes = (1..=24 * 60).map(|minutes| local.with_second(0).unwrap_or(local) + TimeDelta::minutes(minutes));
    let first = minutes.filter_map(|local| zone.from_local_datetime(&local).earliest()).next();
    first.map_or_else(|| local.and_utc(), |instant| instant.to_utc())
}

/// Rounds to microseconds: a start up and an end down, so that the range never grows.
fn round_inwards(instant: DateTime<Utc>, edge: Edge) -> UtcInstant {
    let floor = UtcInstant::from(instant);
    let is_finer = !instant.timestamp_subsec_nanos().is_multiple_of(1_000);
    if is_finer && edge == Edge::Start { UtcInstant(floor.0 + 1) } else { floor }
}

/// Adds the seconds to a time such as `20:00` or `20:00+01:00`.
fn add_seconds(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.split_at_checked("2021-02-01T00:00".len()) {
        Some((minutes, offset)) if offset.is_empty() || offset.starts_with(['Z', 'z', '+', '-']) => {
            format!("{minutes}:00{offset}").into()
        }
        _ => text,
    }
}

fn restore_plus(text: &str) -> Cow<'_, str> {
    let is_offset = |text: &str| matches!(text.as_bytes(), [b'0'..=b'9', b'0'..=b'9', b':', b'0'..=b'9', b'0'..=b'9']);
    match text.rsplit_once(' ') {
        Some((before, offset)) if before.len() > 10 && is_offset(offset) => format!("{before}+{offset}").into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::to_rfc3339;

    fn parse(text: &str, edge: Edge) -> String {
        parse_moment(text, edge).map_or_else(|error| format!("error: {error}"), to_rfc3339)
    }

    #[test]
    fn offsets_are_optional_and_an_unescaped_plus_is_restored() {
        for (text, instant) in [
            ("2021-02-01T00:00:00Z", "2021-02-01T00:00:00Z"),
            ("2021-02-01t00:00:00z", "2021-02-01T00:00:00Z"),
            ("2021-02-01T00:00:00", "2021-02-01T00:00:00Z"),
            ("2021-02-01T00:00:00.25", "2021-02-01T00:00:00.250Z"),
            ("2021-02-01T00:00:00+01:00", "2021-01-31T23:00:00Z"),
            ("2021-02-01T00:00:00 01:00", "2021-01-31T23:00:00Z"),
            ("2021-02-01T00:00:00-03:30", "2021-02-01T03:30:00Z"),
            ("2021-02-01T20:00", "2021-02-01T20:00:00Z"),
            ("2021-02-01T20:00Z", "2021-02-01T20:00:00Z"),
            ("2021-02-01T20:00 01:00", "2021-02-01T19:00:00Z"),
        ] {
            assert_eq!(parse(text, Edge::Start), instant, "{text}");
            assert_eq!(parse(text, Edge::End), instant, "{text}");
        }
    }

    #[test]
    fn a_date_is_the_whole_day() {
        assert_eq!(parse("2021-02-28", Edge::Start), "2021-02-28T00:00:00Z");
        assert_eq!(parse("2021-02-28", Edge::End), "2021-02-28T23:59:59.999999Z");
    }

    #[test]
    fn rounding_to_microseconds_never_extends_the_range() {
        assert_eq!(parse("2021-02-01T00:00:00.0000005Z", Edge::Start), "2021-02-01T00:00:00.000001Z");
        assert_eq!(parse("2021-02-01T00:00:00.0000005Z", Edge::End), "2021-02-01T00:00:00Z");
    }

    #[test]
    fn rejects_a_date_that_does_not_exist() {
        assert_eq!(parse("2021-09-31T00:00:00Z", Edge::Start), "error: must be an existing date");
    }

    #[test]
    fn rejects_malformed_text() {
        for text in [
            "",
            "soon",
            "2021",
            "2021-02",
            "20210201",
            "2021-02-01T",
            "2021-02-01T00",
            "2021-02-01T0:00",
            "2021-02-01T00:0",
            "2021-02-01T00:00.5",
            "2021-02-01T25:00:00Z",
            "2021-02-01T00:00:00+1",
            "2021-02-01T00:00:00Zjunk",
            "2021-02-01 ",
            "+021-02-01",
            "2021-02-0é",
            "1612137600",
        ] {
            assert!(parse(text, Edge::Start).starts_with("error: "), "{text} was parsed as {}", parse(text, Edge::Start));
        }
    }
}
