//! The status of an event in responses.

use poem_openapi::Enum;
use serde::{Deserialize, Serialize};

/// Whether an event takes place as announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// It takes place as announced.
    Scheduled,
    /// It does not take place.
    Cancelled,
    /// It takes place later, on a date that is not known yet.
    Postponed,
    /// It takes place on another date than announced before.
    Rescheduled,
    /// It takes place online instead of at its venue.
    MovedOnline,
}

impl From<entity::EventStatus> for EventStatus {
    fn from(status: entity::EventStatus) -> Self {
        match status {
            entity::EventStatus::Scheduled => Self::Scheduled,
            entity::EventStatus::Cancelled => Self::Cancelled,
            entity::EventStatus::Postponed => Self::Postponed,
            entity::EventStatus::Rescheduled => Self::Rescheduled,
            entity::EventStatus::MovedOnline => Self::MovedOnline,
        }
    }
}
