//! The time zones of a calendar: by their names, or as its VTIMEZONE components define them.

use std::{collections::HashMap, rc::Rc};

use calcard::{
    common::{PartialDateTime, timezone::Tz as CalendarTz},
    icalendar::{ICalendarComponent, ICalendarComponentType, ICalendarProperty, ICalendarValue},
};
use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    event::text_of,
    rule::expand_rule,
    zone_names::{find_offset, find_zone, is_of_place},
};
use crate::provider::local_time::to_instant;

/// Changes of one STANDARD or DAYLIGHT component: one a year until 2269.
const MAX_CHANGES: usize = 300;
/// The year in which the rule of an older component begins. Outlook writes 1601.
const FIRST_YEAR: i32 = 1970;

/// A time zone of a calendar.
#[derive(Clone)]
pub(super) enum CalendarZone {
    Named(Tz),
    Defined(Rc<OffsetChanges>),
}

impl CalendarZone {
    pub(super) const UTC: Self = Self::Named(Tz::UTC);

    /// The zone that clocks at a place show, if its name is known.
    pub(super) fn clock(&self) -> Option<Tz> {
        match self {
            Self::Named(zone) => Some(*zone).filter(|zone| is_of_place(*zone)),
            Self::Defined(_) => None,
        }
    }

    pub(super) fn to_utc(&self, local: NaiveDateTime) -> DateTime<Utc> {
        match self {
            Self::Named(zone) => to_instant(local, *zone),
            Self::Defined(changes) => (local - TimeDelta::seconds(changes.offset_at(local).into())).and_utc(),
        }
    }

    pub(super) fn to_local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        match self {
            Self::Named(zone) => instant.with_timezone(zone).naive_local(),
            Self::Defined(changes) => instant.naive_utc() + TimeDelta::seconds(changes.offset_since(instant.naive_utc()).into()),
        }
    }

    /// Its name for a message.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Named(zone) => zone.name(),
            Self::Defined(_) => "the zone of the calendar",
        }
    }
}

/// The offsets of a zone in seconds.
pub(super) struct OffsetChanges {
    before: i32,
    /// Ordered by their onset.
    changes: Vec<OffsetChange>,
}

#[derive(Clone, Copy)]
struct OffsetChange {
    /// The local time before the change.
    onset: NaiveDateTime,
    from: i32,
    to: i32,
}

impl OffsetChanges {
    /// Expands the STANDARD and DAYLIGHT components of a VTIMEZONE; `None` if none is valid.
    fn read(observances: &[ICalendarComponent], steps: &mut usize) -> Option<Self> {
        let mut changes: Vec<OffsetChange> = observances.iter().filter_map(read_observance).flatten().collect();
        *steps += changes.len();
        changes.sort_by_key(|change| change.onset);
        changes.first().map(|first| first.from).map(|before| Self { before, changes })
    }

    /// The offset of a local time: before the change if clocks skip it, and the first of the two if it occurs twice.
    fn offset_at(&self, local: NaiveDateTime) -> i32 {
        let next = self.changes.partition_point(|change| change.onset <= local);
        let Some(OffsetChange { onset, from, to }) = next.checked_sub(1).map(|last| self.changes[last]) else {
            return self.before;
        };
        let is_skipped = local - onset < TimeDelta::seconds((to - from).into());
        if is_skipped { from } else { to }
    }

    fn offset_since(&self, utc: NaiveDateTime) -> i32 {
        let is_past = |change: &OffsetChange| change.onset - TimeDelta::seconds(change.from.into()) <= utc;
        let next = self.changes.partition_point(is_past);
        next.checked_sub(1).map_or(self.before, |last| self.changes[last].to)
    }
}

/// The changes of a STANDARD or DAYLIGHT component; `None` if it is not valid.
fn read_observance(component: &ICalendarComponent) -> Option<Vec<OffsetChange>> {
    let start = to_local(first_date(component, &ICalendarProperty::Dtstart)?)?;
    let from = to_seconds(first_date(component, &ICalendarProperty::Tzoffsetfrom)?)?;
    let to = to_seconds(first_date(component, &ICalendarProperty::Tzoffsetto)?)?;
    let rule = component.property(&ICalendarProperty::Rrule).and_then(|entry| match entry.values.first() {
        Some(ICalendarValue::RecurrenceRule(rule)) => Some(rule.as_ref().clone()),
        _ => None,
    });
    let begin = if start.year() < FIRST_YEAR { start.with_year(FIRST_YEAR).unwrap_or(start) } else { start };
    let repeated = rule.and_then(|rule| expand_rule(begin, rule, MAX_CHANGES).ok());
    let dates = component.properties(&ICalendarProperty::Rdate).flat_map(|entry| &entry.values);
    let dates = dates.filter_map(ICalendarValue::as_partial_date_time).filter_map(to_local).take(MAX_CHANGES);
    let onsets = std::iter::once(start).chain(repeated.unwrap_or_default()).chain(dates);
    Some(onsets.map(|onset| OffsetChange { onset, from, to }).collect())
}

fn first_date<'a>(component: &'a ICalendarComponent, property: &ICalendarProperty) -> Option<&'a PartialDateTime> {
    component.property(property)?.values.first()?.as_partial_date_time()
}

fn to_local(date: &PartialDateTime) -> Option<NaiveDateTime> {
    date.to_date_time().map(|date| date.date_time)
}

fn to_seconds(offset: &PartialDateTime) -> Option<i32> {
    let seconds = i32::from(offset.tz_hour?) * 3_600 + i32::from(offset.tz_minute.unwrap_or(0)) * 60;
    FixedOffset::east_opt(if offset.tz_minus { -seconds } else { seconds }).map(|offset| offset.local_minus_utc())
}

/// The zones of a calendar by their ids.
pub(super) struct CalendarZones {
    definitions: HashMap<String, ZoneDefinition>,
    /// The result for each id that occurred.
    resolved: HashMap<String, Option<CalendarZone>>,
    /// The changes of offsets that were computed.
    pub(super) steps: usize,
}

/// A VTIMEZONE.
struct ZoneDefinition {
    /// Its zone of IANA.
    zone: Option<Tz>,
    observances: Vec<ICalendarComponent>,
}

impl CalendarZones {
    /// Finds the VTIMEZONE components.
    pub(super) fn new(components: &[ICalendarComponent]) -> Self {
        let zones = components.iter().filter(|component| component.component_type == ICalendarComponentType::VTimezone);
        let definitions = zones.filter_map(|zone| {
            let ids = zone.component_ids.iter().filter_map(|id| components.get(usize::try_from(*id).ok()?));
            Some((text_of(zone, "TZID")?.to_owned(), ZoneDefinition::new(zone, ids.cloned().collect())))
        });
        Self { definitions: definitions.collect(), resolved: HashMap::new(), steps: 0 }
    }

    /// The zone with an id: of its name, or else as it is defined, or else the offset in its name.
    pub(super) fn resolve(&mut self, id: &str) -> Option<CalendarZone> {
        if let Some(zone) = self.resolved.get(id) {
            return zone.clone();
        }
        let definition = self.definitions.get(id);
        let zone = match find_zone(id).or_else(|| definition?.zone) {
            Some(zone) => Some(CalendarZone::Named(zone)),
            None => {
                let defined = definition.and_then(|definition| OffsetChanges::read(&definition.observances, &mut self.steps));
                let fixed = || find_offset(id).map(|before| OffsetChanges { before, changes: Vec::new() });
                defined.or_else(fixed).map(Rc::new).map(CalendarZone::Defined)
            }
        };
        self.resolved.insert(id.to_owned(), zone.clone());
        zone
    }
}

impl ZoneDefinition {
    fn new(component: &ICalendarComponent, observances: Vec<ICalendarComponent>) -> Self {
        let location = text_of(component, "X-LIC-LOCATION").map(|name| name.strip_prefix("SystemV/").unwrap_or(name));
        let microsoft = || match CalendarTz::from_ms_cdo_zone_id(text_of(component, "X-MICROSOFT-CDO-TZID")?)? {
            CalendarTz::Tz(zone) => Some(zone),
            _ => None,
        };
        Self { zone: location.and_then(find_zone).or_else(microsoft), observances }
    }
}

#[cfg(test)]
mod tests {
    use calcard::{Entry, Parser};

    use super::*;

    fn zone(observances: &str) -> CalendarZone {
        let calendar = format!("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Own\n{observances}END:VTIMEZONE\nEND:VCALENDAR\n");
        let Entry::ICalendar(calendar) = Parser::new(&calendar).entry() else { panic!("{calendar}") };
        CalendarZones::new(&calendar.components).resolve("Own").expect("a zone")
    }

    fn observance(kind: &str, start: &str, [from, to]: [&str; 2], rule: &str) -> String {
        format!("BEGIN:{kind}\nDTSTART:{start}\nTZOFFSETFROM:{from}\nTZOFFSETTO:{to}\n{rule}END:{kind}\n")
    }

    #[test]
    fn a_defined_zone_has_the_times_of_the_named_one() {
        let rules = [
            ("DAYLIGHT", ["-0500", "-0400"], "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\n"),
            ("STANDARD", ["-0400", "-0500"], "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\n"),
        ];
        for start in ["16010101T020000", "20070101T020000"] {
            let observances = rules.map(|(kind, offsets, rule)| observance(kind, start, offsets, rule));
            let defined = zone(&observances.concat());
            let named = CalendarZone::Named(Tz::America__New_York);
            for local in [
                "2027-03-14T01:59:59",
                "2027-03-14T02:30:00",
                "2027-03-14T03:00:00",
                "2027-06-30T20:00:00",
                "2027-11-07T00:59:59",
                "2027-11-07T01:30:00",
                "2027-11-07T02:00:00",
                "2027-12-31T23:59:59",
                "2095-07-01T00:00:00",
            ] {
                let local: NaiveDateTime = local.parse().expect("a time");
                let instant = named.to_utc(local);
                assert_eq!(defined.to_utc(local), instant, "{start}: {local}");
                assert_eq!(defined.to_local(instant), named.to_local(instant), "{start}: {local}");
            }
        }
    }

    #[test]
    fn a_zone_may_have_one_offset_or_dates() {
        let local: NaiveDateTime = "2027-06-30T20:00:00".parse().expect("a time");
        let utc = |zone: &CalendarZone| zone.to_utc(local).format("%d %H:%M").to_string();
        assert_eq!(utc(&zone(&observance("STANDARD", "16010101T000000", ["+0330", "+0330"], ""))), "30 16:30");
        let offsets = ["+0000", "+0100"];
        let dated = observance("DAYLIGHT", "19700101T000000", offsets, "RDATE:20270101T000000\n");
        assert_eq!(utc(&zone(&dated)), "30 19:00");
        assert!(matches!(zone("X-LIC-LOCATION:asia/tokyo\n").clock(), Some(Tz::Asia__Tokyo)));
        let mut none = CalendarZones::new(&[]);
        assert!(none.resolve("Foo/Bar").is_none());
        assert_eq!(none.resolve("GMT+0200").map(|zone| (utc(&zone), zone.clock())), Some(("30 18:00".to_owned(), None)));
        assert_eq!(none.resolve("etc/utc").map(|zone| (utc(&zone), zone.clock())), Some(("30 20:00".to_owned(), None)));
    }
}
