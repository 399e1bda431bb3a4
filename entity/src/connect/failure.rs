//! What a failed call means for the database. The only place that knows result codes of SQLite and SQLSTATEs of PostgreSQL.

use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError, sqlite::SqliteError},
};

/// A commit hook turned a commit into a rollback.
const SQLITE_CONSTRAINT_COMMITHOOK: u32 = 531;

/// What a failed call means for the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection broke, as opposed to a statement or a wait that timed out. The outcome of its statement is unknown.
    ConnectionLost,
    /// The database is unreachable or out of resources: the same call may succeed later.
    Unavailable,
    /// The disk of the database is full.
    StorageFull,
    /// Its files are damaged. An operator must restore a backup.
    Corrupt,
    /// A table or column does not exist: the schema is older than the program, or the database is another one.
    UndefinedName,
    /// The database works, and rejected the call.
    Rejected,
}

/// Whether a statement was cancelled because it took too long.
#[must_use]
pub fn is_statement_timeout(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error else { return false };
    // A statement timeout of PostgreSQL, and an interrupt of SQLite.
    matches!(&**cause, sqlx::Error::Database(error) if error.code().is_some_and(|code| code == "57014" || code == "9"))
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
            Some(code) => code.parse().map_or(Self::Rejected, |code| Self::of_sqlite(code, error.message())),
            None => Self::Rejected,
        }
    }

    /// Classes: 08 (connection), 53 (insufficient resources), 57 (operator intervention: shutdown, statement timeout), 58 (errors of the
    /// operating system) and 40 (rollback: deadlock, serialization failure). Codes: 25P03 (idle transaction timeout), 55P03 (lock timeout),
    /// 25006 (read-only: the server was demoted), 26000 and 42P05 (prepared statement missing or repeated: a pooler in transaction mode),
    /// 42P01 and 42703 (undefined table or column).
    fn of_sqlstate(code: &str) -> Self {
        let is_one_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| code.starts_with(prefix));
        // Of class 57 only the codes 57P end the connection: shutdown by an administrator, or a crash.
        if is_one_of(&["08", "57P"]) {
            Self::ConnectionLost
        } else if code == "53100" {
            Self::StorageFull
        } else if is_one_of(&["42P01", "42703"]) {
            Self::UndefinedName
        } else if is_one_of(&["XX001", "XX002"]) {
            Self::Corrupt
        } else if is_one_of(&["53", "57", "58", "40", "25P03", "55P03", "25006", "26000", "42P05"]) {
            Self::Unavailable
        } else {
            Self::Rejected
        }
    }

    /// See <https://sqlite.org/rescode.html>.
    fn of_sqlite(code: u32, message: &str) -> Self {
        match (code, primary_code(code)) {
            (_, 1 | 17) if is_undefined_name(message) => Self::UndefinedName,
            // The commit hook found that the file was removed or replaced.
            (SQLITE_CONSTRAINT_COMMITHOOK, _) => Self::Unavailable,
            // Busy, locked, out of memory, read-only, interrupted, I/O error, cannot open, locking protocol, the schema changed too often.
            (_, 5 | 6 | 7 | 8 | 9 | 10 | 14 | 15 | 17) => Self::Unavailable,
            (_, 13) => Self::StorageFull,
            // Malformed, or not a database.
            (_, 11 | 26) => Self::Corrupt,
            _ => Self::Rejected,
        }
    }
}

/// SQLite has only general codes for these errors: 1 while it prepares a statement, and 17 if the schema changed after that. The last text
/// is that of an insert.
fn is_undefined_name(message: &str) -> bool {
    message.starts_with("no such table") || message.starts_with("no such column") || message.contains(" has no column named ")
}

/// Whether a connection to SQLite must be closed after this error of a statement: out of memory, I/O error, malformed, full, cannot open,
/// not a database. Others that roll back, such as an interrupt, are detected as rollbacks.
pub(super) fn breaks_connection(error: &SqliteError) -> bool {
    let code = error.code().and_then(|code| code.parse().ok()).map(primary_code);
    matches!(code, Some(7 | 10 | 11 | 13 | 14 | 26))
}

/// The low byte of an extended code is its primary code.
fn primary_code(code: u32) -> u32 {
    code & 0xff
}

/// Whether the same call may succeed later: the database is unreachable, damaged or out of resources.
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
        for outage in ["57014", "53300", "40001", "40P01", "55P03", "25P03", "25006", "58030"] {
            assert_eq!(Failure::of_sqlstate(outage), Failure::Unavailable, "{outage}");
        }
        for lost in ["57P01", "57P03", "08006"] {
            assert_eq!(Failure::of_sqlstate(lost), Failure::ConnectionLost, "{lost}");
        }
        assert_eq!(["42P01", "42703"].map(Failure::of_sqlstate), [Failure::UndefinedName; 2]);
        for rejection in ["42601", "23505"] {
            assert_eq!(Failure::of_sqlstate(rejection), Failure::Rejected, "{rejection}");
        }
        assert_eq!(Failure::of_sqlstate("53100"), Failure::StorageFull);
    }

    #[test]
    fn distinguishes_outages_of_sqlite_from_rejected_statements() {
        for outage in [5, 261, 7, 8, 9, 10, 778, 14, 17, 531] {
            assert_eq!(Failure::of_sqlite(outage, ""), Failure::Unavailable, "{outage}");
        }
        assert_eq!(Failure::of_sqlite(13, ""), Failure::StorageFull);
        assert_eq!([11, 267, 26].map(|code| Failure::of_sqlite(code, "")), [Failure::Corrupt; 3]);
        // 17: the schema changed while the statement was prepared.
        for code in [1, 17] {
            assert_eq!(Failure::of_sqlite(code, "no such column: provider.loading_since"), Failure::UndefinedName, "{code}");
        }
        for rejection in [1, 19, 2067] {
            assert_eq!(Failure::of_sqlite(rejection, "near \"FORM\": syntax error"), Failure::Rejected, "{rejection}");
        }
    }
}
