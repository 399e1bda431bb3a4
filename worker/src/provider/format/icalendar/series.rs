//! A series of dates, and the VEVENTs that override some of them.

use std::collections::{HashMap, HashSet};

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::{
    date_reader::{DateReader, Ends, StartDate, add_length},
    dates::{Moment, parse_duration},
    is_main,
    lines::DateLine,
    occurrences::{EventGroup, Expanded, MAX_STEPS, Occurrence},
    rule::{RuleError, describe_invalid, expand_rule, read_rule},
    zones::{CalendarZone, CalendarZones},
};
use crate::provider::{format::values::name_field, local_time::WrittenDate};

/// The VEVENT that describes all dates.
struct Series {
    start: StartDate,
}

impl Series {
    /// The date of the series that another property refers to. A day means the time of the start on it, and a time means its day if the
    /// series has whole days.
    fn align(&self, written: &WrittenDate, zone: &CalendarZone) -> (Moment, NaiveDateTime) {
        let own_zone = &self.start.zone;
        match (self.start.moment, written) {
            (Moment::Day(_), _) => {
                let day = match written {
                    WrittenDate::Day(day) => *day,
                    WrittenDate::Clock(local) => local.date(),
                    WrittenDate::Instant(instant) if instant.time() == NaiveTime::MIN => instant.date_naive(),
                    WrittenDate::Instant(instant) => own_zone.to_local(*instant).date(),
                };
                (Moment::Day(day), day.and_time(NaiveTime::MIN))
            }
            (Moment::At(_), WrittenDate::Day(day)) => {
                let local = day.and_time(self.start.local.time());
                (Moment::At(own_zone.to_utc(local)), local)
            }
            (Moment::At(_), _) => {
                let moment = Moment::of(written, zone);
                (moment, moment.to_local(own_zone))
            }
        }
    }

    fn moment_of(&self, local: NaiveDateTime) -> Moment {
        to_moment(self.start.moment, local, &self.start.zone)
    }
}

/// A local time as a moment of the same kind as another.
fn to_moment(kind: Moment, local: NaiveDateTime, zone: &CalendarZone) -> Moment {
    match kind {
        Moment::Day(_) => Moment::Day(local.date()),
        Moment::At(_) => Moment::At(zone.to_utc(local)),
    }
}

/// A VEVENT that replaces one date, or this and all later ones.
struct Override {
    /// The start of the date before it was moved.
    original: Moment,
    original_local: NaiveDateTime,
    /// It refers to a day.
    original_day: Option<NaiveDate>,
    start: StartDate,
}

/// The change of all dates after one.
struct Shift {
    after: NaiveDateTime,
    component: usize,
    by: TimeDelta,
    start: Moment,
    ends: Ends,
}

/// Computes the dates of one UID.
pub(super) struct Expander<'a, 'z> {
    group: &'a EventGroup<'a>,
    reader: DateReader<'z>,
    expanded: Expanded,
    steps: usize,
}

impl<'a, 'z> Expander<'a, 'z> {
    /// Computes the dates, without their order, and returns the number of recurrences.
    pub(super) fn expand(
        group: &'a EventGroup<'a>,
        zones: &'z mut CalendarZones,
        default: &'z CalendarZone,
    ) -> (Expanded, usize) {
        let expanded = Expanded { clocks: vec![None; group.components.len()], ..Expanded::default() };
        let mut expander = Self { group, reader: DateReader::new(zones, default), expanded, steps: 0 };
        let series = group.components.iter().position(is_main).and_then(|main| {
            let series = expander.read_series(main);
            expander.finish(main, series)
        });
        expander.read_overrides(series.as_ref());
        (expander.expanded, expander.steps)
    }

    /// Assigns warnings and an error to a VEVENT.
    fn finish<T>(&mut self, component: usize, result: Result<T, String>) -> Option<T> {
        self.expanded.warnings.extend(self.reader.take_warnings().into_iter().map(|warning| (component, warning)));
        result.map_err(|reason| self.expanded.invalid.push((component, reason))).ok()
    }

    fn lines(&self, component: usize, name: &'static str) -> impl DoubleEndedIterator<Item = &'a DateLine> + use<'a> {
        self.group.lines[component].iter().filter(move |line| line.name == name)
    }

    fn line(&self, component: usize, name: &'static str) -> Option<&'a DateLine> {
        self.lines(component, name).next()
    }

    /// Reads a list of dates. What cannot be read is ignored with a warning.
    fn read_list(
        &mut self,
        component: usize,
        name: &'static str,
        mut read: impl FnMut(&mut DateReader<'z>, &DateLine, &str) -> Result<(), String>,
    ) {
        for line in self.lines(component, name) {
            for value in line.value.split(',').filter(|value| !value.trim().is_empty()) {
                if let Err(error) = read(&mut self.reader, line, value) {
                    self.reader.warn(format!("{error}; ignored"));
                }
            }
        }
    }

    fn read_ends(&mut self, component: usize, start: &StartDate) -> Ends {
        let lines = ["DTEND", "DURATION"].map(|name| self.line(component, name));
        self.reader.read_ends(lines, start)
    }

    /// Reads the VEVENT that describes all dates.
    fn read_series(&mut self, component: usize) -> Result<Series, String> {
        let line = self.line(component, "DTSTART").ok_or("`DTSTART` is missing")?;
        let start = self.reader.read_start(line)?;
        self.expanded.clocks[component] = start.clock;
        let ends = self.read_ends(component, &start);
        let repeated = self.repeat(component, &start)?;
        let series = Series { start };
        let mut dates: Vec<(NaiveDateTime, Moment, Option<Moment>)> = Vec::with_capacity(repeated.len());
        for local in repeated {
            let start = series.moment_of(local);
            dates.push((local, start, ends.of(start)));
        }
        self.read_list(component, "RDATE", |reader, line, value| {
            let (value, period) = value.split_once('/').map_or((value, None), |(start, period)| (start, Some(period)));
            let (written, zone) = reader.read(line, value, &series.start.zone)?;
            let (start, local) = series.align(&written, &zone);
            let end = match period {
                None => ends.of(start),
                Some(length) if length.contains(['P', 'p']) => {
                    add_length(start, name_field(line.name, parse_duration(length.trim()))?).of(start)
                }
                Some(end) => {
                    let (end, zone) = reader.read(line, end, &series.start.zone)?;
                    Some(series.align(&end, &zone).0)
                }
            };
            dates.push((local, start, end));
            Ok(())
        });
        let (mut excluded, mut excluded_days) = (HashSet::new(), HashSet::new());
        self.read_list(component, "EXDATE", |reader, line, value| {
            match reader.read(line, value, &series.start.zone)? {
                (WrittenDate::Day(day), _) => _ = excluded_days.insert(day),
                (written, zone) => _ = excluded.insert(series.align(&written, &zone).0),
            }
            Ok(())
        });
        // Each date is imported once.
        dates.retain(|(local, start, _)| !excluded_days.contains(&local.date()) && excluded.insert(*start));
        self.expanded.occurrences.extend(dates.into_iter().map(|(local, start, end)| Occurrence {
            component,
            key: start.key(),
            start,
            end,
            local,
        }));
        Ok(series)
    }

    /// The local times of the start and its recurrences. Of an invalid rule, only the start is imported.
    fn repeat(&mut self, component: usize, start: &StartDate) -> Result<Vec<NaiveDateTime>, String> {
        let Some(line) = self.lines(component, "RRULE").next_back() else { return Ok(vec![start.local]) };
        let rule = read_rule(&self.group.components[component], &line.value, &start.zone);
        let error = match rule.map(|rule| expand_rule(start.local, rule, MAX_STEPS)) {
            Ok(Ok(dates)) => {
                self.steps += dates.len();
                return Ok(dates);
            }
            Ok(Err(RuleError::EndsBeforeStart)) => return Err("`RRULE` must not end before `DTSTART`".to_owned()),
            Ok(Err(RuleError::Invalid)) => describe_invalid(&line.value),
            Err(error) => error,
        };
        self.reader.warn(format!("{error}; only the first date is imported"));
        Ok(vec![start.local])
    }

    fn read_overrides(&mut self, series: Option<&Series>) {
        let (mut indexes, mut indexes_of_days) = (HashMap::new(), HashMap::new());
        for (index, date) in self.expanded.occurrences.iter().enumerate() {
            indexes.insert(date.start, index);
            indexes_of_days.entry(date.local.date()).or_insert(index);
        }
        let (mut replaced, mut shifts) = (HashSet::new(), Vec::new());
        for component in (0..self.group.components.len()).filter(|component| !is_main(&self.group.components[*component])) {
            let read = self.read_override(component, series);
            let ends = read.as_ref().ok().map(|moved| self.read_ends(component, &moved.start));
            let Some((moved, ends)) = self.finish(component, read).zip(ends) else { continue };
            self.expanded.clocks[component] = moved.start.clock;
            let start = moved.start.moment;
            let local = series.map_or(moved.start.local, |series| start.to_local(&series.start.zone));
            let mut date = Occurrence { component, key: moved.original.key(), start, end: ends.of(start), local };
            let of_day = moved.original_day.and_then(|day| indexes_of_days.get(&day));
            let dates = &mut self.expanded.occurrences;
            if let Some(&index) = indexes.get(&moved.original).or(of_day) {
                date.key.clone_from(&dates[index].key);
                dates[index] = date;
                replaced.insert(index);
            } else {
                indexes.insert(moved.original, dates.len());
                replaced.insert(dates.len());
                dates.push(date);
            }
            if self.line(component, "RECURRENCE-ID").is_some_and(|line| line.has_range) {
                shifts.push(Shift { after: moved.original_local, component, by: local - moved.original_local, start, ends });
            }
        }
        if let Some(series) = series {
            self.shift(series, &replaced, shifts);
        }
    }

    fn read_override(&mut self, component: usize, series: Option<&Series>) -> Result<Override, String> {
        let line = self.line(component, "RECURRENCE-ID").ok_or("`RECURRENCE-ID` must be a date")?;
        let own_start = self.line(component, "DTSTART").map(|line| self.reader.read_start(line)).transpose()?;
        let zone = series.map(|series| &series.start.zone).or(own_start.as_ref().map(|start| &start.zone));
        let zone = zone.unwrap_or(self.reader.default).clone();
        let (written, original_zone) = self.reader.read(line, &line.value, &zone)?;
        let (original, original_local) = match series {
            Some(series) => series.align(&written, &original_zone),
            None => {
                let original = Moment::of(&written, &original_zone);
                (original, original.to_local(&original_zone))
            }
        };
        if ["RRULE", "RDATE"].iter().any(|name| self.line(component, name).is_some()) {
            self.reader.warn("`RRULE` and `RDATE` of a VEVENT with `RECURRENCE-ID` are ignored".to_owned());
        }
        let start =
            own_start.unwrap_or_else(|| StartDate { moment: original, local: original.to_local(&zone), zone, clock: None });
        let original_day = match written {
            WrittenDate::Day(day) => Some(day),
            _ => None,
        };
        Ok(Override { original, original_local, original_day, start })
    }

    /// Moves the dates after those that a VEVENT with `RANGE` replaces. They get new ids.
    fn shift(&mut self, series: &Series, replaced: &HashSet<usize>, mut shifts: Vec<Shift>) {
        shifts.sort_by_key(|shift| shift.after);
        for (index, date) in self.expanded.occurrences.iter_mut().enumerate() {
            let earlier = shifts.partition_point(|shift| shift.after < date.local);
            let Some(shift) = earlier.checked_sub(1).map(|last| &shifts[last]).filter(|_| !replaced.contains(&index)) else {
                continue;
            };
            date.component = shift.component;
            date.local += shift.by;
            date.start = to_moment(shift.start, date.local, &series.start.zone);
            date.end = shift.ends.of(date.start);
            date.key = date.start.key();
        }
    }
}
