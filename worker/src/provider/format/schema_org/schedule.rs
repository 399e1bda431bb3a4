//! The dates of a [`Schedule`](https://schema.org/Schedule): an event that repeats.
//!
//! The expansion is bounded, and depends on the month in which the document is read.

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Weekday};

use super::{
    node::JsonLdNode,
    status::find_constant,
    times::{IsoDuration, TimeReader},
    value::JsonValue,
};
use crate::provider::{
    format::{
        recurrence::{ReadMonth, describe_limit},
        values::{ItemErrors, describe_missing, name_field},
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
    weekdays: Vec<Weekday>,
    months: Vec<u32>,
    month_days: Vec<u32>,
    month_weeks: Vec<u32>,
    exceptions: Vec<NaiveDate>,
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

/// The dates of a schedule that are imported, and whether these are all.
fn read_schedule(
    schedule: JsonLdNode<'_>,
    start: Option<&str>,
    (times, month): (TimeReader, ReadMonth),
    errors: &mut ItemErrors,
) -> Result<(Vec<ScheduledTime>, bool), String> {
    let first_text = schedule.text("startDate").or(start).ok_or_else(|| describe_missing(&["eventSchedule.startDate"]))?;
    let first_time = name_field("startDate", times.parse(first_text, DayEdge::Start))?;
    let (first, first_clock) = split_wall_clock(&first_time)?;
    let clock = |property| schedule.optional(property, parse_clock);
    let start_clock = clock("startTime")?.or(first_clock);
    let end_clock = errors.tolerate(clock("endTime"));
    let duration = errors.tolerate(schedule.optional("duration", IsoDuration::parse));
    let recurrence = Recurrence::read(schedule, first, times, errors)?;
    let (dates, is_complete) = recurrence.expand(month);
    let dates = dates.into_iter().map(|date| {
        let start = times.parse(&join_wall_clock(date, start_clock), DayEdge::Start)?;
        let end = match (start_clock, end_clock, duration) {
            (Some(starts), Some(ends), _) => {
                // An end at an earlier time is on the next day.
                let day = if ends < starts { date.checked_add_days(Days::new(1)).unwrap_or(date) } else { date };
                Some(times.parse(&join_wall_clock(day, Some(ends)), DayEdge::End)?)
            }
            (_, _, Some(duration)) => Some(times.add(&start, duration)?),
            _ => start.end_of_day(times.zone),
        };
        Ok(ScheduledTime { start, end })
    });
    Ok((dates.collect::<Result<_, String>>()?, is_complete))
}

impl Recurrence {
    fn read(schedule: JsonLdNode<'_>, first: NaiveDate, times: TimeReader, errors: &mut ItemErrors) -> Result<Self, String> {
        let weekdays = schedule.parts("byDay").into_iter().filter_map(find_constant).map(parse_weekday);
        let weekdays: Vec<Weekday> = weekdays.collect::<Result<_, _>>()?;
        let frequency = schedule.optional("repeatFrequency", parse_frequency)?;
        let month_days = read_numbers(schedule, "byMonthDay")?;
        let default_unit = if weekdays.is_empty() { RecurrenceUnit::Month } else { RecurrenceUnit::Week };
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
        let is_weekday = self.weekdays.is_empty() || self.weekdays.contains(&date.weekday());
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
                let is_same_month = !self.months.is_empty() || date.month() == self.first.month();
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

/// A day of the week as a name of schema.org, in English, or as two letters as in iCalendar.
fn parse_weekday(text: &str) -> Result<Weekday, String> {
    let name = text.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(text);
    let by_letters = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].iter().position(|letters| letters.eq_ignore_ascii_case(name));
    let weekday = match by_letters.and_then(|index| u8::try_from(index).ok()) {
        Some(index) => Weekday::try_from(index).ok(),
        None => name.parse().ok(),
    };
    weekday.ok_or_else(|| format!("`byDay` must be a day of the week such as Monday, got {}", quote(text)))
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

fn parse_clock(text: &str) -> Result<NaiveTime, String> {
    let text = text.rsplit('T').next().unwrap_or(text);
    // An offset is the venue's, which the time zone determines.
    let clock = text.split(['Z', '+', '-']).next().unwrap_or(text);
    let clock = NaiveTime::parse_from_str(clock, "%H:%M:%S%.f").or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M"));
    clock.map_err(|_| format!("must be a time such as 20:00, got {}", quote(text)))
}

fn split_wall_clock(time: &LocalTime) -> Result<(NaiveDate, Option<NaiveTime>), String> {
    let (date, clock) =
        time.wall_clock.split_once('T').map_or((time.wall_clock.as_str(), None), |(date, clock)| (date, Some(clock)));
    let date = date.parse().map_err(|_| format!("must be a date, got {}", quote(date)))?;
    Ok((date, clock.map(parse_clock).transpose()?))
}

fn join_wall_clock(date: NaiveDate, clock: Option<NaiveTime>) -> String {
    clock.map_or_else(|| date.to_string(), |clock| format!("{date}T{}", clock.format("%H:%M:%S")))
}
