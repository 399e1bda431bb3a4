//! Dates and times of a feed: stored as the provider wrote them, and converted to instants in its time zone.

use chrono::{DateTime, Datelike, Days, Duration, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use entity::{DayError, UtcInstant};

use super::quote::quote;

/// A wall-clock time of the provider and its instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// `2021-06-30T21:00:00`, `2021-06-30T21:00:00.250` or, without a time, `2021-06-30`.
    pub wall_clock: String,
    /// The instant; of a bare date the requested edge of its day.
    pub instant: UtcInstant,
}

/// The instant that a bare date represents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayEdge {
    /// The first instant of the day.
    Start,
    /// The last microsecond of the day.
    End,
}

impl LocalTime {
    /// Parses an XML Schema `date` or `dateTime`: `2021-06-30`, or `2021-06-30T21:00:00` with an optional fraction of a second. An
    /// offset (`Z`, `+02:00`) determines the instant; the wall clock is stored without it.
    ///
    /// A time that the zone's clocks skip in spring is read with the offset before the change. A time that occurs twice in autumn
    /// is the first of the two.
    ///
    /// # Errors
    ///
    /// Continues a sentence that starts with the name of the field. The text has another form, or the day or time does not exist.
    pub fn parse(text: &str, zone: Tz, edge: DayEdge) -> Result<Self, String> {
        if let Some(local) = parse_common_form(text) {
            return Ok(Self { wall_clock: text.to_owned(), instant: check_year(to_instant(local, zone).into(), text)? });
        }
        let (date_text, time_text) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let date = parse_date(date_text, text)?;
        let Some(time_text) = time_text else {
            let instant = check_year(find_day_edge(date, edge, zone), text)?;
            return Ok(Self { wall_clock: date_text.to_owned(), instant });
        };
        let (clock_text, offset) = split_offset(time_text).ok_or_else(|| describe_form(text))?;
        let local = date.and_time(parse_clock(clock_text, text)?);
        let instant = match offset {
            Some(offset) => (local - offset).and_utc(),
            None => to_instant(local, zone),
        };
        Ok(Self { wall_clock: format!("{date_text}T{clock_text}"), instant: check_year(instant.into(), text)? })
    }

    /// Checks that an event does not end before it starts.
    ///
    /// # Errors
    ///
    /// A sentence with both times.
    pub fn check_order(start: &Self, end: &Self) -> Result<(), String> {
        if end.instant < start.instant {
            Err(format!("the end `{}` is before the start `{}`", end.wall_clock, start.wall_clock))
        } else {
            Ok(())
        }
    }
}

/// Parses exactly `2021-06-30T21:00:00`, the form of nearly all dates; a feed holds hundreds of thousands. `None` leaves the text to
/// the complete parser, which also reports errors.
fn parse_common_form(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.as_bytes().split_at_checked(10)?;
    let &[b'T', h1, h2, b':', m1, m2, b':', s1, s2] = time else { return None };
    let pair = |tens: u8, ones: u8| {
        let are_digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        are_digits.then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
    };
    entity::parse_day(date).ok()?.and_hms_opt(pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?)
}

/// Responses contain instants in UTC as RFC 3339, which has the years 0000 to 9999. An offset may leave that range.
fn check_year(instant: UtcInstant, whole: &str) -> Result<UtcInstant, String> {
    match instant.to_utc().map(|instant| instant.year()) {
        Some(0..=9999) => Ok(instant),
        _ => Err(format!("must be within the years 0000 to 9999 in UTC, got {}", quote(whole))),
    }
}

fn describe_form(whole: &str) -> String {
    format!("must be a date such as 2021-06-30T21:00:00, got {}", quote(whole))
}

fn parse_date(date: &str, whole: &str) -> Result<NaiveDate, String> {
    entity::parse_day(date).map_err(|error| match error {
        DayError::Malformed => describe_form(whole),
        DayError::NotInCalendar => format!("{error}, got {}", quote(whole)),
    })
}

fn parse_clock(clock: &str, whole: &str) -> Result<NaiveTime, String> {
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(clock, fraction)| (clock, Some(fraction)));
    let [hour, minute, second] = parse_numbers(clock, [2, 2, 2], b':').ok_or_else(|| describe_form(whole))?;
    let nanosecond = match fraction {
        None => 0,
        Some(digits) if (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{digits:0<9}").parse::<u32>().map_err(|_| describe_form(whole))?
        }
        Some(_) => return Err(describe_form(whole)),
    };
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanosecond)
        .ok_or_else(|| format!("must have a time from 00:00:00 to 23:59:59, got {}", quote(whole)))
}

/// Splits `21:00:00+02:00` into the clock and its offset from UTC; `None` if the offset is invalid.
fn split_offset(time: &str) -> Option<(&str, Option<Duration>)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, Some(Duration::zero())));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, None));
    };
    let (clock, offset) = time.split_at(at);
    let [hours, minutes] = parse_numbers(&offset[1..], [2, 2], b':')?;
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    // Checks the range: an offset is less than a day.
    FixedOffset::east_opt(seconds)?;
    let offset_length = Duration::seconds(i64::from(seconds));
    Some((clock, Some(if offset.starts_with('-') { -offset_length } else { offset_length })))
}

/// Parses unsigned numbers of exactly these widths, separated by one character.
fn parse_numbers<const COUNT: usize>(text: &str, widths: [usize; COUNT], separator: u8) -> Option<[u32; COUNT]> {
    let mut parts = text.split(char::from(separator));
    let mut numbers = [0; COUNT];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn find_day_edge(date: NaiveDate, edge: DayEdge, zone: Tz) -> UtcInstant {
    match edge {
        DayEdge::Start => to_instant(date.and_time(NaiveTime::MIN), zone).into(),
        DayEdge::End => {
            let next_day = date.checked_add_days(Days::new(1)).unwrap_or(date);
            let UtcInstant(next_day_start) = to_instant(next_day.and_time(NaiveTime::MIN), zone).into();
            UtcInstant(next_day_start - 1)
        }
    }
}

fn to_instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc(),
        LocalResult::None => {
            // No zone ever skipped more than a day (Samoa, 2011), so a day earlier the previous offset was in force.
            let before = zone.from_utc_datetime(&(local - Duration::days(1)));
            let offset = chrono::Offset::fix(before.offset()).local_minus_utc();
            (local - Duration::seconds(i64::from(offset))).and_utc()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADRID: Tz = Tz::Europe__Madrid;

    fn instant(text: &str, zone: Tz, edge: DayEdge) -> String {
        let time = LocalTime::parse(text, zone, edge).unwrap_or_else(|error| panic!("{error}"));
        time.instant.to_utc().expect("in range").to_rfc3339()
    }

    #[test]
    fn converts_a_wall_clock_to_the_instant_in_its_zone() {
        for (local, zone, utc) in [
            ("2021-06-30T21:00:00", MADRID, "2021-06-30T19:00:00+00:00"),
            ("2021-01-30T21:00:00", MADRID, "2021-01-30T20:00:00+00:00"),
            ("2021-06-30T21:00:00.25", Tz::UTC, "2021-06-30T21:00:00.250+00:00"),
            ("2021-06-30T21:00:00Z", MADRID, "2021-06-30T21:00:00+00:00"),
            ("2021-06-30T21:00:00-03:30", MADRID, "2021-07-01T00:30:00+00:00"),
            ("2024-02-29T00:00:00", Tz::UTC, "2024-02-29T00:00:00+00:00"),
        ] {
            assert_eq!(instant(local, zone, DayEdge::Start), utc, "{local}");
        }
    }

    #[test]
    fn converts_a_bare_date_to_the_edge_of_its_day() {
        assert_eq!(instant("2021-06-30", MADRID, DayEdge::Start), "2021-06-29T22:00:00+00:00");
        assert_eq!(instant("2021-06-30", MADRID, DayEdge::End), "2021-06-30T21:59:59.999999+00:00");
    }

    #[test]
    fn reads_a_skipped_hour_with_the_offset_before_the_change() {
        assert_eq!(instant("2021-03-28T02:30:00", MADRID, DayEdge::Start), "2021-03-28T01:30:00+00:00");
    }

    #[test]
    fn reads_a_repeated_hour_as_the_first_of_the_two() {
        assert_eq!(instant("2021-10-31T02:30:00", MADRID, DayEdge::Start), "2021-10-31T00:30:00+00:00");
    }

    #[test]
    fn reads_a_skipped_day_with_the_offset_before_the_change() {
        assert_eq!(instant("2011-12-30T12:00:00", Tz::Pacific__Apia, DayEdge::Start), "2011-12-30T22:00:00+00:00");
    }

    #[test]
    fn stores_the_wall_clock_as_written_without_the_offset() {
        for (text, wall_clock) in [
            ("2021-06-30T21:00:00.250", "2021-06-30T21:00:00.250"),
            ("2021-06-30T21:00:00+02:00", "2021-06-30T21:00:00"),
            ("2021-06-30", "2021-06-30"),
        ] {
            assert_eq!(LocalTime::parse(text, MADRID, DayEdge::Start).expect("a date").wall_clock, wall_clock);
        }
    }

    #[test]
    fn rejects_invalid_dates() {
        for text in [
            "2021-09-31T20:00:00",
            "2021-02-29",
            "2021-13-01",
            "2021-06-30T24:00:00",
            "2021-06-30T21:00:60",
            "2021-06-30T21:00",
            "2021-06-30 21:00:00",
            "2021-06-30T21:00:00.",
            "2021-06-30T21:00:00.0123456789",
            "2021-06-30T21:00:00+2",
            "2021-06-30T21:00:00+24:00",
            "2021-6-30",
            "+2021-06-30",
            "30/06/2021",
            "soon",
            "",
            "9999-12-31T23:59:59-14:00",
            "0000-01-01T00:00:00+14:00",
        ] {
            assert!(LocalTime::parse(text, MADRID, DayEdge::Start).is_err(), "{text}");
        }
    }
}
