//! Wall-clock dates: kept as the provider gives them, and turned into instants by its time zone.

use chrono::{DateTime, Datelike, Days, Duration, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use entity::UtcInstant;

/// A moment as the provider's clock shows it, and which instant that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// `2021-06-30T21:00:00`, `2021-06-30T21:00:00.250` or, where no time was given, `2021-06-30`.
    pub wall_clock: String,
    /// The instant; of a bare date the edge of the day that was asked for.
    pub instant: UtcInstant,
}

/// Which instant a bare date stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayEdge {
    /// The first of the day.
    Start,
    /// The last of the day, to the microsecond.
    End,
}

impl LocalTime {
    /// Reads an XML Schema `date` or `dateTime`: `2021-06-30`, `2021-06-30T21:00:00`, with any fraction of a second. With an
    /// offset (`Z`, `+02:00`) the instant is what the offset says, and the wall clock is kept without it.
    ///
    /// A time that the zone's clocks skip in spring is read with the offset in force before, one that they show twice in
    /// autumn is the first of the two.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong: not of that form, or no such day or time.
    pub fn parse(text: &str, zone: Tz, edge: DayEdge) -> Result<Self, String> {
        if let Some(local) = usual(text) {
            return Ok(Self { wall_clock: text.to_owned(), instant: within_years(instant_of(local, zone).into(), text)? });
        }
        let malformed = || format!("date `{text}` is not of the form 2021-06-30T21:00:00");
        let (date_text, time_text) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let [year, month, day] = numbers(date_text, [4, 2, 2], b'-').ok_or_else(malformed)?;
        let date = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
        let date = date.ok_or_else(|| format!("date `{text}`: there is no such day"))?;
        let Some(time_text) = time_text else {
            let instant = within_years(edge_of_day(date, edge, zone), text)?;
            return Ok(Self { wall_clock: date_text.to_owned(), instant });
        };
        let (clock_text, offset) = split_offset(time_text).ok_or_else(malformed)?;
        let time = clock_time(clock_text, text)?;
        let local = date.and_time(time);
        let instant = match offset {
            Some(offset) => (local - offset).and_utc(),
            None => instant_of(local, zone),
        };
        Ok(Self { wall_clock: format!("{date_text}T{clock_text}"), instant: within_years(instant.into(), text)? })
    }
}

/// The form of nearly all dates, of which a feed holds hundreds of thousands: `2021-06-30T21:00:00` and nothing more. `None` leaves it to
/// the careful reading, which also says what is wrong.
fn usual(text: &str) -> Option<NaiveDateTime> {
    let bytes: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let mut digits = [0; 19];
    for ((digit, &byte), form) in digits.iter_mut().zip(bytes).zip(b"0000-00-00T00:00:00") {
        match form {
            b'0' if byte.is_ascii_digit() => *digit = u32::from(byte - b'0'),
            b'0' => return None,
            separator if *separator == byte => {}
            _ => return None,
        }
    }
    let pair = |at: usize| digits[at] * 10 + digits[at + 1];
    let year = i32::try_from(pair(0) * 100 + pair(2)).ok()?;
    NaiveDate::from_ymd_opt(year, pair(5), pair(8))?.and_hms_opt(pair(11), pair(14), pair(17))
}

/// Answers write instants in UTC as RFC 3339, which has the years 0000 to 9999; an offset may lead out of them.
fn within_years(instant: UtcInstant, whole: &str) -> Result<UtcInstant, String> {
    let year = instant.to_utc().map(|instant| instant.year());
    match year {
        Some(0..=9999) => Ok(instant),
        _ => Err(format!("date `{whole}` lies outside the years 0000 to 9999 in UTC")),
    }
}

fn clock_time(clock: &str, whole: &str) -> Result<NaiveTime, String> {
    let malformed = || format!("date `{whole}` is not of the form 2021-06-30T21:00:00");
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(clock, fraction)| (clock, Some(fraction)));
    let [hour, minute, second] = numbers(clock, [2, 2, 2], b':').ok_or_else(malformed)?;
    let nanosecond = match fraction {
        None => 0,
        Some(digits) if (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{digits:0<9}").parse::<u32>().map_err(|_| malformed())?
        }
        Some(_) => return Err(malformed()),
    };
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanosecond)
        .ok_or_else(|| format!("date `{whole}`: there is no such time of day"))
}

/// Splits `21:00:00+02:00` into the clock and its offset from UTC; `None` if what should be an offset is none.
fn split_offset(time: &str) -> Option<(&str, Option<Duration>)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, Some(Duration::zero())));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, None));
    };
    let (clock, offset) = time.split_at(at);
    let [hours, minutes] = numbers(&offset[1..], [2, 2], b':')?;
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    // Checks the range: an offset is less than a day.
    FixedOffset::east_opt(seconds)?;
    let offset_length = Duration::seconds(i64::from(seconds));
    Some((clock, Some(if offset.starts_with('-') { -offset_length } else { offset_length })))
}

/// Reads unsigned numbers of exactly these widths with a separator between them.
fn numbers<const COUNT: usize>(text: &str, widths: [usize; COUNT], separator: u8) -> Option<[u32; COUNT]> {
    let mut parts = text.split(char::from(separator));
    let mut found = [0; COUNT];
    for (number, width) in found.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

fn edge_of_day(date: NaiveDate, edge: DayEdge, zone: Tz) -> UtcInstant {
    match edge {
        DayEdge::Start => instant_of(date.and_time(NaiveTime::MIN), zone).into(),
        DayEdge::End => {
            let next_day = date.checked_add_days(Days::new(1)).unwrap_or(date);
            let UtcInstant(first_of_next) = instant_of(next_day.and_time(NaiveTime::MIN), zone).into();
            UtcInstant(first_of_next - 1)
        }
    }
}

fn instant_of(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc(),
        LocalResult::None => {
            // No zone's clocks were ever put on by more than a day (Samoa, 2011), so a day before, the offset before was in force.
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
    fn a_wall_clock_becomes_the_instant_of_its_zone() {
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
    fn a_bare_date_is_the_edge_of_its_day() {
        assert_eq!(instant("2021-06-30", MADRID, DayEdge::Start), "2021-06-29T22:00:00+00:00");
        assert_eq!(instant("2021-06-30", MADRID, DayEdge::End), "2021-06-30T21:59:59.999999+00:00");
    }

    #[test]
    fn a_skipped_hour_is_read_with_the_offset_before_it() {
        assert_eq!(instant("2021-03-28T02:30:00", MADRID, DayEdge::Start), "2021-03-28T01:30:00+00:00");
    }

    #[test]
    fn a_repeated_hour_is_the_first_of_the_two() {
        assert_eq!(instant("2021-10-31T02:30:00", MADRID, DayEdge::Start), "2021-10-31T00:30:00+00:00");
    }

    #[test]
    fn a_skipped_day_is_read_with_the_offset_before_it() {
        assert_eq!(instant("2011-12-30T12:00:00", Tz::Pacific__Apia, DayEdge::Start), "2011-12-30T22:00:00+00:00");
    }

    #[test]
    fn the_wall_clock_is_kept_as_given() {
        for (given, kept) in [
            ("2021-06-30T21:00:00.250", "2021-06-30T21:00:00.250"),
            ("2021-06-30T21:00:00+02:00", "2021-06-30T21:00:00"),
            ("2021-06-30", "2021-06-30"),
        ] {
            assert_eq!(LocalTime::parse(given, MADRID, DayEdge::Start).expect("a date").wall_clock, kept);
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
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
