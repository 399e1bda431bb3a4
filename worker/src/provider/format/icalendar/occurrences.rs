//! The dates of all VEVENTs with one UID.

use calcard::{
    common::{PartialDateTime, timezone::Tz as CalendarTz},
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarFrequency, ICalendarParameter, ICalendarParameterName, ICalendarParameterValue,
        ICalendarProperty, ICalendarValue,
        dates::{CalendarErrorType, TimeOrDelta},
        timezone::TzResolver,
    },
};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

use super::CalendarFields;
use crate::provider::format::{
    FeedDocumentError,
    recurrence::{ReadMonth, describe_limit},
};

/// Recurrences that are computed for one UID, to find those within the horizon: a daily one since 1971.
const MAX_STEPS: usize = 20_000;
/// Recurrences that are computed for one document.
const MAX_DOCUMENT_STEPS: usize = 5_000_000;

/// One date.
pub(super) struct Occurrence {
    /// The index of the VEVENT that describes it.
    pub(super) component: usize,
    /// Its start, or the one before it was moved: it identifies the date within the UID.
    pub(super) key: String,
    pub(super) start: DateTime<CalendarTz>,
    /// Of a whole day, the midnight after it.
    pub(super) end: Option<DateTime<CalendarTz>>,
    pub(super) is_all_day: bool,
}

impl Occurrence {
    fn day(&self) -> NaiveDate {
        self.start.naive_local().date()
    }

    /// The end, or the last day of an event of whole days.
    pub(super) fn last_moment(&self) -> Option<DateTime<CalendarTz>> {
        let end = self.end?;
        if self.is_all_day { end.checked_sub_days(Days::new(1)).map(|last_day| last_day.max(self.start)) } else { Some(end) }
    }
}

/// The dates of one UID.
pub(super) struct Expanded {
    /// Those that are imported, ordered by their start.
    pub(super) occurrences: Vec<Occurrence>,
    /// The indexes of VEVENTs without a valid one, with the reasons.
    pub(super) invalid: Vec<(usize, String)>,
    /// The warning that there are others.
    pub(super) limited: Option<String>,
}

/// Computes the dates around a month. The inner error is one of the rule.
pub(super) fn expand(
    components: &[ICalendarComponent],
    calendar: &CalendarFields,
    (zone, month): (Tz, ReadMonth),
    document_steps: &mut usize,
) -> Result<Result<Expanded, String>, FeedDocumentError> {
    if components.iter().any(repeats_within_an_hour) {
        return Ok(Err("`RRULE` must not repeat every minute or second".to_owned()));
    }
    let CalendarFields { zones, .. } = calendar;
    let mut calendar = ICalendar { components: zones.iter().chain(components).cloned().collect() };
    let default_zone = CalendarTz::Tz(zone);
    let resolver = calendar.build_owned_tz_resolver().with_default(default_zone);
    calendar.components.iter_mut().for_each(|component| prepare(component, &resolver));
    let expanded = calendar.expand_dates(default_zone, MAX_STEPS);
    let steps = expanded.events.len();
    *document_steps += steps;
    if *document_steps > MAX_DOCUMENT_STEPS {
        return Err(FeedDocumentError::OverLimit { line: 1, limit: MAX_DOCUMENT_STEPS, what: "recurrences in a calendar" });
    }
    let mut originals: Vec<Option<DateTime<CalendarTz>>> = components
        .iter()
        .map(|component| {
            let (date, zone) = date_time(component, &ICalendarProperty::RecurrenceId)?;
            date.to_date_time_with_tz(resolver.resolve_or_default(zone))
        })
        .collect();
    let index_of =
        |id: u32| usize::try_from(id).unwrap_or(usize::MAX).checked_sub(zones.len()).filter(|&index| index < components.len());
    let mut occurrences: Vec<Occurrence> = Vec::new();
    for event in expanded.events {
        let Some(index) = index_of(event.comp_id) else { continue };
        let is_all_day = is_all_day(&components[index]);
        let end = match event.end {
            TimeOrDelta::Time(end) => Some(end),
            TimeOrDelta::Delta(length) => event.start.checked_add_signed(length),
        };
        occurrences.push(Occurrence {
            component: index,
            // Only the first date of an override replaces another one. Those that follow with RANGE=THISANDFUTURE are new.
            key: describe_key(&originals[index].take().unwrap_or(event.start), is_all_day),
            end: end.filter(|_| is_all_day || has_end(&components[index])),
            start: event.start,
            is_all_day,
        });
    }
    occurrences.sort_by_key(|occurrence| occurrence.start);
    let is_limited = limit(&mut occurrences, month) || steps >= MAX_STEPS;
    let limited = is_limited.then(|| Some(describe_limit("RRULE", occurrences.first()?.day(), occurrences.last()?.day())));
    let invalid = expanded.errors.into_iter().filter_map(|error| Some((index_of(error.comp_id)?, describe_error(&error.error))));
    Ok(Ok(Expanded { occurrences, invalid: invalid.collect(), limited: limited.flatten() }))
}

/// Drops dates that are not imported, and returns whether there were any.
fn limit(occurrences: &mut Vec<Occurrence>, month: ReadMonth) -> bool {
    let Some(latest) = occurrences.first().map(|first| month.latest(first.day())) else { return false };
    let all = occurrences.len();
    occurrences.retain(|occurrence| occurrence.day() <= latest);
    let is_beyond = occurrences.len() < all;
    month.limit(occurrences, Occurrence::day) || is_beyond
}

/// Changes what calcard reads in another way than RFC 5545.
fn prepare(component: &mut ICalendarComponent, resolver: &TzResolver<String>) {
    // It finds an override only if its SEQUENCE is the one of the series, but a change of one date increments it.
    component.entries.retain(|entry| entry.name != ICalendarProperty::Sequence);
    let Some(start) = component.property_mut(&ICalendarProperty::Dtstart) else { return };
    // It repeats a start in UTC in the zone of times without one.
    if start.values.first().and_then(ICalendarValue::as_partial_date_time).is_some_and(|date| date.tz_hour.is_some()) {
        let value = ICalendarParameterValue::Text("UTC".to_owned());
        start.params.push(ICalendarParameter { name: ICalendarParameterName::Tzid, value });
    }
    let zone = resolver.resolve_or_default(start.tz_id());
    let rules = component.entries.iter_mut().filter(|entry| entry.name == ICalendarProperty::Rrule);
    for value in rules.flat_map(|entry| &mut entry.values) {
        // It compares the end of a rule, which is in UTC, with local times.
        if let ICalendarValue::RecurrenceRule(rule) = value
            && let Some(until) = rule.until.as_ref().and_then(|until| read_until(until, zone))
        {
            rule.until = Some(PartialDateTime::from_naive_timestamp(until.and_utc().timestamp()));
        }
    }
}

/// The last local time of a rule. A day is included.
fn read_until(until: &PartialDateTime, zone: CalendarTz) -> Option<NaiveDateTime> {
    let written = until.to_date_time()?;
    if !until.has_time() {
        return written.date_time.date().and_hms_opt(23, 59, 59);
    }
    Some(written.to_date_time_with_tz(zone)?.with_timezone(&zone).naive_local())
}

fn is_all_day(component: &ICalendarComponent) -> bool {
    date_time(component, &ICalendarProperty::Dtstart).is_some_and(|(date, _)| !date.has_time())
}

fn has_end(component: &ICalendarComponent) -> bool {
    [ICalendarProperty::Dtend, ICalendarProperty::Duration].iter().any(|property| component.has_property(property))
}

/// Whether a VEVENT is or may be one of several dates.
pub(super) fn is_recurring(component: &ICalendarComponent) -> bool {
    let properties = [ICalendarProperty::Rrule, ICalendarProperty::Rdate, ICalendarProperty::RecurrenceId];
    properties.iter().any(|property| component.has_property(property))
}

/// A date property and its zone.
fn date_time<'a>(
    component: &'a ICalendarComponent,
    property: &ICalendarProperty,
) -> Option<(&'a PartialDateTime, Option<&'a str>)> {
    let entry = component.property(property)?;
    Some((entry.values.first()?.as_partial_date_time()?, entry.tz_id()))
}

fn repeats_within_an_hour(component: &ICalendarComponent) -> bool {
    component.properties(&ICalendarProperty::Rrule).flat_map(|entry| &entry.values).any(|value| {
        matches!(value, ICalendarValue::RecurrenceRule(rule)
            if matches!(rule.freq, ICalendarFrequency::Secondly | ICalendarFrequency::Minutely))
    })
}

fn describe_key(start: &DateTime<CalendarTz>, is_all_day: bool) -> String {
    if is_all_day {
        start.naive_local().format("%Y%m%d").to_string()
    } else {
        start.naive_utc().format("%Y%m%dT%H%M%SZ").to_string()
    }
}

fn describe_error(error: &CalendarErrorType) -> String {
    match error {
        CalendarErrorType::MissingDtStart => "`DTSTART` is missing or has another form than 20210630T210000",
        CalendarErrorType::InvalidDtStart => "`DTSTART` must be an existing date and time",
        CalendarErrorType::InvalidDtEnd => "`DTEND` must be an existing date and time",
        CalendarErrorType::InvalidDuration => "`DURATION` must be a duration such as PT2H",
        CalendarErrorType::RRule(_) => "`RRULE` must be a recurrence rule",
    }
    .to_owned()
}
