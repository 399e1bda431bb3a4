//! The filters `starts_at`, `ends_at`, `range` and `time_zone`.

use std::fmt;

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use entity::{
    UtcInstant,
    footprint::{DayRange, day_of},
};
use poem_openapi::registry::MetaSchema;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::filters::FilterDefaults;
use crate::{
    query::{Edge, Moment, ParameterKind, Parameters, TimeRange},
    response::to_rfc3339,
};

/// The time zone that means the clock of each event's venue.
const VENUE: &str = "venue";
/// No two clocks on the earth differ by more: from twelve hours behind UTC to fourteen hours ahead of it.
const MAX_OFFSET_MICROS: i64 = 14 * 3_600 * 1_000_000;

/// When events take place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum When {
    /// They have not ended.
    #[default]
    NotEnded,
    /// At any time.
    Always,
    /// From a bound to another one.
    Between(Between),
}

/// A range of time. Absent bounds are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Between {
    pub(super) starts_at: Option<Bound>,
    pub(super) ends_at: Option<Bound>,
    pub(super) kind: RangeKind,
}

/// A bound of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// An instant.
    At(UtcInstant),
    /// What the clock of each event's venue shows.
    OnVenueClock(NaiveDateTime),
}

/// Which events are in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeKind {
    /// Those that start and end within it.
    Within,
    /// Those that start within it.
    Starts,
    /// Those that are on at some moment of it.
    Overlaps,
}

/// The clock of dates and times without an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    In(Tz),
    OfVenue,
}

/// The name of a range.
#[derive(Debug)]
pub(crate) struct RangeText;

/// The name of a time zone.
#[derive(Debug)]
pub(crate) struct TimeZoneText;

impl When {
    /// Reads the parameters.
    pub(super) fn read(parameters: &mut Parameters<'_>, defaults: FilterDefaults) -> Option<Self> {
        let clock = parameters.get("time_zone", parse_clock).unwrap_or_else(|| defaults.clock());
        let starts_at = parameters.get("starts_at", |text| clock.parse(text, Edge::Start));
        let ends_at = parameters.get("ends_at", |text| clock.parse(text, Edge::End));
        let kind = parameters.get("range", parse_range);
        if let Some((starts_at, _)) = starts_at.zip(ends_at).filter(|(starts_at, ends_at)| starts_at.is_after(*ends_at)) {
            parameters.add_error("ends_at", format!("must not be before `starts_at`, which is {starts_at}"));
        }
        let is_bounded = starts_at.is_some() || ends_at.is_some();
        match kind {
            Some(None) if is_bounded => {
                parameters.add_error("range", "`all` cannot be combined with `starts_at` and `ends_at`");
                None
            }
            Some(None) => Some(Self::Always),
            kind if is_bounded => {
                let kind = kind.flatten().unwrap_or_else(|| defaults.range());
                Some(Self::Between(Between { starts_at, ends_at, kind }))
            }
            _ => None,
        }
    }

    /// The range of instants within which all events start and end, if there is no other condition.
    pub(super) fn as_time_range(&self) -> Option<TimeRange> {
        let instant = |bound: Option<Bound>| match bound {
            Some(Bound::At(instant)) => Some(Some(instant)),
            Some(Bound::OnVenueClock(_)) => None,
            None => Some(None),
        };
        match self {
            Self::Always => Some(TimeRange::default()),
            Self::Between(Between { starts_at, ends_at, kind: RangeKind::Within }) => {
                Some(TimeRange { starts_at: instant(*starts_at)?, ends_at: instant(*ends_at)? })
            }
            Self::NotEnded | Self::Between(_) => None,
        }
    }

    /// The days in UTC of the events; `None` for all.
    pub(super) fn days(&self) -> Option<DayRange> {
        let Self::Between(between) = self else { return None };
        let (first, last) = between.instants();
        Some((first.map_or(i32::MIN, day_of), last.map_or(i32::MAX, day_of)))
    }

    /// The first and the last day of the range: those of the clock at the venue, or of a time zone for bounds that are instants.
    pub(super) fn edges(&self, zone: Tz) -> (Option<NaiveDate>, Option<NaiveDate>) {
        let Self::Between(between) = self else { return (None, None) };
        (between.starts_at.and_then(|bound| bound.day(zone)), between.ends_at.and_then(|bound| bound.day(zone)))
    }

    /// Whether the range consists of whole days of the clock at the venue.
    pub(super) fn has_whole_days(&self) -> bool {
        let Self::Between(Between { starts_at, ends_at, kind: RangeKind::Starts }) = self else { return false };
        let is_edge = |bound: &Option<Bound>, edge| match bound {
            Some(Bound::OnVenueClock(local)) => *local == edge_of_day(local.date(), edge),
            Some(Bound::At(_)) => false,
            None => true,
        };
        is_edge(starts_at, Edge::Start) && is_edge(ends_at, Edge::End)
    }

    /// Whether every event of the range ends after an instant.
    pub(super) fn is_after(&self, now: UtcInstant) -> bool {
        match self {
            Self::NotEnded => true,
            Self::Always => false,
            Self::Between(between) => between.instants().0.is_some_and(|first| first > now),
        }
    }
}

impl Between {
    /// Instants between which all events of the range take place.
    pub(super) fn instants(&self) -> (Option<UtcInstant>, Option<UtcInstant>) {
        (
            self.starts_at.map(|bound| bound.instant(-MAX_OFFSET_MICROS)),
            self.ends_at.map(|bound| bound.instant(MAX_OFFSET_MICROS)),
        )
    }
}

impl Bound {
    /// The instant, or the one on the clock that is the furthest.
    fn instant(self, max_offset: i64) -> UtcInstant {
        match self {
            Self::At(instant) => instant,
            Self::OnVenueClock(local) => UtcInstant(UtcInstant::from(local.and_utc()).0 + max_offset),
        }
    }

    fn day(self, zone: Tz) -> Option<NaiveDate> {
        match self {
            Self::At(instant) => instant.to_utc().map(|instant| instant.with_timezone(&zone).date_naive()),
            Self::OnVenueClock(local) => Some(local.date()),
        }
    }

    /// Whether it is after a bound of the same kind.
    fn is_after(self, other: Self) -> bool {
        match (self, other) {
            (Self::At(instant), Self::At(other)) => instant > other,
            (Self::OnVenueClock(local), Self::OnVenueClock(other)) => local > other,
            _ => false,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(instant) => formatter.write_str(&to_rfc3339(*instant)),
            Self::OnVenueClock(local) => local.format("%Y-%m-%dT%H:%M:%S%.f").fmt(formatter),
        }
    }
}

impl Clock {
    fn parse(self, text: &str, edge: Edge) -> Result<Bound, String> {
        let moment = Moment::parse(text)?;
        match (self, moment) {
            (Self::OfVenue, Moment::Local(local)) => Ok(Bound::OnVenueClock(local)),
            (Self::OfVenue, Moment::Date(date)) => Ok(Bound::OnVenueClock(edge_of_day(date, edge))),
            (Self::OfVenue, Moment::Instant(_)) => moment.resolve(Tz::UTC, edge).map(Bound::At),
            (Self::In(zone), _) => moment.resolve(zone, edge).map(Bound::At),
        }
    }
}

fn edge_of_day(date: NaiveDate, edge: Edge) -> NaiveDateTime {
    match edge {
        Edge::Start => date.and_time(NaiveTime::MIN),
        Edge::End => (date + Days::new(1)).and_time(NaiveTime::MIN) - TimeDelta::microseconds(1),
    }
}

fn parse_clock(text: &str) -> Result<Clock, String> {
    if text == VENUE {
        return Ok(Clock::OfVenue);
    }
    let requirement = || format!("must be an IANA time zone such as Europe/Madrid, or `{VENUE}`");
    text.parse().map(Clock::In).map_err(|_| requirement())
}

/// Parses the value of `range`; `None` is `all`.
fn parse_range(text: &str) -> Result<Option<RangeKind>, String> {
    match text {
        "within" => Ok(Some(RangeKind::Within)),
        "starts" => Ok(Some(RangeKind::Starts)),
        "overlaps" => Ok(Some(RangeKind::Overlaps)),
        "all" => Ok(None),
        _ => Err("must be `within`, `starts`, `overlaps` or `all`".to_owned()),
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::NotEnded => {}
            Self::Always => map.serialize_entry("range", "all")?,
            Self::Between(Between { starts_at, ends_at, kind }) => {
                let mut is_local = false;
                for (name, bound) in [("starts_at", starts_at), ("ends_at", ends_at)] {
                    if let Some(bound) = bound {
                        map.serialize_entry(name, &bound.to_string())?;
                        is_local |= matches!(bound, Bound::OnVenueClock(_));
                    }
                }
                if is_local {
                    map.serialize_entry("time_zone", VENUE)?;
                }
                match kind {
                    RangeKind::Within => {}
                    RangeKind::Starts => map.serialize_entry("range", "starts")?,
                    RangeKind::Overlaps => map.serialize_entry("range", "overlaps")?,
                }
            }
        }
        map.end()
    }
}

impl ParameterKind for RangeText {
    fn schema() -> MetaSchema {
        MetaSchema { enum_items: ["within", "starts", "overlaps", "all"].map(Into::into).into(), ..MetaSchema::new("string") }
    }
}

impl ParameterKind for TimeZoneText {
    fn schema() -> MetaSchema {
        MetaSchema {
            pattern: Some("^[A-Za-z0-9_+/-]*$".to_owned()),
            example: Some("Europe/Madrid".into()),
            ..MetaSchema::new("string")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(query: &str) -> Between {
        let mut parameters = Parameters::parse(query);
        let when = When::read(&mut parameters, FilterDefaults::Upcoming);
        parameters.finish(()).unwrap_or_else(|error| panic!("{query}: {error:?}"));
        match when {
            Some(When::Between(between)) => between,
            other => panic!("{query}: {other:?}"),
        }
    }

    fn instants(query: &str) -> [String; 2] {
        let Between { starts_at, ends_at, .. } = between(query);
        [starts_at, ends_at].map(|bound| match bound {
            Some(Bound::At(instant)) => to_rfc3339(instant),
            other => panic!("{query}: {other:?}"),
        })
    }

    #[test]
    fn dates_are_days_of_the_time_zone() {
        for (query, expected) in [
            ("starts_at=2027-03-28&ends_at=2027-03-28", ["2027-03-28T00:00:00Z", "2027-03-28T23:59:59.999999Z"]),
            // Clocks are set forward: the day has 23 hours.
            (
                "starts_at=2027-03-28&ends_at=2027-03-28&time_zone=Europe/Madrid",
                ["2027-03-27T23:00:00Z", "2027-03-28T21:59:59.999999Z"],
            ),
            // Clocks are set back: the day has 25 hours.
            (
                "starts_at=2027-10-31&ends_at=2027-10-31&time_zone=Europe/Madrid",
                ["2027-10-30T22:00:00Z", "2027-10-31T22:59:59.999999Z"],
            ),
            // The time occurs twice.
            (
                "starts_at=2027-10-31T02:30&ends_at=2027-10-31T02:30&time_zone=Europe/Madrid",
                ["2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z"],
            ),
            // The time does not occur.
            (
                "starts_at=2027-03-28T02:30&ends_at=2027-03-28T02:30&time_zone=Europe/Madrid",
                ["2027-03-28T01:00:00Z", "2027-03-28T01:00:00Z"],
            ),
            (
                "starts_at=2027-03-28T02:30Z&ends_at=2027-03-28T05:00%2B01:00&time_zone=Asia/Tokyo",
                ["2027-03-28T02:30:00Z", "2027-03-28T04:00:00Z"],
            ),
        ] {
            assert_eq!(instants(query), expected, "{query}");
        }
    }

    #[test]
    fn every_clock_of_the_earth_shows_the_day_between_the_instants() {
        let (first, last) = between("starts_at=2027-03-28&ends_at=2027-03-28&time_zone=venue").instants();
        assert_eq!(first.map(to_rfc3339).as_deref(), Some("2027-03-27T10:00:00Z"));
        assert_eq!(last.map(to_rfc3339).as_deref(), Some("2027-03-29T13:59:59.999999Z"));
    }
}
