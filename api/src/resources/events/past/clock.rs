//! The instants of wall clocks that only the log of changes has, as the worker computes them from a feed.

use chrono::{Days, Duration, LocalResult, NaiveDateTime, NaiveTime, Offset, TimeZone};
use chrono_tz::Tz;
use entity::{UtcInstant, parse_day};

use crate::query::Edge;

/// The instant of a wall clock, such as `2021-06-30T21:00:00`, or of the edge of a day. `None` if it is neither.
pub(super) fn to_instant(wall_clock: &str, zone: Tz, edge: Edge) -> Option<UtcInstant> {
    match wall_clock.split_once('T') {
        Some(_) => Some(find_instant(wall_clock.parse().ok()?, zone)),
        None => {
            let day = parse_day(wall_clock).ok()?;
            let start_of = |day: chrono::NaiveDate| find_instant(day.and_time(NaiveTime::MIN), zone);
            match edge {
                Edge::Start => Some(start_of(day)),
                Edge::End => Some(UtcInstant(start_of(day.checked_add_days(Days::new(1))?).0 - 1)),
            }
        }
    }
}

/// A time that clocks skip is read with the offset before the change, and one that occurs twice is the first of the two.
fn find_instant(local: NaiveDateTime, zone: Tz) -> UtcInstant {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc().into(),
        LocalResult::None => {
            let before = zone.from_utc_datetime(&(local - Duration::days(1)));
            (local - Duration::seconds(before.offset().fix().local_minus_utc().into())).and_utc().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clocks_are_instants_as_in_the_worker() {
        for (text, edge, expected) in [
            ("2021-06-30T21:00:00", Edge::Start, "2021-06-30T19:00:00+00:00"),
            ("2021-06-30T21:00:00.25", Edge::End, "2021-06-30T19:00:00.250+00:00"),
            ("2021-03-28T02:30:00", Edge::Start, "2021-03-28T01:30:00+00:00"),
            ("2021-10-31T02:30:00", Edge::End, "2021-10-31T00:30:00+00:00"),
            ("2021-06-30", Edge::Start, "2021-06-29T22:00:00+00:00"),
            ("2021-06-30", Edge::End, "2021-06-30T21:59:59.999999+00:00"),
        ] {
            let instant = to_instant(text, Tz::Europe__Madrid, edge).and_then(UtcInstant::to_utc);
            assert_eq!(instant.map(|instant| instant.to_rfc3339()).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(to_instant("2021-02-30", Tz::UTC, Edge::Start), None);
        assert_eq!(to_instant("T", Tz::UTC, Edge::Start), None);
    }
}
