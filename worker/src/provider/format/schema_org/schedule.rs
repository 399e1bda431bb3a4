//! The dates of a [`Schedule`](https://schema.org/Schedule): an event that repeats.
//!
//! The expansion is bounded, and depends on the month in which the document is read.

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Weekday};

use super::{
    node::JsonLdNode,
    status::list_constants,
    times::{IsoDuration, TimeReader},
    value::JsonValue,
    weekday::WeekdayRule,
};
use crate::provider::{
    format::{
        recurrence::{ReadMonth, describe_limit},
        values::{self, ItemErrors, describe_missing, name_field},
    },
    local_time::{DayEdge, LocalTime},
    quote::quote,
};

/// Schedules of one event, such as one for each day of the week.
const MAX_SCHEDULES: usize = 50;
/// Days in which dates are counted: ten years.
const MAX_COUNTED_DAYS: Days = Days::new(3_653);

/// A date of a schedule.
#[derive(Clone, Debug)]
pub(super) struct ScheduledTime {
    pub(super) start: LocalTime,
    pub(super) end: Option<LocalTime>,
}

/// When an event repeats.
struct Recurrence {
    first: NaiveDate,
    last: Option<NaiveDate>,
    count: Option<usize>,
    unit: RecurrenceUnit,
    interval: i64,
    weekdays: Vec<WeekdayRule>,
    months: Vec<u32>,
    month_days: Vec<u32>,
    month_weeks: Vec<u32>,
    exceptions: Vec<NaiveDate>,
}

/// A time of the day.
struct Clock {
    time: NaiveTime,
    /// `Z` or `+02:00`; blank if it is the clock of the schedule's zone.
    offset: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecurrenceUnit {
    Day,
    Week,
    Month,
    Year,
}

/// Reads the dates of the schedules of an event; `start` is the first date of those that have none.
pub(super) fn read_schedules(
    schedules: &[JsonLdNode<'_>],
    start: Option<&str>,
    (times, month): (TimeReader, ReadMonth),
    errors: &mut ItemErrors,
) -> Result<Vec<ScheduledTime>, String> {
    let mut dates = Vec::new();
    let mut is_limited = schedules.len() > MAX_SCHEDULES;
    for schedule in schedules.iter().take(MAX_SCHEDULES) {
        let (more, is_complete) = read_schedule(*schedule, start, (times, month), errors)?;
        dates.extend(more);
        is_limited |= !is_complete;
    }
    dates.sort_by_key(|date| date.start.instant);
    dates.dedup_by(|later, earlier| later.start == earlier.start);
    is_limited |= month.limit(&mut dates, day_of);
    if let (true, [first, ..], [.., last]) = (is_limited, &dates[..], &dates[..]) {
        errors.warn(describe_limit("eventSchedule", day_of(first), day_of(last)));
    }
    Ok(dates)
}

fn day_of(date: &ScheduledTime) -> NaiveDate {
    split_wall_clock(&date.start).map_or(NaiveDate::MAX, |(day, _)| day)
}

/// The dates of a schedule that are imported, and whether these are all. It repeats on the clock of its time zone; if it has none, on the
/// clock of the venue.
fn read_schedule(
    schedule: JsonLdNode<'_>,
    start: Option<&str>,
    (times, month): (TimeReader, ReadMonth),
    errors: &mut ItemErrors,
) -> Result<(Vec<ScheduledTime>, bool), String> {
    let zone = errors.tolerate(schedule.optional("scheduleTimezone", values::parse_time_zone));
    let schedule_times = TimeReader { zone: zone.unwrap_or(times.zone) };
    let first_time = read_first(schedule, start, (times, schedule_times))?;
    let (first, first_clock) = split_wall_clock(&first_time)?;
    let first_clock = first_clock.map(|time| Clock { time, offset: String::new() });
    let start_clock = schedule.optional("startTime", parse_clock)?.or(first_clock);
    let end_clock = errors.tolerate(schedule.optional("endTime", parse_clock));
    let duration = errors.tolerate(schedule.optional("duration", IsoDuration::parse));
    let recurrence = Recurrence::read(schedule, first, schedule_times, errors)?;
    let (dates, is_complete) = recurrence.expand(month);
    let read_time = |date: NaiveDate, clock: &Clock, edge| {
        let is_other_zone = clock.offset.is_empty() && schedule_times.zone != times.zone;
        let offset = if is_other_zone { format!("[{}]", schedule_times.zone) } else { clock.offset.clone() };
        times.parse(&format!("{date}T{}{offset}", clock.time.format("%H:%M:%S")), edge)
    };
    let dates = dates.into_iter().map(|date| {
        let start = match &start_clock {
            Some(clock) => read_time(date, clock, DayEdge::Start)?,
            None => times.parse(&date.to_string(), DayEdge::Start)?,
        };
        let end = match (&start_clock, &end_clock, duration) {
            (Some(_), Some(clock), _) => {
                let mut end = read_time(date, clock, DayEdge::End)?;
                // An end at an earlier time is on the next day.
                if LocalTime::check_order(&start, &mut end).is_err() {
                    end = read_time(date.checked_add_days(Days::new(1)).unwrap_or(date), clock, DayEdge::End)?;
                }
                LocalTime::check_order(&start, &mut end).is_ok().then_some(end)
            }
            (_, _, Some(duration)) => Some(times.add(&start, duration)?),
            _ => start.end_of_day(times.zone),
        };
        Ok(ScheduledTime { start, end })
    });
    Ok((dates.collect::<Result<_, String>>()?, is_complete))
}

/// The first date of the schedule. If it has none, the event begins it, on the clock of the venue.
fn read_first(
    schedule: JsonLdNode<'_>,
    start: Option<&str>,
    (times, schedule_times): (TimeReader, TimeReader),
) -> Result<LocalTime, String> {
    if let Some(text) = schedule.text("startDate") {
        return name_field("startDate", schedule_times.parse(text, DayEdge::Start));
    }
    let text = start.ok_or_else(|| describe_missing(&["eventSchedule.startDate"]))?;
    let first = name_field("startDate", times.parse(text, DayEdge::Start))?;
    let has_clock = first.wall_clock.contains('T');
    if has_clock { schedule_times.parse(&format!("{}[{}]", first.wall_clock, times.zone), DayEdge::Start) } else { Ok(first) }
}

impl Recurrence {
    fn read(schedule: JsonLdNode<'_>, first: NaiveDate, times: TimeReader, errors: &mut ItemErrors) -> Result<Self, String> {
        let weekdays = read_weekdays(schedule)?;
        let frequency = schedule.optional("repeatFrequency", parse_frequency)?;
        let month_days = read_numbers(schedule, "byMonthDay")?;
        // `1MO` is a day of the month.
        let is_weekly = !weekdays.is_empty() && weekdays.iter().all(|rule| rule.ordinal.is_none());
        let default_unit = if is_weekly { RecurrenceUnit::Week } else { RecurrenceUnit::Month };
        let (unit, interval) = frequency.unwrap_or((default_unit, 1));
        let last = times.read_optional(schedule, "endDate", DayEdge::End, errors);
        let exceptions = schedule.parts("exceptDate").into_iter().filter_map(|date| {
            let time = errors.tolerate(name_field("exceptDate", times.parse(date.text()?, DayEdge::Start)).map(Some))?;
            split_wall_clock(&time).ok()
        });
        let exceptions = exceptions.map(|(date, _)| date).collect();
        // Without a rule, there is only the first date.
        let is_single = frequency.is_none() && weekdays.is_empty() && month_days.is_empty();
        let count = schedule.optional("repeatCount", parse_number)?.or(is_single.then_some(1));
        Ok(Self {
            first,
            last: last.map(|last| split_wall_clock(&last)).transpose()?.map(|(date, _)| date),
            count,
            unit,
            interval,
            weekdays,
            months: read_numbers(schedule, "byMonth")?,
            month_days,
            month_weeks: read_numbers(schedule, "byMonthWeek")?,
            exceptions,
        })
    }

    /// The dates around a month, and whether they are all.
    fn expand(&self, month: ReadMonth) -> (Vec<NaiveDate>, bool) {
        let last_date = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX);
        let horizon = month.latest(self.first).min(last_date);
        let is_over = self.last.is_some_and(|last| last < month.earliest());
        let (start, horizon) = if self.count.is_some() || is_over {
            (self.first, horizon.min(self.first.checked_add_days(MAX_COUNTED_DAYS).unwrap_or(NaiveDate::MAX)))
        } else {
            (self.first.max(month.earliest()), horizon)
        };
        let end = self.last.map_or(horizon, |last| last.min(horizon));
        let matching = start.iter_days().take_while(|date| *date <= end).filter(|date| self.contains(*date));
        let mut dates: Vec<NaiveDate> = matching.take(self.count.unwrap_or(usize::MAX)).collect();
        let is_counted = self.count.is_some_and(|count| dates.len() == count);
        let is_complete = start == self.first && (is_counted || self.last.is_some_and(|last| last <= horizon));
        dates.retain(|date| !self.exceptions.contains(date));
        let is_limited = month.limit(&mut dates, |date| *date);
        (dates, is_complete && !is_limited)
    }

    fn contains(&self, date: NaiveDate) -> bool {
        let has = |allowed: &[u32], value: u32| allowed.is_empty() || allowed.contains(&value);
        let has_ordinals = self.weekdays.iter().any(|rule| rule.ordinal.is_some());
        // As in iCalendar, `20MO` is a day of the year if there are no months.
        let is_of_year = self.unit == RecurrenceUnit::Year && self.months.is_empty() && has_ordinals;
        let is_weekday = self.weekdays.is_empty() || self.weekdays.iter().any(|rule| rule.contains(date, is_of_year));
        let is_same_day = date.day() == self.first.day();
        let months = i64::from(date.year() - self.first.year()) * 12 + i64::from(date.month0()) - i64::from(self.first.month0());
        // Without a rule for the day of the month, it is the first date's.
        let has_day_rule = !self.month_days.is_empty() || !self.month_weeks.is_empty() || !self.weekdays.is_empty();
        let (steps, is_day) = match self.unit {
            RecurrenceUnit::Day => ((date - self.first).num_days(), true),
            RecurrenceUnit::Week => {
                let monday = |date: NaiveDate| date.week(Weekday::Mon).first_day();
                let is_first_weekday = !self.weekdays.is_empty() || date.weekday() == self.first.weekday();
                ((monday(date) - monday(self.first)).num_days() / 7, is_first_weekday)
            }
            RecurrenceUnit::Month => (months, has_day_rule || is_same_day),
            RecurrenceUnit::Year => {
                let is_same_month = is_of_year || !self.months.is_empty() || date.month() == self.first.month();
                (i64::from(date.year() - self.first.year()), is_same_month && (has_day_rule || is_same_day))
            }
        };
        steps % self.interval == 0
            && is_day
            && is_weekday
            && has(&self.months, date.month())
            && has(&self.month_days, date.day())
            && has(&self.month_weeks, date.day0() / 7 + 1)
    }
}

/// A frequency as an ISO 8601 duration with one unit, or as a word.
fn parse_frequency(text: &str) -> Result<(RecurrenceUnit, i64), String> {
    let unit = |letter: char| match letter {
        'D' => Some(RecurrenceUnit::Day),
        'W' => Some(RecurrenceUnit::Week),
        'M' => Some(RecurrenceUnit::Month),
        'Y' => Some(RecurrenceUnit::Year),
        _ => None,
    };
    let of_word = match text.to_ascii_lowercase().as_str() {
        "daily" => Some((RecurrenceUnit::Day, 1)),
        "weekly" => Some((RecurrenceUnit::Week, 1)),
        "monthly" => Some((RecurrenceUnit::Month, 1)),
        "yearly" | "annually" => Some((RecurrenceUnit::Year, 1)),
        _ => None,
    };
    let of_duration = || {
        let rest = text.strip_prefix('P')?;
        let letter = rest.chars().last()?;
        let interval: u16 = rest.strip_suffix(letter)?.parse().ok().filter(|interval| *interval > 0)?;
        Some((unit(letter)?, i64::from(interval)))
    };
    of_word.or_else(of_duration).ok_or_else(|| format!("must be a frequency such as P1W, got {}", quote(text)))
}

/// The days of the week, of which a text may have several, as in iCalendar: `MO,WE`.
fn read_weekdays(schedule: JsonLdNode<'_>) -> Result<Vec<WeekdayRule>, String> {
    let mut rules = Vec::new();
    for value in schedule.parts("byDay") {
        let names = list_constants(value);
        let read = |name: &str| name.split(',').map(WeekdayRule::parse).collect::<Result<Vec<_>, _>>();
        let readable = names.iter().find_map(|name| read(name).ok());
        let unreadable = || names.first().map_or(Ok(Vec::new()), |name| read(name));
        for rule in readable.map_or_else(unreadable, Ok)? {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    Ok(rules)
}

fn read_numbers(schedule: JsonLdNode<'_>, property: &str) -> Result<Vec<u32>, String> {
    let texts = schedule.parts(property).into_iter().filter_map(JsonValue::text);
    texts.map(|text| name_field(property, text.parse().map_err(|_| describe_number(text)))).collect()
}

fn parse_number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| describe_number(text))
}

fn describe_number(text: &str) -> String {
    format!("must be an integer of 0 or more, got {}", quote(text))
}

fn parse_clock(text: &str) -> Result<Clock, String> {
    let written = text.rsplit('T').next().unwrap_or(text);
    let (clock, offset) = written.split_at(written.find(['Z', 'z', '+', '-']).unwrap_or(written.len()));
    let clock = clock.trim_ascii_end();
    let time = NaiveTime::parse_from_str(clock, "%H:%M:%S%.f").or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M"));
    let is_offset = LocalTime::parse(&format!("2000-01-01T00:00:00{offset}"), chrono_tz::UTC, DayEdge::Start).is_ok();
    let time = time.ok().filter(|_| is_offset);
    let time = time.ok_or_else(|| format!("must be a time such as 20:00, got {}", quote(text)))?;
    Ok(Clock { time, offset: offset.to_owned() })
}

fn split_wall_clock(time: &LocalTime) -> Result<(NaiveDate, Option<NaiveTime>), String> {
    let (date, clock) =
        time.wall_clock.split_once('T').map_or((time.wall_clock.as_str(), None), |(date, clock)| (date, Some(clock)));
    let date = date.parse().map_err(|_| format!("must be a date, got {}", quote(date)))?;
    Ok((date, clock.map(|clock| parse_clock(clock).map(|clock| clock.time)).transpose()?))
}
