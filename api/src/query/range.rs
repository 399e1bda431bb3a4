//! The filters `starts_at` and `ends_at`.

use entity::{
    UtcInstant,
    footprint::{DayRange, day_of},
};
use serde::Serialize;

use super::{Edge, Parameters, filters::serialize_instant, parse_moment};
use crate::response::to_rfc3339;

/// A range of time. Absent bounds are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TimeRange {
    /// Events that start at or after this instant.
    #[serde(serialize_with = "serialize_instant", skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<UtcInstant>,
    /// Events that end at or before this instant.
    #[serde(serialize_with = "serialize_instant", skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<UtcInstant>,
}

impl TimeRange {
    /// Reads the two parameters.
    #[must_use]
    pub fn read(parameters: &mut Parameters<'_>) -> Self {
        let starts_at = parameters.get("starts_at", |text| parse_moment(text, Edge::Start));
        let ends_at = parameters.get("ends_at", |text| parse_moment(text, Edge::End));
        if let (Some(starts_at), Some(ends_at)) = (starts_at, ends_at)
            && starts_at > ends_at
        {
            parameters.add_error("ends_at", format!("must not be before `starts_at`, which is {}", to_rfc3339(starts_at)));
        }
        Self { starts_at, ends_at }
    }

    /// The days in UTC of the events in the range; `None` for all.
    #[must_use]
    pub fn days(&self) -> Option<DayRange> {
        let Self { starts_at, ends_at } = self;
        let is_bounded = starts_at.is_some() || ends_at.is_some();
        is_bounded.then(|| (starts_at.map_or(i32::MIN, day_of), ends_at.map_or(i32::MAX, day_of)))
    }
}
