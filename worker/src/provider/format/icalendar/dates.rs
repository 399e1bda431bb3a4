//! Dates and durations of a calendar.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::zones::CalendarZone;
use crate::provider::{local_time::WrittenDate, quote::quote};

/// The length of `2031-06-30`.
const DAY_BYTES: usize = 10;

/// A day or an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Moment {
    Day(NaiveDate),
    At(DateTime<Utc>),
}

impl Moment {
    /// The date that was read in a zone.
    pub(super) fn of(written: &WrittenDate, zone: &CalendarZone) -> Self {
        match *written {
            WrittenDate::Day(day) => Self::Day(day),
            WrittenDate::Clock(local) => Self::At(zone.to_utc(local)),
            WrittenDate::Instant(instant) => Self::At(instant),
        }
    }

    /// The local time in a zone, of a day its midnight.
    pub(super) fn to_local(self, zone: &CalendarZone) -> NaiveDateTime {
        match self {
            Self::Day(day) => day.and_time(NaiveTime::MIN),
            Self::At(instant) => zone.to_local(instant),
        }
    }

    /// What identifies it among the dates of a UID.
    pub(super) fn key(self) -> String {
        match self {
            Self::Day(day) => day.format("%Y%m%d").to_string(),
            Self::At(instant) => instant.format("%Y%m%dT%H%M%SZ").to_string(),
        }
    }

    /// In ISO 8601.
    pub(super) fn text(self) -> String {
        match self {
            Self::Day(day) => day.format("%Y-%m-%d").to_string(),
            Self::At(instant) => instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

/// Parses `20310630T210000Z`, also without a time or in the extended form of ISO 8601. Of a day, the time is ignored.
pub(super) fn parse_date(text: &str, is_day: bool) -> Result<WrittenDate, String> {
    let extended = extend(text);
    let written = extended.as_deref().unwrap_or(text);
    let is_extended = written.as_bytes().get(4) == Some(&b'-');
    if !is_extended {
        return Err(format!("must be a date such as 20310630T210000, got {}", quote(text)));
    }
    let written = if is_day { written.get(..DAY_BYTES).unwrap_or(written) } else { written };
    WrittenDate::parse(written).map_err(|error| error.replace(&quote(written), &quote(text)))
}

/// Converts the basic form to the extended form of ISO 8601; `None` if it is another form.
fn extend(text: &str) -> Option<String> {
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (day, rest) = text.split_at_checked(8).filter(|(day, _)| are_digits(day))?;
    let day = format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]);
    let Some(clock) = rest.strip_prefix(['T', 't', ' ']) else { return rest.is_empty().then_some(day) };
    let digits = clock.find(|character: char| !character.is_ascii_digit()).unwrap_or(clock.len());
    let (clock, rest) = clock.split_at(digits);
    let clock = match digits {
        4 => format!("{}:{}", &clock[..2], &clock[2..]),
        6 => format!("{}:{}:{}", &clock[..2], &clock[2..4], &clock[4..]),
        _ => clock.to_owned(),
    };
    Some(format!("{day}T{clock}{rest}"))
}

/// Parses `PT2H`, `P1DT30M` or `P2W`.
pub(super) fn parse_duration(text: &str) -> Result<TimeDelta, String> {
    let duration = read_duration(&text.to_ascii_uppercase()).and_then(TimeDelta::try_seconds);
    duration.ok_or_else(|| format!("must be a duration such as PT2H, got {}", quote(text)))
}

fn read_duration(text: &str) -> Option<i64> {
    let (text, sign) = text.strip_prefix('-').map_or((text.strip_prefix('+').unwrap_or(text), 1), |text| (text, -1));
    let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty())?;
    let (mut seconds, mut has_time) = (0_i64, false);
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T').filter(|time| !has_time && !time.is_empty()) {
            (rest, has_time) = (time, true);
        }
        let unit = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: i64 = rest[..unit].parse::<u32>().ok()?.into();
        let unit_seconds = match (has_time, rest.as_bytes()[unit]) {
            (false, b'W') => 604_800,
            (false, b'D') => 86_400,
            (true, b'H') => 3_600,
            (true, b'M') => 60,
            (true, b'S') => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number * unit_seconds)?;
        rest = &rest[unit + 1..];
    }
    Some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_basic_and_the_extended_form() {
        for (text, expected) in [
            ("20310630", "Day(2031-06-30)"),
            ("2031-06-30", "Day(2031-06-30)"),
            ("20310630T2100", "Clock(2031-06-30T21:00:00)"),
            ("20310630t210000", "Clock(2031-06-30T21:00:00)"),
            ("2031-06-30 21:00", "Clock(2031-06-30T21:00:00)"),
            ("20310630T240000", "Clock(2031-07-01T00:00:00)"),
            ("20310630T1900Z", "Instant(2031-06-30T19:00:00Z)"),
            ("20310630T210000+0200", "Instant(2031-06-30T19:00:00Z)"),
            ("2031-06-30T19:00:00.000Z", "Instant(2031-06-30T19:00:00Z)"),
        ] {
            assert_eq!(parse_date(text, false).map(|date| format!("{date:?}")).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(parse_date("20310630T230000Z", true).map(|date| format!("{date:?}")).as_deref(), Ok("Day(2031-06-30)"));
    }

    #[test]
    fn quotes_dates_that_do_not_exist() {
        for (text, expected) in [
            ("20310231T190000Z", "must be an existing date, got `20310231T190000Z`"),
            ("20310630T250000", "must have a time from 00:00:00 to 24:00:00, got `20310630T250000`"),
            ("tomorrow", "must be a date such as 20310630T210000, got `tomorrow`"),
            ("", "must be a date such as 20310630T210000, got ``"),
            ("2031063", "must be a date such as 20310630T210000, got `2031063`"),
            ("2031\u{e9}30T210000", "must be a date such as 20310630T210000, got `2031\u{e9}30T210000`"),
            ("20310630T19", "must be a date such as 2021-06-30T21:00:00, got `20310630T19`"),
        ] {
            assert_eq!(parse_date(text, false).err().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn reads_durations() {
        for (text, seconds) in [
            ("PT2H", Some(7_200)),
            ("pt90m", Some(5_400)),
            ("P1DT2H3M4S", Some(93_784)),
            ("P2W", Some(1_209_600)),
            ("-PT5M", Some(-300)),
            ("+P1D", Some(86_400)),
            ("2h", None),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("P1H", None),
            ("PT1D", None),
            ("PT2", None),
            ("PT99999999999H", None),
        ] {
            assert_eq!(parse_duration(text).ok().map(|duration| duration.num_seconds()), seconds, "{text}");
        }
    }
}
