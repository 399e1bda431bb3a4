//! The VTIMEZONEs of a calendar ([RFC 5545, 3.6.5](https://www.rfc-editor.org/rfc/rfc5545#section-3.6.5)): the offsets of each zone in the
//! years in which it is used.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{OffsetComponents, OffsetName, Tz};

use super::content_line::{write_line, write_text};

/// Offsets are compared at these intervals. No zone has changed twice in a week.
const STEP: TimeDelta = TimeDelta::days(7);
/// The years of four digits.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9_998;
const DATE_AND_TIME: &str = "%Y%m%dT%H%M%S";

/// The zones and years of a calendar.
#[derive(Clone, Debug, Default)]
pub(super) struct TimeZones(BTreeMap<&'static str, (Tz, BTreeSet<i32>)>);

/// What the clocks of a zone show: the offset from UTC in seconds, whether it is daylight saving time, and the name.
#[derive(Debug, PartialEq)]
struct Clock {
    offset: i32,
    is_daylight: bool,
    name: Option<String>,
}

impl TimeZones {
    /// Adds what a calendar needs to read a wall clock of a zone.
    pub(super) fn add(&mut self, zone: Tz, local: NaiveDateTime) {
        let (_, years) = self.0.entry(zone.name()).or_insert_with(|| (zone, BTreeSet::new()));
        years.insert(local.year());
    }

    /// Appends the components of all zones.
    pub(super) fn write(&self, body: &mut Vec<u8>) {
        for (name, (zone, years)) in &self.0 {
            write_line(body, "BEGIN", "VTIMEZONE");
            write_text(body, "TZID", name);
            for (first, last) in runs(years) {
                write_years(body, *zone, first, last);
            }
            write_line(body, "END", "VTIMEZONE");
        }
    }
}

impl Clock {
    fn at(zone: Tz, instant: DateTime<Utc>) -> Self {
        let offset = zone.offset_from_utc_datetime(&instant.naive_utc());
        Self {
            offset: offset.fix().local_minus_utc(),
            is_daylight: !offset.dst_offset().is_zero(),
            name: offset.abbreviation().map(str::to_owned),
        }
    }
}

/// The first and last years without a gap.
fn runs(years: &BTreeSet<i32>) -> Vec<(i32, i32)> {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for &year in years.iter().filter(|year| YEARS.contains(year)) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == year => *last = year,
            _ => runs.push((year, year)),
        }
    }
    runs
}

/// Appends the offset at the beginning of the first year, and each later change.
fn write_years(body: &mut Vec<u8>, zone: Tz, first: i32, last: i32) {
    // A day is more than any offset.
    let begin = new_year(first).map(|begin| begin - TimeDelta::days(1)).filter(|begin| begin.year() > 0);
    let (Some(begin), Some(end)) = (begin.or(new_year(first)), new_year(last + 1).map(|end| end + TimeDelta::days(1))) else {
        return;
    };
    let (mut instant, mut clock) = (begin, Clock::at(zone, begin));
    write_observance(body, instant, &clock, &clock);
    while instant < end {
        let next = instant + STEP;
        let next_clock = Clock::at(zone, next);
        if next_clock != clock {
            let change = find_change(zone, instant, next, &clock);
            write_observance(body, change, &clock, &next_clock);
            clock = next_clock;
        }
        instant = next;
    }
}

fn new_year(year: i32) -> Option<DateTime<Utc>> {
    Some(NaiveDate::from_ymd_opt(year, 1, 1)?.and_time(chrono::NaiveTime::MIN).and_utc())
}

/// The first second between two instants at which the clock is another one.
fn find_change(zone: Tz, mut before: DateTime<Utc>, mut after: DateTime<Utc>, clock: &Clock) -> DateTime<Utc> {
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if Clock::at(zone, middle) == *clock {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

fn write_observance(body: &mut Vec<u8>, onset: DateTime<Utc>, from: &Clock, to: &Clock) {
    let component = if to.is_daylight { "DAYLIGHT" } else { "STANDARD" };
    // The onset is in the time before it.
    let local = onset.naive_utc() + TimeDelta::seconds(from.offset.into());
    write_line(body, "BEGIN", component);
    write_line(body, "DTSTART", &local.format(DATE_AND_TIME).to_string());
    write_line(body, "TZOFFSETFROM", &offset_text(from.offset));
    write_line(body, "TZOFFSETTO", &offset_text(to.offset));
    if let Some(name) = &to.name {
        write_text(body, "TZNAME", name);
    }
    write_line(body, "END", component);
}

/// An offset as `+0100`, with seconds if it has any.
fn offset_text(offset: i32) -> String {
    let (sign, seconds) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if seconds == 0 { format!("{sign}{hours:02}{minutes:02}") } else { format!("{sign}{hours:02}{minutes:02}{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(zone: Tz, years: &[i32]) -> Vec<String> {
        let mut zones = TimeZones::default();
        for year in years {
            zones.add(zone, new_year(*year).unwrap().naive_utc());
        }
        let mut body = Vec::new();
        zones.write(&mut body);
        String::from_utf8(body).unwrap().lines().map(str::to_owned).collect()
    }

    fn onsets(lines: &[String]) -> Vec<&str> {
        lines.iter().filter_map(|line| line.strip_prefix("DTSTART:")).collect()
    }

    #[test]
    fn a_zone_has_the_changes_of_a_year() {
        let expected = "BEGIN:VTIMEZONE TZID:Europe/Madrid \
            BEGIN:STANDARD DTSTART:20201231T010000 TZOFFSETFROM:+0100 TZOFFSETTO:+0100 TZNAME:CET END:STANDARD \
            BEGIN:DAYLIGHT DTSTART:20210328T020000 TZOFFSETFROM:+0100 TZOFFSETTO:+0200 TZNAME:CEST END:DAYLIGHT \
            BEGIN:STANDARD DTSTART:20211031T030000 TZOFFSETFROM:+0200 TZOFFSETTO:+0100 TZNAME:CET END:STANDARD \
            END:VTIMEZONE";
        assert_eq!(write(Tz::Europe__Madrid, &[2021]).join(" "), expected);
    }

    #[test]
    fn years_without_a_gap_share_their_changes() {
        assert_eq!(onsets(&write(Tz::Europe__Madrid, &[2022, 2021])).len(), 1 + 2 + 2);
        assert_eq!(onsets(&write(Tz::Europe__Madrid, &[2025, 2021])).len(), 2 * (1 + 2));
        assert_eq!(onsets(&write(Tz::Asia__Tokyo, &[2021, 9999])), ["20201231T090000"]);
        assert_eq!(onsets(&write(Tz::Asia__Tokyo, &[1])).len(), 1);
    }

    #[test]
    fn offsets_may_be_of_minutes_and_seconds() {
        assert!(write(Tz::Asia__Kathmandu, &[2021]).contains(&"TZOFFSETTO:+0545".to_owned()));
        assert!(write(Tz::America__New_York, &[1850]).contains(&"TZOFFSETTO:-045602".to_owned()));
    }
}
