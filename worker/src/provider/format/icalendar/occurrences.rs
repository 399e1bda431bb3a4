//! The dates of all VEVENTs with one UID.

use calcard::icalendar::{ICalendarComponent, ICalendarFrequency, ICalendarProperty, ICalendarValue};
use chrono::{NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

use super::{
    dates::Moment,
    lines::DateLine,
    series::Expander,
    zones::{CalendarZone, CalendarZones},
};
use crate::provider::format::{
    FeedDocumentError,
    recurrence::{ReadMonth, describe_limit},
};

/// Recurrences that are computed for one UID, to find those within the horizon: a daily one since 1971.
pub(super) const MAX_STEPS: usize = 20_000;
/// Recurrences that are computed for one document.
const MAX_DOCUMENT_STEPS: usize = 5_000_000;

/// One date.
pub(super) struct Occurrence {
    /// The index of the VEVENT that describes it.
    pub(super) component: usize,
    /// Its start, or the one before it was moved: it identifies the date within the UID.
    pub(super) key: String,
    pub(super) start: Moment,
    /// Of whole days, the last one.
    pub(super) end: Option<Moment>,
    /// The start in the zone of the series.
    pub(super) local: NaiveDateTime,
}

impl Occurrence {
    fn day(&self) -> NaiveDate {
        self.local.date()
    }
}

/// The VEVENTs with one UID.
pub(super) struct EventGroup<'a> {
    pub(super) components: &'a [ICalendarComponent],
    /// The dates of each, as they are written.
    pub(super) lines: Vec<Vec<DateLine>>,
}

/// The dates of one UID.
#[derive(Default)]
pub(super) struct Expanded {
    /// Those that are imported, ordered by their start.
    pub(super) occurrences: Vec<Occurrence>,
    /// The zone of each VEVENT, as far as it states one.
    pub(super) clocks: Vec<Option<Tz>>,
    /// The indexes of VEVENTs without a valid date, with the reasons.
    pub(super) invalid: Vec<(usize, String)>,
    /// The indexes of VEVENTs with warnings.
    pub(super) warnings: Vec<(usize, String)>,
    /// The warning that there are others.
    pub(super) limited: Option<String>,
}

/// Computes the dates around a month. The inner error is one of the rule. Times without a zone are in the default one.
pub(super) fn expand(
    group: &EventGroup<'_>,
    zones: &mut CalendarZones,
    (default, month): (&CalendarZone, ReadMonth),
    document_steps: &mut usize,
) -> Result<Result<Expanded, String>, FeedDocumentError> {
    if group.components.iter().any(repeats_within_an_hour) {
        return Ok(Err("`RRULE` must not repeat every minute or second".to_owned()));
    }
    let (mut expanded, steps) = Expander::expand(group, zones, default);
    *document_steps += steps + std::mem::take(&mut zones.steps);
    if *document_steps > MAX_DOCUMENT_STEPS {
        return Err(FeedDocumentError::OverLimit { line: 1, limit: MAX_DOCUMENT_STEPS, what: "recurrences in a calendar" });
    }
    let dates = &mut expanded.occurrences;
    dates.sort_by_key(|occurrence| occurrence.local);
    if limit(dates, month) || steps >= MAX_STEPS {
        let ends = dates.first().zip(dates.last());
        expanded.limited = ends.map(|(first, last)| describe_limit("RRULE", first.day(), last.day()));
    }
    Ok(Ok(expanded))
}

/// Drops dates that are not imported, and returns whether there were any.
fn limit(occurrences: &mut Vec<Occurrence>, month: ReadMonth) -> bool {
    let Some(latest) = occurrences.first().map(|first| month.latest(first.day())) else { return false };
    let all = occurrences.len();
    occurrences.retain(|occurrence| occurrence.day() <= latest);
    let is_beyond = occurrences.len() < all;
    month.limit(occurrences, Occurrence::day) || is_beyond
}

/// Whether a VEVENT is or may be one of several dates.
pub(super) fn is_recurring(component: &ICalendarComponent) -> bool {
    let properties = [ICalendarProperty::Rrule, ICalendarProperty::Rdate, ICalendarProperty::RecurrenceId];
    properties.iter().any(|property| component.has_property(property))
}

fn repeats_within_an_hour(component: &ICalendarComponent) -> bool {
    component.properties(&ICalendarProperty::Rrule).flat_map(|entry| &entry.values).any(|value| {
        matches!(value, ICalendarValue::RecurrenceRule(rule)
            if matches!(rule.freq, ICalendarFrequency::Secondly | ICalendarFrequency::Minutely))
    })
}
