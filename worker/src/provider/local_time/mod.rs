//! Dates and times of a feed: stored as the clock at the venue shows them, and as instants.

mod syntax;

use chrono::{DateTime, Datelike, Days, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use entity::UtcInstant;

use self::syntax::WrittenTime;
use super::quote::quote;

/// A wall-clock time at the venue and its instant.
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
    /// Parses a date with an optional time, in XML Schema's `date` and `dateTime` and in the usual variants of ISO 8601
    /// ([`syntax`](self)). `zone` is the venue's.
    ///
    /// An offset (`Z`, `+02:00`), or else a zone in brackets, determines the instant, and the wall clock is the venue's at
    /// this instant. A bare date is a day at the venue, even with an offset.
    ///
    /// A time that the zone's clocks skip in spring is read with the offset before the change. A time that occurs twice in autumn
    /// is the first of the two.
    ///
    /// # Errors
    ///
    /// Continues a sentence that starts with the name of the field. The text has another form, the day or time does not exist, or
    /// the date [means that there is none](means_none).
    pub fn parse(text: &str, zone: Tz, edge: DayEdge) -> Result<Self, String> {
        if let Some(local) = parse_common_form(text) {
            return Ok(Self { wall_clock: text.to_owned(), instant: check_year(to_instant(local, zone).into(), text)? });
        }
        let WrittenTime { date, clock, offset, zone: named_zone } = WrittenTime::parse(text)?;
        let Some(clock) = clock else {
            let instant = check_year(find_day_edge(date, edge, zone), text)?;
            return Ok(Self { wall_clock: date.to_string(), instant });
        };
        let local = clock.on(date).ok_or_else(|| describe_years(text))?;
        let instant = match (offset, named_zone) {
            (Some(offset), _) => (local - offset).and_utc(),
            (None, named_zone) => to_instant(local, named_zone.unwrap_or(zone)),
        };
        let is_local = offset.is_none() && named_zone.is_none();
        let local = if is_local { local } else { instant.with_timezone(&zone).naive_local() };
        if !(0..=9999).contains(&local.year()) {
            return Err(describe_years(text));
        }
        let mut wall_clock = local.format("%Y-%m-%dT%H:%M:%S").to_string();
        if !clock.fraction.is_empty() {
            wall_clock = format!("{wall_clock}.{}", clock.fraction);
        }
        Ok(Self { wall_clock, instant: check_year(instant.into(), text)? })
    }

    /// The last instant of the day, if this is a date without a time.
    #[must_use]
    pub fn end_of_day(&self, zone: Tz) -> Option<Self> {
        let date = self.wall_clock.parse().ok()?;
        Some(Self { wall_clock: self.wall_clock.clone(), instant: find_day_edge(date, DayEdge::End, zone) })
    }

    /// Checks that an event does not end before it starts. An end that only precedes the start because clocks changed in between, such
    /// as 03:00 after a start at a skipped 02:30, becomes the instant of the start.
    ///
    /// # Errors
    ///
    /// A sentence with both times.
    pub fn check_order(start: &Self, end: &mut Self) -> Result<(), String> {
        if end.instant < start.instant {
            if end.wall_clock < start.wall_clock {
                return Err(format!("the end `{}` is before the start `{}`", end.wall_clock, start.wall_clock));
            }
            end.instant = start.instant;
        }
        Ok(())
    }
}

/// A date as it is written, before its zone is known.
#[derive(Debug)]
pub(super) enum WrittenDate {
    /// Without a time.
    Day(NaiveDate),
    /// Without an offset and a zone.
    Clock(NaiveDateTime),
    /// With an offset or a zone.
    Instant(DateTime<Utc>),
}

impl WrittenDate {
    /// Parses a date in the forms of [`LocalTime::parse`]. Fractions of seconds are left out.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let WrittenTime { date, clock, offset, zone } = WrittenTime::parse(text)?;
        let Some(clock) = clock else { return Ok(Self::Day(date)) };
        let local = clock.on(date).ok_or_else(|| describe_years(text))?;
        Ok(match (offset, zone) {
            (Some(offset), _) => Self::Instant((local - offset).and_utc()),
            (None, Some(zone)) => Self::Instant(to_instant(local, zone)),
            (None, None) => Self::Clock(local),
        })
    }
}

/// Whether a date is one of those with which systems write that there is none, such as `0001-01-01T00:00:00`.
#[must_use]
pub fn means_none(text: &str) -> bool {
    syntax::means_none(text)
}

/// Parses exactly `2021-06-30T21:00:00`, the form of nearly all dates; a feed holds hundreds of thousands. `None` leaves the text to
/// the complete parser, which also reports errors, and knows the dates of the first years that mean none.
fn parse_common_form(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.as_bytes().split_at_checked(10)?;
    let &[b'T', h1, h2, b':', m1, m2, b':', s1, s2] = time else { return None };
    let pair = |tens: u8, ones: u8| {
        let are_digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        are_digits.then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
    };
    let date = entity::parse_day(date).ok().filter(|date| date.year() > 1)?;
    date.and_hms_opt(pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?)
}

/// Responses contain instants in UTC as RFC 3339, which has the years 0000 to 9999. An offset may leave that range.
fn check_year(instant: UtcInstant, whole: &str) -> Result<UtcInstant, String> {
    match instant.to_utc().map(|instant| instant.year()) {
        Some(0..=9999) => Ok(instant),
        _ => Err(describe_years(whole)),
    }
}

fn describe_years(whole: &str) -> String {
    format!("must be within the years 0000 to 9999, at the venue and in UTC, got {}", quote(whole))
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

/// The instant of a time on the clock of a zone.
pub(super) fn to_instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
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
    fn only_a_bare_date_has_an_end_of_its_day() {
        let end = |text| LocalTime::parse(text, MADRID, DayEdge::Start).expect("a date").end_of_day(MADRID);
        assert_eq!(end("2021-06-30"), LocalTime::parse("2021-06-30", MADRID, DayEdge::End).ok());
        assert_eq!(end("2021-06-30T00:00:00"), None);
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
    fn stores_the_clock_at_the_venue() {
        for (text, wall_clock) in [
            ("2021-06-30T21:00:00.250", "2021-06-30T21:00:00.250"),
            ("2021-06-30T21:00:00.0000000", "2021-06-30T21:00:00"),
            ("2021-06-30T21:00", "2021-06-30T21:00:00"),
            ("2021-06-30 21:00:00", "2021-06-30T21:00:00"),
            ("2021-06-30t19:00:00z", "2021-06-30T21:00:00"),
            ("2021-06-30T22:30:00Z", "2021-07-01T00:30:00"),
            ("2021-12-31T23:30:00.500Z", "2022-01-01T00:30:00.500"),
            ("2021-06-30T21:00:00+02:00", "2021-06-30T21:00:00"),
            ("2021-06-30T15:00-0400", "2021-06-30T21:00:00"),
            ("2021-06-30 19:00:00 +00", "2021-06-30T21:00:00"),
            ("2021-06-30 19:00:00 UTC", "2021-06-30T21:00:00"),
            ("2021-06-30T15:00:00[America/New_York]", "2021-06-30T21:00:00"),
            ("2021-06-30T21:00:00+02:00[America/New_York]", "2021-06-30T21:00:00"),
            ("2021-06-30T24:00:00", "2021-07-01T00:00:00"),
            ("2021-12-31T24:00Z", "2022-01-01T01:00:00"),
            ("2021-06-30", "2021-06-30"),
            ("2021-06-30Z", "2021-06-30"),
            ("2021-06-30-11:00", "2021-06-30"),
            ("2021-06-30[Asia/Tokyo]", "2021-06-30"),
        ] {
            let time = LocalTime::parse(text, MADRID, DayEdge::Start).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(time.wall_clock, wall_clock, "{text}");
            let local = LocalTime::parse(wall_clock, MADRID, DayEdge::Start);
            assert_eq!(local.as_ref(), Ok(&time), "{text}: the wall clock has the same instant");
        }
    }

    #[test]
    fn an_end_is_not_before_its_start() {
        let check = |start: &str, end: &str| {
            let [start, mut end] = [start, end].map(|text| LocalTime::parse(text, MADRID, DayEdge::End).expect("a date"));
            LocalTime::check_order(&start, &mut end)?;
            Ok(end.instant.to_utc().expect("in range").to_rfc3339())
        };
        for (start, end, expected) in [
            ("2021-06-30T21:00:00", "2021-06-30T21:00:00", "2021-06-30T19:00:00+00:00"),
            ("2021-06-30T21:00:00", "2021-06-30", "2021-06-30T21:59:59.999999+00:00"),
            // The clocks skip from 02:00 to 03:00.
            ("2021-03-28T02:30:00", "2021-03-28T03:00:00", "2021-03-28T01:30:00+00:00"),
            ("2021-03-28T02:30:00", "2021-03-28T03:45:00", "2021-03-28T01:45:00+00:00"),
            // They return from 03:00 to 02:00: the start is the second 02:30.
            ("2021-10-31T02:30:00+01:00", "2021-10-31T02:45:00", "2021-10-31T01:30:00+00:00"),
        ] {
            assert_eq!(check(start, end).as_deref(), Ok(expected), "{start} to {end}");
        }
        let error = check("2021-06-30T23:00:00", "2021-06-30T01:00:00Z");
        assert_eq!(error, Err::<String, _>("the end `2021-06-30T03:00:00` is before the start `2021-06-30T23:00:00`".to_owned()));
    }

    #[test]
    fn the_dates_that_mean_none_are_not_dates() {
        for text in
            ["0001-01-01T00:00:00", "0001-01-01", "0001-01-01T00:00:00Z", "0000-00-00 00:00:00", "-0001-11-30T00:00:00+00:00"]
        {
            assert!(means_none(text), "{text}");
            assert!(LocalTime::parse(text, MADRID, DayEdge::Start).is_err(), "{text}");
        }
        assert!(!means_none("2001-01-01T00:00:00"));
    }

    #[test]
    fn rejects_invalid_dates() {
        for text in [
            "2021-09-31T20:00:00",
            "2021-02-29",
            "2021-13-01",
            "2021-06-30T24:00:01",
            "2021-06-30T24:30",
            "2021-06-30T21:00:60",
            "2021-06-30T21",
            "2021-06-30T",
            "2021-06-30 ",
            "2021-06-30T+02:00",
            "2021-06-30X21:00:00",
            "2021-06-30T21:00:00[Europe/Atlantis]",
            "2021-06-30T21:00:00Europe/Madrid]",
            "2021-06-30T21:00:00.",
            "2021-06-30T21:00:00.0123456789",
            "2021-06-30T21:00:00+2",
            "2021-06-30T21:00:00+24:00",
            "2021-06-30T21:00:00+15:00",
            "2021-06-30T21:00:00-14:01",
            "2021-06-30T21:00:00+02:60",
            "2021-06-30T21:00:00+020",
            "2021-06-30T21:00:00+02:00:00",
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
