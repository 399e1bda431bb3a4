//! Connections to a SQLite file.

use std::time::Duration;

use sea_orm::{
    ConnectOptions,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

use super::cancellation::interrupt_when_cancelled;

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
    // A pool has one hook of each kind.
    options.map_sqlx_sqlite_pool_opts(|pool| pool.after_connect(|connection, _| Box::pin(interrupt_when_cancelled(connection))));
    options.map_sqlx_sqlite_before_acquire(|connection, _| {
        Box::pin(async move {
            interrupt_when_cancelled(connection).await?;
            Ok(true)
        })
    });
}
