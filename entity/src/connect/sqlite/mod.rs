//! Connections to a SQLite file: their settings, and which of them may be used again.

mod files;
mod reuse;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use sea_orm::{
    ConnectOptions, DatabaseConnection,
    sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use self::reuse::PoolGuard;
use super::{ConnectionRole, cancellation::interrupt_when_cancelled};

/// How long a worker waits for another writer of SQLite: a transaction of another process takes a few seconds at most.
const WORKER_BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for all others. It ends before the deadline of a write of the API, so that the client learns the cause.
const BUSY_TIMEOUT: Duration = Duration::from_secs(8);

/// Sets the options of connections to a SQLite file.
pub(super) fn configure(options: &mut ConnectOptions, role: ConnectionRole) {
    let busy_timeout = if role.is_of_worker() { WORKER_BUSY_TIMEOUT } else { BUSY_TIMEOUT };
    // With a write-ahead log, a power failure can lose the last commits of `NORMAL`, but not corrupt the file. The worker's are repeated:
    // by its next sync, or because the job is still queued. All others were acknowledged to someone.
    let synchronous = if role == ConnectionRole::Worker { SqliteSynchronous::Normal } else { SqliteSynchronous::Full };
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite.journal_mode(SqliteJournalMode::Wal).synchronous(synchronous).busy_timeout(busy_timeout).foreign_keys(true)
    });
    if let Some(path) = find_file(options.get_url()) {
        let guard = Arc::new(PoolGuard::new(path));
        let of_pool = guard.clone();
        options.map_sqlx_sqlite_pool_opts(move |pool| reuse::install(of_pool.clone(), pool)).map_sqlx_sqlite_before_acquire(
            move |connection, metadata| {
                let may_use = guard.is_of_current_files(metadata.age);
                Box::pin(async move {
                    interrupt_when_cancelled(connection).await?;
                    Ok(may_use)
                })
            },
        );
    }
}

/// Lets only the first connection of a pool create the file. Later it would replace a file that was removed.
pub(super) fn forbid_creation(database: &DatabaseConnection) {
    let pool = database.get_sqlite_connection_pool();
    pool.set_connect_options(SqliteConnectOptions::clone(&pool.connect_options()).create_if_missing(false));
}

/// The file of a URL; `None` for a database in memory, or if the driver will reject the URL.
fn find_file(url: &str) -> Option<PathBuf> {
    let is_in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let options = SqliteConnectOptions::from_str(url).ok().filter(|_| url.starts_with("sqlite:") && !is_in_memory)?;
    Some(options.get_filename().to_owned())
}
