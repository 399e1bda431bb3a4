//! Reads the dates of a VEVENT with their zones.

use chrono::{NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;

use super::{
    dates::{Moment, parse_date, parse_duration},
    lines::DateLine,
    zones::{CalendarZone, CalendarZones},
};
use crate::provider::{format::values::name_field, local_time::WrittenDate, quote::quote};

/// The start of a VEVENT.
pub(super) struct StartDate {
    pub(super) moment: Moment,
    /// In its zone.
    pub(super) local: NaiveDateTime,
    pub(super) zone: CalendarZone,
    /// The zone that it states, if its name is known.
    pub(super) clock: Option<Tz>,
}

/// When the dates of a VEVENT end.
pub(super) struct Ends {
    start: Moment,
    end: Option<Moment>,
    /// From the start to the end; of whole days, from the first to the last one.
    length: Option<TimeDelta>,
}

impl Ends {
    /// The end of the date with a start. Of whole days, it is the last one.
    pub(super) fn of(&self, start: Moment) -> Option<Moment> {
        if start == self.start {
            return self.end;
        }
        match start {
            Moment::Day(day) => day.checked_add_signed(self.length?).map(Moment::Day),
            Moment::At(instant) => instant.checked_add_signed(self.length?).map(Moment::At),
        }
    }
}

/// Reads dates, and collects warnings about them.
pub(super) struct DateReader<'a> {
    zones: &'a mut CalendarZones,
    /// The zone of times without one.
    pub(super) default: &'a CalendarZone,
    warnings: Vec<String>,
}

impl<'a> DateReader<'a> {
    pub(super) fn new(zones: &'a mut CalendarZones, default: &'a CalendarZone) -> Self {
        Self { zones, default, warnings: Vec::new() }
    }

    /// The warnings since the last call.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    pub(super) fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Reads one of the values of a property, with its zone. A time without one is in another.
    pub(super) fn read(
        &mut self,
        line: &DateLine,
        value: &str,
        other: &CalendarZone,
    ) -> Result<(WrittenDate, CalendarZone), String> {
        let written = name_field(line.name, parse_date(value.trim(), line.is_day))?;
        let zone = self.read_zone(line, &written);
        let zone = zone.unwrap_or_else(|| match (&written, &line.tzid) {
            (WrittenDate::Instant(_), _) => CalendarZone::UTC,
            (_, Some(_)) => self.default.clone(),
            (_, None) => other.clone(),
        });
        Ok((written, zone))
    }

    /// The zone that a property states, if it is known.
    fn read_zone(&mut self, line: &DateLine, written: &WrittenDate) -> Option<CalendarZone> {
        let id = line.tzid.as_ref()?;
        let zone = self.zones.resolve(id);
        if zone.is_none() && matches!(written, WrittenDate::Clock(_)) {
            let (id, assumed) = (quote(id), self.default.name());
            self.warn(format!("`TZID` {id} is not a known time zone, and no VTIMEZONE defines it; {assumed} is assumed"));
        }
        zone
    }

    pub(super) fn read_start(&mut self, line: &DateLine) -> Result<StartDate, String> {
        let default = self.default;
        let (written, zone) = self.read(line, &line.value, default)?;
        let stated = line.tzid.as_deref().and_then(|id| self.zones.resolve(id));
        let moment = Moment::of(&written, &zone);
        Ok(StartDate { moment, local: moment.to_local(&zone), zone, clock: stated.and_then(|zone| zone.clock()) })
    }

    /// Reads when an event ends. What cannot be read is ignored with a warning.
    pub(super) fn read_ends(&mut self, [end, duration]: [Option<&DateLine>; 2], start: &StartDate) -> Ends {
        let end = end.and_then(|line| match self.read(line, &line.value, &start.zone) {
            Ok((written, zone)) => Some(to_ends(start.moment, &written, &zone)),
            Err(error) => {
                self.warn(format!("{error}; ignored"));
                None
            }
        });
        let lasting = end.or_else(|| match name_field("DURATION", parse_duration(&duration?.value)) {
            Ok(length) => Some(add_length(start.moment, length)),
            Err(error) => {
                self.warn(format!("{error}; ignored"));
                None
            }
        });
        lasting.unwrap_or_else(|| match start.moment {
            Moment::Day(_) => add_length(start.moment, TimeDelta::days(1)),
            Moment::At(_) => Ends { start: start.moment, end: None, length: None },
        })
    }
}

/// A length of time after a start. Of whole days, each that begins in it is included.
pub(super) fn add_length(start: Moment, length: TimeDelta) -> Ends {
    match start {
        Moment::Day(day) => {
            let length = TimeDelta::days(length.num_days().saturating_sub(1).max(0));
            Ends { start, end: day.checked_add_signed(length).map(Moment::Day), length: Some(length) }
        }
        Moment::At(instant) => Ends { start, end: instant.checked_add_signed(length).map(Moment::At), length: Some(length) },
    }
}

/// The end of whole days is the midnight after them.
fn to_ends(start: Moment, written: &WrittenDate, zone: &CalendarZone) -> Ends {
    let end = Moment::of(written, zone);
    match start {
        Moment::Day(first) => {
            let local = end.to_local(zone);
            let is_midnight = local.time() == NaiveTime::MIN;
            let last = if is_midnight { local.date().pred_opt() } else { Some(local.date()) };
            let last = last.unwrap_or(first).max(first);
            Ends { start, end: Some(Moment::Day(last)), length: Some(last - first) }
        }
        Moment::At(instant) => {
            // The length of other dates is that on the clock, unless the end is an instant.
            let length = match written {
                WrittenDate::Instant(end) => *end - instant,
                _ => end.to_local(zone) - zone.to_local(instant),
            };
            let end = match end {
                Moment::Day(day) => Moment::At(zone.to_utc(day.and_time(NaiveTime::MIN))),
                Moment::At(_) => end,
            };
            Ends { start, end: Some(end), length: Some(length) }
        }
    }
}
