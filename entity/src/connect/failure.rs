//! What a failed call says about the database. The only place that knows result codes of SQLite and SQLSTATEs of PostgreSQL.

use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError},
};

/// What a failed call says about the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection broke, as opposed to a statement or a wait that timed out. The outcome of its statement is unknown.
    ConnectionLost,
    /// The database is unreachable or out of resources: the same call may succeed later.
    Unavailable,
    /// The database works, and rejected the call.
    Rejected,
}

impl Failure {
    /// Classifies an error.
    #[must_use]
    pub fn of(error: &DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) => Self::Unavailable,
            DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => Self::of_sqlx(cause),
            DbErr::Conn(RuntimeErr::SqlxError(cause)) => match Self::of_sqlx(cause) {
                // No connection was made, so no statement was rejected: the cause is on the side of the database.
                Self::Rejected => Self::Unavailable,
                failure => failure,
            },
            DbErr::Conn(_) => Self::Unavailable,
            _ => Self::Rejected,
        }
    }

    /// Classifies an error of the driver.
    pub(crate) fn of_sqlx(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => Self::ConnectionLost,
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::Unavailable,
            sqlx::Error::Database(error) => Self::of_code(&**error),
            _ => Self::Rejected,
        }
    }

    fn of_code(error: &dyn DatabaseError) -> Self {
        match error.code() {
            // SQLSTATEs have five characters, result codes of SQLite at most four.
            Some(code) if code.len() == 5 => Self::of_sqlstate(&code),
            Some(code) => code.parse().map_or(Self::Rejected, Self::of_sqlite),
            None => Self::Rejected,
        }
    }

    /// Classes: 08 (connection), 53 (insufficient resources), 57 (operator intervention: shutdown, statement timeout) and 40 (rollback:
    /// deadlock, serialization failure). Codes: 25P03 (idle transaction timeout), 55P03 (lock timeout), 25006 (read-only: the server was
    /// demoted), 26000 and 42P05 (prepared statement missing or repeated: a pooler in transaction mode).
    fn of_sqlstate(code: &str) -> Self {
        // Of class 57 only the codes 57P end the connection: shutdown by an administrator, or a crash.
        if ["08", "57P"].iter().any(|class| code.starts_with(class)) {
            return Self::ConnectionLost;
        }
        let is_unavailable =
            ["53", "57", "40", "25P03", "55P03", "25006", "26000", "42P05"].iter().any(|class| code.starts_with(class));
        if is_unavailable { Self::Unavailable } else { Self::Rejected }
    }

    /// Primary codes: 5 (busy), 10 (I/O error), 13 (disk full) and 14 (cannot open). The low byte of an extended code is its primary code.
    fn of_sqlite(code: u32) -> Self {
        if matches!(code & 0xff, 5 | 10 | 13 | 14) { Self::Unavailable } else { Self::Rejected }
    }
}

/// Whether the database is unreachable or out of resources, so that the same call may succeed later.
#[must_use]
pub fn is_unavailable(error: &DbErr) -> bool {
    Failure::of(error) != Failure::Rejected
}

/// Whether a connection broke, as opposed to a statement or a wait that timed out.
#[must_use]
pub fn is_connection_lost(error: &DbErr) -> bool {
    Failure::of(error) == Failure::ConnectionLost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_outages_from_rejected_statements() {
        for outage in ["57014", "53300", "40001", "40P01", "55P03", "25P03", "25006"] {
            assert_eq!(Failure::of_sqlstate(outage), Failure::Unavailable, "{outage}");
        }
        for lost in ["57P01", "57P03", "08006"] {
            assert_eq!(Failure::of_sqlstate(lost), Failure::ConnectionLost, "{lost}");
        }
        for rejection in ["42P01", "23505"] {
            assert_eq!(Failure::of_sqlstate(rejection), Failure::Rejected, "{rejection}");
        }
        for outage in [5, 261, 10, 13, 14] {
            assert_eq!(Failure::of_sqlite(outage), Failure::Unavailable, "{outage}");
        }
        for rejection in [1, 19] {
            assert_eq!(Failure::of_sqlite(rejection), Failure::Rejected, "{rejection}");
        }
    }
}
