//! The forms in which feeds write dates and times.

use chrono::{Duration, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use entity::DayError;

use crate::provider::quote::quote;

/// The length of `2021-06-30`.
const DATE_BYTES: usize = 10;
/// The digits of a second that an instant can have; chrono counts nanoseconds.
const MAX_FRACTION_DIGITS: usize = 9;
/// The greatest offset from UTC of XML Schema, and of any zone: 14 hours.
const MAX_OFFSET_SECONDS: i64 = 14 * 3_600;
/// How UTC is written as an offset.
const UTC: [&str; 4] = ["Z", "z", "UTC", "GMT"];
/// Dates with which databases and languages write that there is none: .NET, MySQL, and PHP for the one of MySQL.
const MEANS_NONE: [&str; 3] = ["0001-01-01", "0000-00-00", "-0001-11-30"];

/// Whether a date means that there is none.
pub(super) fn means_none(text: &str) -> bool {
    MEANS_NONE.iter().any(|date| text.starts_with(date))
}

/// A date as a feed writes it.
pub(super) struct WrittenTime<'a> {
    pub(super) date: NaiveDate,
    /// `None` for a bare date.
    pub(super) clock: Option<WrittenClock<'a>>,
    pub(super) offset: Option<Duration>,
    /// The zone in brackets.
    pub(super) zone: Option<Tz>,
}

/// A time of the day.
pub(super) struct WrittenClock<'a> {
    time: NaiveTime,
    /// `24:00:00` is the midnight at the end of the day.
    is_end_of_day: bool,
    /// The digits after the point, empty if they are all zero.
    pub(super) fraction: &'a str,
}

impl<'a> WrittenTime<'a> {
    /// Parses `2021-06-30`, then an optional time `T21:00:00.25`, an optional offset `+02:00` and an optional zone
    /// `[Europe/Madrid]`.
    pub(super) fn parse(whole: &'a str) -> Result<Self, String> {
        if means_none(whole) {
            return Err(format!("must be a date, got {}, which means that there is none", quote(whole)));
        }
        let malformed = || describe_form(whole);
        let (text, zone) = split_zone(whole).ok_or_else(malformed)?;
        let (date, rest) = text.split_at_checked(DATE_BYTES).ok_or_else(malformed)?;
        let date = parse_date(date, whole)?;
        // A space may also precede the offset of a bare date, so the digit after it decides.
        let clock_text = rest.strip_prefix(['T', 't', ' ']).filter(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
        let (before_offset, offset) = split_offset(clock_text.unwrap_or(rest)).ok_or_else(malformed)?;
        let clock = match clock_text {
            Some(_) => Some(parse_clock(before_offset, whole)?),
            None if before_offset.is_empty() => None,
            None => return Err(malformed()),
        };
        Ok(Self { date, clock, offset, zone })
    }
}

impl WrittenClock<'_> {
    /// The wall-clock time on this day; `None` after the last day of the calendar.
    pub(super) fn on(&self, date: NaiveDate) -> Option<NaiveDateTime> {
        let date = if self.is_end_of_day { date.succ_opt()? } else { date };
        Some(date.and_time(self.time))
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

/// Parses `21:00`, `21:00:00` or `21:00:00.25`.
fn parse_clock<'a>(clock: &'a str, whole: &str) -> Result<WrittenClock<'a>, String> {
    let malformed = || describe_form(whole);
    let (clock, digits) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = match parse_numbers(clock) {
        Some(numbers) => numbers,
        None => parse_numbers(clock).map(|[hour, minute]| [hour, minute, 0]).ok_or_else(malformed)?,
    };
    let is_fraction = (1..=MAX_FRACTION_DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_fraction {
        return Err(malformed());
    }
    let nanosecond = format!("{digits:0<MAX_FRACTION_DIGITS$}").parse::<u32>().map_err(|_| malformed())?;
    let fraction = if nanosecond == 0 { "" } else { digits };
    if [hour, minute, second, nanosecond] == [24, 0, 0, 0] {
        return Ok(WrittenClock { time: NaiveTime::MIN, is_end_of_day: true, fraction });
    }
    let time = NaiveTime::from_hms_nano_opt(hour, minute, second, nanosecond)
        .ok_or_else(|| format!("must have a time from 00:00:00 to 24:00:00, got {}", quote(whole)))?;
    Ok(WrittenClock { time, is_end_of_day: false, fraction })
}

/// Splits `[Europe/Madrid]` from the end; `None` if the zone does not exist.
fn split_zone(text: &str) -> Option<(&str, Option<Tz>)> {
    match text.strip_suffix(']') {
        None => Some((text, None)),
        Some(text) => {
            let (text, zone) = text.rsplit_once('[')?;
            Some((text, Some(zone.parse().ok()?)))
        }
    }
}

/// Splits `21:00:00+02:00` into the clock and its offset from UTC; `None` if the offset is invalid.
fn split_offset(time: &str) -> Option<(&str, Option<Duration>)> {
    if let Some(clock) = UTC.iter().find_map(|name| time.strip_suffix(name)) {
        return Some((clock.trim_end(), Some(Duration::zero())));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, None));
    };
    let (clock, offset) = time.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let [hours, minutes] = parse_offset(&offset[1..])?;
    let seconds = i64::from(hours * 3600 + minutes * 60);
    let is_valid = minutes < 60 && seconds <= MAX_OFFSET_SECONDS;
    is_valid.then(|| (clock.trim_end(), Some(Duration::seconds(sign * seconds))))
}

/// Parses `02:00`, `0200` or `02`.
fn parse_offset(text: &str) -> Option<[u32; 2]> {
    if let Some([hours]) = parse_numbers(text) {
        return Some([hours, 0]);
    }
    match text.split_at_checked(2) {
        Some((hours, minutes)) if text.len() == 4 => {
            parse_numbers(hours).zip(parse_numbers(minutes)).map(|([hours], [minutes])| [hours, minutes])
        }
        _ => parse_numbers(text),
    }
}

/// Parses unsigned numbers of two digits that are separated by colons.
fn parse_numbers<const COUNT: usize>(text: &str) -> Option<[u32; COUNT]> {
    let mut parts = text.split(':');
    let mut numbers = [0; COUNT];
    for number in &mut numbers {
        let part = parts.next()?;
        if part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}
