//! The type of every instant in the database.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};

use crate::clock::micros;

/// An instant: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// A 64-bit integer instead of the databases' types, because PostgreSQL's `timestamptz` and SQLite's text round, sort and index
/// differently. `timestamptz` has microseconds, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType, Serialize, Deserialize)]
pub struct UtcInstant(pub i64);

impl UtcInstant {
    /// The current instant of this program's clock. Programs use [`database_now`](crate::database_now).
    #[must_use]
    pub fn now() -> Self {
        Self::from(Utc::now())
    }

    /// The date and time in UTC; `None` outside the years that chrono supports (about ±262,000).
    #[must_use]
    pub fn to_utc(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }

    /// RFC 3339 in UTC.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        self.to_utc().map(|instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
    }

    /// Whole seconds from `self` to `later`; 0 if `later` is earlier.
    #[must_use]
    pub fn seconds_until(self, later: Self) -> u64 {
        self.until(later).as_secs()
    }

    /// The time from `self` to `later`; zero if `later` is earlier.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

impl Add<Duration> for UtcInstant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl Sub<Duration> for UtcInstant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

impl From<DateTime<Utc>> for UtcInstant {
    /// Truncates to microseconds.
    fn from(instant: DateTime<Utc>) -> Self {
        Self(instant.trunc_subsecs(6).timestamp_micros())
    }
}
