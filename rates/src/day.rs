//! Days of the calendar.

use std::fmt;

use chrono::{Datelike, NaiveDate, TimeDelta};

/// From the 20th to the 22nd century: nobody sells travels outside, so such a day is a typing error.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2199;

/// A day of the Gregorian calendar, as the number of days since 1970-01-01: what both databases compare and add alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// Reads `2021-01-31`, and nothing else.
    ///
    /// # Errors
    ///
    /// What is wrong and what would be right, in a sentence.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let digits = |range: std::ops::Range<usize>| {
            let digits = text.get(range)?;
            digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
        };
        let parts = || {
            let is_shaped = text.len() == 10 && text[4] == b'-' && text[7] == b'-';
            is_shaped.then_some((digits(0..4)?, digits(5..7)?, digits(8..10)?))
        };
        let (year, month, day) = parts().ok_or_else(|| "is no day: want one such as 2021-01-31".to_owned())?;
        let date = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
        let date = date.ok_or_else(|| "is no day of the calendar".to_owned())?;
        if !YEARS.contains(&date.year()) {
            return Err(format!("lies outside of {}-01-01 to {}-12-31", YEARS.start(), YEARS.end()));
        }
        Ok(Self::of(date))
    }

    /// The number of a date.
    #[must_use]
    pub fn of(date: NaiveDate) -> Self {
        let days = date.signed_duration_since(NaiveDate::default()).num_days();
        // All dates of chrono have numbers of less than 31 bits.
        Self(i32::try_from(days).unwrap_or(i32::MAX))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = NaiveDate::default() + TimeDelta::days(self.0.into());
        write!(formatter, "{}", date.format("%Y-%m-%d"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        for (text, number) in [("1970-01-01", 0), ("1969-12-31", -1), ("2021-01-31", 18_658), ("2000-02-29", 11_016)] {
            assert_eq!(Day::parse(text.as_bytes()), Ok(Day(number)));
            assert_eq!(Day(number).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_day_is_refused_with_its_reason() {
        for (text, part) in [
            ("2021-02-29", "is no day of the calendar"),
            ("2021-00-10", "is no day of the calendar"),
            ("2021-13-01", "is no day of the calendar"),
            ("2021-1-31", "such as 2021-01-31"),
            ("2021-01-31T00:00:00Z", "such as"),
            ("31-01-2021", "such as"),
            ("2021/01/31", "such as"),
            ("+021-01-31", "such as"),
            ("", "such as"),
            ("1899-12-31", "lies outside of 1900-01-01 to 2199-12-31"),
            ("2200-01-01", "lies outside"),
        ] {
            let fault = Day::parse(text.as_bytes()).unwrap_err();
            assert!(fault.contains(part), "{text}: {fault}");
        }
    }
}
