//! Cron schedules: the `schedule` column.

use std::{fmt, str::FromStr};

use chrono::SubsecRound;
use croner::{
    Cron,
    parser::{CronParser, Seconds},
};

use crate::UtcInstant;

/// A cron schedule of six or seven fields, seconds first, in UTC: `0 */10 * * * *` is every ten minutes.
///
/// The syntax is that of the [croner](https://docs.rs/croner) crate. A day of the month and a day of the week must both match.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(Cron);

impl Schedule {
    /// The first tick after an instant; `None` if there is none (its year has passed).
    #[must_use]
    pub fn next_after(&self, instant: UtcInstant) -> Option<UtcInstant> {
        // croner would copy the fraction of a second into the tick.
        let second = instant.to_utc()?.trunc_subsecs(0);
        self.0.find_next_occurrence(&second, false).ok().map(UtcInstant::from)
    }

    /// The last tick at or before an instant; `None` if there was none. All processes compute the same one, however late they run.
    #[must_use]
    pub fn last_at(&self, instant: UtcInstant) -> Option<UtcInstant> {
        let second = instant.to_utc()?.trunc_subsecs(0);
        self.0.find_previous_occurrence(&second, true).ok().map(UtcInstant::from)
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build().parse(text).map(Self).map_err(|error| {
            format!("must be a cron schedule of six fields, seconds first, such as `0 */10 * * * *`, got `{text}`: {error}")
        })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_after_returns_a_later_tick_in_utc() {
        let schedule: Schedule = "0 */10 * * * *".parse().expect("a schedule");
        let tick = |text: &str| UtcInstant::from(text.parse::<chrono::DateTime<chrono::Utc>>().expect("a date"));
        assert_eq!(schedule.next_after(tick("2021-06-30T20:59:59.5Z")), Some(tick("2021-06-30T21:00:00Z")));
        assert_eq!(schedule.next_after(tick("2021-06-30T21:00:00Z")), Some(tick("2021-06-30T21:10:00Z")));
    }

    #[test]
    fn last_at_returns_the_newest_tick() {
        let tick = |text: &str| UtcInstant::from(text.parse::<chrono::DateTime<chrono::Utc>>().expect("a date"));
        for (schedule, instant, last) in [
            ("0 */10 * * * *", "2021-06-30T21:00:00Z", Some("2021-06-30T21:00:00Z")),
            ("0 */10 * * * *", "2021-06-30T21:09:59.999999Z", Some("2021-06-30T21:00:00Z")),
            ("* * * * * *", "2021-06-30T21:09:59.999999Z", Some("2021-06-30T21:09:59Z")),
            ("0 0 0 1 1 *", "2021-06-30T21:09:59Z", Some("2021-01-01T00:00:00Z")),
            ("0 0 0 29 2 *", "2023-06-30T21:09:59Z", Some("2020-02-29T00:00:00Z")),
            ("0 0 0 1 1 * 2099", "2021-06-30T21:09:59Z", None),
        ] {
            let schedule: Schedule = schedule.parse().expect("a schedule");
            assert_eq!(schedule.last_at(tick(instant)), last.map(tick), "{schedule} at {instant}");
        }
    }

    #[test]
    fn rejects_five_fields() {
        let error = "*/10 * * * *".parse::<Schedule>().expect_err("seconds are missing");
        assert!(error.contains("seconds first"), "{error}");
    }
}
