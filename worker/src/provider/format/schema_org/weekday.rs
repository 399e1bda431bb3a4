//! A value of `byDay`: a day of the week, or one of a month.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::value::last_segment;
use crate::provider::quote::quote;

/// The weeks of a year, which a number counts from either end.
const MAX_ORDINAL: u32 = 53;

/// A day of the week, perhaps only the first or the last of a month or year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WeekdayRule {
    weekday: Weekday,
    /// Negative ones count from the end.
    pub(super) ordinal: Option<i32>,
}

impl WeekdayRule {
    /// Parses a name of schema.org, in English, or as in iCalendar: `MO`, `1MO`, `-1FR`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let written = last_segment(text.trim_ascii());
        let start = written.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(written.len());
        let (ordinal, name) = written.split_at(start);
        let ordinal: Option<Option<i32>> = (!ordinal.is_empty()).then(|| ordinal.parse().ok());
        let is_ordinal = |ordinal: i32| (1..=MAX_ORDINAL).contains(&ordinal.unsigned_abs());
        match (find_weekday(name), ordinal) {
            (Some(weekday), None) => Ok(Self { weekday, ordinal: None }),
            (Some(weekday), Some(Some(ordinal))) if is_ordinal(ordinal) => Ok(Self { weekday, ordinal: Some(ordinal) }),
            _ => Err(format!("`byDay` must be a day of the week such as Monday, got {}", quote(text))),
        }
    }

    /// Whether a date is one of these days, with the number counted in its month or in its year.
    pub(super) fn contains(self, date: NaiveDate, is_of_year: bool) -> bool {
        let Some(ordinal) = self.ordinal else { return date.weekday() == self.weekday };
        let day0 = if is_of_year { date.ordinal0() } else { date.day0() };
        let last_day = if is_of_year { date.with_month(12).and_then(|date| date.with_day(31)) } else { last_of_month(date) };
        let days_left = last_day.map_or(0, |last| (last - date).num_days());
        let from_start = i64::from(day0 / 7 + 1);
        let from_end = -(days_left / 7 + 1);
        date.weekday() == self.weekday && [from_start, from_end].contains(&i64::from(ordinal))
    }
}

fn last_of_month(date: NaiveDate) -> Option<NaiveDate> {
    date.with_day(1)?.checked_add_months(chrono::Months::new(1))?.checked_sub_days(Days::new(1))
}

fn find_weekday(name: &str) -> Option<Weekday> {
    let by_letters = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].iter().position(|letters| letters.eq_ignore_ascii_case(name));
    match by_letters.and_then(|index| u8::try_from(index).ok()) {
        Some(index) => Weekday::try_from(index).ok(),
        None => name.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_days_of_the_week() {
        let rule = |weekday, ordinal| Ok(WeekdayRule { weekday, ordinal });
        for (text, expected) in [
            ("Monday", rule(Weekday::Mon, None)),
            ("https://schema.org/Friday", rule(Weekday::Fri, None)),
            ("su", rule(Weekday::Sun, None)),
            ("1MO", rule(Weekday::Mon, Some(1))),
            ("+2TU", rule(Weekday::Tue, Some(2))),
            (" -1FR", rule(Weekday::Fri, Some(-1))),
        ] {
            assert_eq!(WeekdayRule::parse(text), expected, "{text}");
        }
        for text in ["", "1", "0MO", "54MO", "--1MO", "1XX", "1é", "99999999999MO", "-2147483648MO"] {
            assert!(WeekdayRule::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_from_both_ends_of_a_month_or_year() {
        for (date, rule, is_of_year, expected) in [
            ("2031-03-03", "1MO", false, true),
            ("2031-03-10", "1MO", false, false),
            ("2031-03-31", "-1MO", false, true),
            ("2031-03-31", "5MO", false, true),
            ("2031-03-24", "-2MO", false, true),
            ("2031-05-19", "20MO", true, true),
            ("2031-05-19", "20MO", false, false),
            ("2031-12-29", "-1MO", true, true),
            ("9999-12-31", "-1FR", false, true),
            ("2031-03-04", "1MO", false, false),
        ] {
            let date: NaiveDate = date.parse().expect("a date");
            let rule = WeekdayRule::parse(rule).expect("a rule");
            assert_eq!(rule.contains(date, is_of_year), expected, "{date} {rule:?}");
        }
    }
}
