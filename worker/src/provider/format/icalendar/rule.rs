//! Recurrence rules: read as they are written, and expanded by calcard in local times.

use calcard::{
    common::{PartialDateTime, timezone::Tz as CalendarTz},
    datecalc::error::{RRuleError, ValidationError},
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarProperty, ICalendarRecurrenceRule,
        ICalendarValue, dates::CalendarErrorType,
    },
};
use chrono::{Datelike, NaiveDateTime, NaiveTime, Timelike};

use super::{dates::parse_date, zones::CalendarZone};
use crate::provider::{local_time::WrittenDate, quote::quote};

/// The last second of a day.
const LAST_SECOND: (u32, u32, u32) = (23, 59, 59);

/// The last year of dates, in UTC and in all zones.
const LAST_YEAR: i32 = 9_998;

/// Why a rule has no dates.
pub(super) enum RuleError {
    /// It ends before the start.
    EndsBeforeStart,
    /// It is not a valid rule.
    Invalid,
}

/// Reads a rule. Its end becomes the last local time; a day is included.
pub(super) fn read_rule(
    component: &ICalendarComponent,
    written: &str,
    zone: &CalendarZone,
) -> Result<ICalendarRecurrenceRule, String> {
    let value = component.properties(&ICalendarProperty::Rrule).last().and_then(|entry| entry.values.first());
    let Some(ICalendarValue::RecurrenceRule(rule)) = value else { return Err(describe_invalid(written)) };
    let mut rule = rule.as_ref().clone();
    let mut parts = written.split(';').filter_map(|part| part.split_once('='));
    rule.until = match parts.find(|(name, _)| name.trim().eq_ignore_ascii_case("UNTIL")) {
        None => None,
        Some((_, until)) => {
            let until = parse_date(until.trim(), false).map_err(|error| format!("`UNTIL` of `RRULE` {error}"))?;
            let last = match until {
                WrittenDate::Day(day) => {
                    let (hour, minute, second) = LAST_SECOND;
                    day.and_hms_opt(hour, minute, second).unwrap_or_else(|| day.and_time(NaiveTime::MIN))
                }
                WrittenDate::Clock(local) => local,
                WrittenDate::Instant(instant) => zone.to_local(instant),
            };
            Some(to_partial(last))
        }
    };
    Ok(rule)
}

pub(super) fn describe_invalid(written: &str) -> String {
    format!("`RRULE` must be a recurrence rule such as FREQ=WEEKLY;BYDAY=FR, got {}", quote(written))
}

/// Computes the first local times of a rule, at most this many.
pub(super) fn expand_rule(
    start: NaiveDateTime,
    rule: ICalendarRecurrenceRule,
    limit: usize,
) -> Result<Vec<NaiveDateTime>, RuleError> {
    let mut event = ICalendarComponent::new(ICalendarComponentType::VEvent);
    event.entries = vec![
        ICalendarEntry::new(ICalendarProperty::Dtstart).with_value(to_partial(start)),
        ICalendarEntry::new(ICalendarProperty::Rrule).with_value(rule),
    ];
    let expanded = ICalendar { components: vec![event] }.expand_dates(CalendarTz::Floating, limit);
    match expanded.errors.first().map(|error| &error.error) {
        None => {
            let dates = expanded.events.iter().map(|event| event.start.naive_local());
            Ok(dates.filter(|date| date.year() <= LAST_YEAR).collect())
        }
        Some(CalendarErrorType::RRule(RRuleError::ValidationError(ValidationError::UntilBeforeStart { .. }))) => {
            Err(RuleError::EndsBeforeStart)
        }
        Some(_) => Err(RuleError::Invalid),
    }
}

/// A local time as calcard has it.
pub(super) fn to_partial(local: NaiveDateTime) -> PartialDateTime {
    let small = |number: u32| u8::try_from(number).ok();
    PartialDateTime {
        year: u16::try_from(local.year()).ok(),
        month: small(local.month()),
        day: small(local.day()),
        hour: small(local.hour()),
        minute: small(local.minute()),
        second: small(local.second()),
        ..PartialDateTime::default()
    }
}
