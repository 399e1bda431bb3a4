//! The status of an event, as [schema.org](https://schema.org/EventStatusType) defines it.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Whether an event takes place as announced.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// It takes place as announced.
    #[default]
    #[sea_orm(string_value = "scheduled")]
    Scheduled,
    /// It does not take place.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
    /// It takes place later, on a date that is not known yet.
    #[sea_orm(string_value = "postponed")]
    Postponed,
    /// It takes place on another date than announced before.
    #[sea_orm(string_value = "rescheduled")]
    Rescheduled,
    /// It takes place online instead of at its venue.
    #[sea_orm(string_value = "moved_online")]
    MovedOnline,
}

impl EventStatus {
    /// All statuses.
    pub const ALL: [Self; 5] = [Self::Scheduled, Self::Cancelled, Self::Postponed, Self::Rescheduled, Self::MovedOnline];

    /// The name in tables, JSON and feeds.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Cancelled => "cancelled",
            Self::Postponed => "postponed",
            Self::Rescheduled => "rescheduled",
            Self::MovedOnline => "moved_online",
        }
    }
}
