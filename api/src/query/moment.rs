//! Moments in requests and answers.

use std::{
    borrow::Cow,
    ops::{Range, RangeInclusive},
};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use entity::UtcInstant;

/// The years that RFC 3339 can write: an offset must not lead out of them, for links write their instants in UTC.
const YEARS: RangeInclusive<i32> = 0..=9999;

/// Which end of a range a moment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Its start: a bare date is the first instant of the day.
    Start,
    /// Its end: a bare date is the last instant of the day.
    End,
}

/// Reads an RFC 3339 date and time, UTC if it has no offset, or a bare date.
///
/// A `+` that was not escaped in a query arrives as a space; where an offset must be it is taken for what it was meant to be.
///
/// # Errors
///
/// What is wrong and what would be right, in a sentence.
pub fn parse_moment(text: &str, edge: Edge) -> Result<UtcInstant, String> {
    let malformed =
        || "want RFC 3339 such as 2021-02-01T00:00:00Z or 2021-02-01T00:00:00+01:00, or a date such as 2021-02-01".to_owned();
    let is_dated = text.is_char_boundary(10) && matches_shape(&text[..text.len().min(10)], "0000-00-00");
    if !is_dated {
        return Err(malformed());
    }
    let (date, time) = text.split_at(10);
    let date = day(date).ok_or_else(|| format!("there is no such day as {date}"))?;
    if time.is_empty() {
        return Ok(edge_of_day(date, edge));
    }
    let mended = mend_offset(text);
    let instant = match DateTime::parse_from_rfc3339(&mended) {
        Ok(instant) => instant.to_utc(),
        Err(_) => match NaiveDateTime::parse_from_str(&mended, "%Y-%m-%dT%H:%M:%S%.f") {
            Ok(local) if time.len() >= "T00:00:00".len() => local.and_utc(),
            _ => return Err(malformed()),
        },
    };
    if !YEARS.contains(&instant.year()) {
        return Err("in UTC this lies outside the years 0000 to 9999".to_owned());
    }
    Ok(rounded_inwards(instant, edge))
}

/// An instant in an answer: RFC 3339 in UTC.
#[must_use]
pub fn to_rfc3339(instant: UtcInstant) -> String {
    instant.to_utc().map(|instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
}

fn edge_of_day(date: NaiveDate, edge: Edge) -> UtcInstant {
    let UtcInstant(first) = date.and_time(NaiveTime::MIN).and_utc().into();
    match edge {
        Edge::Start => UtcInstant(first),
        Edge::End => UtcInstant(first + TimeDelta::days(1).num_microseconds().unwrap_or(0) - 1),
    }
}

/// Instants are kept to the microsecond. A finer start is rounded up and a finer end down, so that the range never grows.
fn rounded_inwards(instant: DateTime<Utc>, edge: Edge) -> UtcInstant {
    let floor = UtcInstant::from(instant);
    let is_finer = !instant.timestamp_subsec_nanos().is_multiple_of(1_000);
    if is_finer && edge == Edge::Start { UtcInstant(floor.0 + 1) } else { floor }
}

/// A day in the shape `0000-00-00`.
fn day(text: &str) -> Option<NaiveDate> {
    let part = |digits: Range<usize>| text.get(digits)?.parse::<u32>().ok();
    NaiveDate::from_ymd_opt(i32::try_from(part(0..4)?).ok()?, part(5..7)?, part(8..10)?)
}

fn mend_offset(text: &str) -> Cow<'_, str> {
    match text.rsplit_once(' ') {
        Some((before, offset)) if before.len() > 10 && matches_shape(offset, "00:00") => format!("{before}+{offset}").into(),
        _ => text.into(),
    }
}

/// Whether a text has a digit wherever the shape has a 0, and the shape's own character elsewhere.
fn matches_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, wanted)| if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, edge: Edge) -> String {
        parse_moment(text, edge).map_or_else(|error| format!("error: {error}"), to_rfc3339)
    }

    #[test]
    fn offsets_are_optional_and_may_have_lost_their_plus() {
        for (text, instant) in [
            ("2021-02-01T00:00:00Z", "2021-02-01T00:00:00Z"),
            ("2021-02-01t00:00:00z", "2021-02-01T00:00:00Z"),
            ("2021-02-01T00:00:00", "2021-02-01T00:00:00Z"),
            ("2021-02-01T00:00:00.25", "2021-02-01T00:00:00.250Z"),
            ("2021-02-01T00:00:00+01:00", "2021-01-31T23:00:00Z"),
            ("2021-02-01T00:00:00 01:00", "2021-01-31T23:00:00Z"),
            ("2021-02-01T00:00:00-03:30", "2021-02-01T03:30:00Z"),
        ] {
            assert_eq!(read(text, Edge::Start), instant, "{text}");
            assert_eq!(read(text, Edge::End), instant, "{text}");
        }
    }

    #[test]
    fn a_bare_date_is_the_whole_day() {
        assert_eq!(read("2021-02-28", Edge::Start), "2021-02-28T00:00:00Z");
        assert_eq!(read("2021-02-28", Edge::End), "2021-02-28T23:59:59.999999Z");
    }

    #[test]
    fn a_range_finer_than_a_microsecond_never_grows() {
        assert_eq!(read("2021-02-01T00:00:00.0000005Z", Edge::Start), "2021-02-01T00:00:00.000001Z");
        assert_eq!(read("2021-02-01T00:00:00.0000005Z", Edge::End), "2021-02-01T00:00:00Z");
    }

    #[test]
    fn a_day_that_does_not_exist_is_named() {
        assert_eq!(read("2021-09-31T00:00:00Z", Edge::Start), "error: there is no such day as 2021-09-31");
    }

    #[test]
    fn garbage_is_refused_with_what_would_be_right() {
        for text in [
            "",
            "soon",
            "2021",
            "2021-02",
            "20210201",
            "2021-02-01T",
            "2021-02-01T00",
            "2021-02-01T00:00",
            "2021-02-01T25:00:00Z",
            "2021-02-01T00:00:00+1",
            "2021-02-01T00:00:00Zjunk",
            "2021-02-01 ",
            "+021-02-01",
            "2021-02-0é",
            "1612137600",
        ] {
            assert!(read(text, Edge::Start).starts_with("error: "), "{text} was read as {}", read(text, Edge::Start));
        }
    }
}
