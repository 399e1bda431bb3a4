//! The day of a price.

use std::fmt;

use chrono::{Datelike, NaiveDate, TimeDelta};
use entity::parse_day;

/// The 20th to the 22nd century: a day outside of it is a typing error.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2199;

/// A day of the Gregorian calendar as the number of days since 1970-01-01, which both databases compare and add in the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// Parses a day in the form `2021-01-31`.
    ///
    /// # Errors
    ///
    /// What is accepted, to continue a sentence that names the value: "must be an existing date".
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let date = parse_day(text).map_err(|error| error.to_string())?;
        if !YEARS.contains(&date.year()) {
            return Err(format!("must be between {}-01-01 and {}-12-31", YEARS.start(), YEARS.end()));
        }
        Ok(Self::from_date(date))
    }

    /// Converts a date.
    #[must_use]
    pub fn from_date(date: NaiveDate) -> Self {
        let days = date.signed_duration_since(NaiveDate::default()).num_days();
        // The range of chrono needs less than 31 bits.
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
    fn counts_days_from_1970() {
        for (text, number) in [("1970-01-01", 0), ("1969-12-31", -1), ("2021-01-31", 18_658), ("2000-02-29", 11_016)] {
            assert_eq!(Day::parse(text.as_bytes()), Ok(Day(number)));
            assert_eq!(Day(number).to_string(), text);
        }
    }

    #[test]
    fn rejects_what_is_not_a_day_of_the_accepted_centuries() {
        for (text, message) in [
            ("2021-02-29", "must be an existing date"),
            ("2021-1-31", "must be a date in the form YYYY-MM-DD"),
            ("", "must be a date in the form YYYY-MM-DD"),
            ("1899-12-31", "must be between 1900-01-01 and 2199-12-31"),
            ("2200-01-01", "must be between 1900-01-01 and 2199-12-31"),
        ] {
            assert_eq!(Day::parse(text.as_bytes()), Err(message.to_owned()), "{text}");
        }
    }
}
