//! The database's clock, the only one that is stored and compared with stored instants.
//!
//! The clocks of programs differ and may be wrong. On PostgreSQL this is the clock of the server; on SQLite it is that of the
//! machine. It may be set, too: an instant that was stored before it was set back then lies in the future. Rows that depend on
//! such an instant therefore also contain when it was stored, and [`is_from_future`] recognizes them.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExprTrait,
    sea_query::{Expr, Query},
};

use crate::UtcInstant;

/// How far an instant may be ahead: a clock that is synchronized is corrected by less.
const TOLERANCE: Duration = Duration::from_secs(2);

/// Reads the database's clock.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn database_now(database: &impl ConnectionTrait) -> Result<UtcInstant, DbErr> {
    let row = database.query_one(&Query::select().expr_as(now(database), "now").to_owned()).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the database returned no time".to_owned()))?.try_get("", "now")
}

/// The database's clock within a statement, in microseconds since 1970. It advances within a transaction.
pub fn now(database: &impl ConnectionTrait) -> Expr {
    Expr::cust(match database.get_database_backend() {
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        _ => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    })
}

/// Whether a column contains an instant that was stored before the clock was set back. `NULL` if the column is.
pub fn is_from_future(column: Expr, now: &Expr) -> Expr {
    column.gt(now.clone().add(micros(TOLERANCE)))
}

/// A duration as instants are stored.
#[must_use]
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl UtcInstant {
    /// Whether this was stored before the clock was set back.
    #[must_use]
    pub fn is_from_future(self, now: Self) -> bool {
        now + TOLERANCE < self
    }

    /// How long ago this was; `None` if it was stored before the clock was set back, because nothing is known then.
    #[must_use]
    pub fn age_at(self, now: Self) -> Option<Duration> {
        (!self.is_from_future(now)).then(|| self.until(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_an_instant_in_the_future_is_unknown() {
        let now = UtcInstant(10_000_000);
        let age = |seconds: i64| UtcInstant(seconds * 1_000_000).age_at(now).map(|age| age.as_secs());
        assert_eq!([0, 9, 10, 11, 12, 13, 3_610].map(age), [Some(10), Some(1), Some(0), Some(0), Some(0), None, None]);
    }
}
