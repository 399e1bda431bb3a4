//! Connections to a SQLite file.

use std::time::Duration;

use sea_orm::{
    ConnectOptions,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

/// How long SQLite waits for another writer: a sync holds the write lock for a few seconds at most.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Sets the options of connections to a SQLite file.
pub(super) fn configure(options: &mut ConnectOptions) {
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .journal_mode(SqliteJournalMode::Wal)
            // With a write-ahead log, a power failure can lose the last commits but not corrupt the file.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(SQLITE_BUSY_TIMEOUT)
            .foreign_keys(true)
    });
}
