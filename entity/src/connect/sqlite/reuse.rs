//! Which connections return to the pool: those on which nothing failed.
//!
//! After some errors SQLite rolls the transaction back by itself. sqlx still counts it as open, so the next transaction of the connection
//! would be a savepoint that is never committed, in a transaction that is never closed (`docs/adr/0029-sqlite-faults.md`). The checks are
//! hooks of the pool and of SQLite, so that they hold for every statement.

use std::{
    collections::HashSet,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sea_orm::sqlx::{
    self, Connection, Executor, Sqlite,
    pool::PoolOptions,
    sqlite::{SqliteConnection, SqliteError},
};

use super::{
    super::{cancellation::interrupt_when_cancelled, failure},
    files::PoolFiles,
};

/// What a pool knows about its connections.
#[derive(Debug)]
pub(super) struct PoolGuard {
    files: PoolFiles,
    /// Addresses of the connections that have rolled back a transaction since they left the pool.
    rolled_back: Mutex<HashSet<NonZeroUsize>>,
}

/// Adds the checks to a pool.
pub(super) fn install(guard: Arc<PoolGuard>, pool: PoolOptions<Sqlite>) -> PoolOptions<Sqlite> {
    let of_new = guard.clone();
    pool.after_connect(move |connection, _metadata| {
        let guard = of_new.clone();
        Box::pin(async move {
            watch(guard, connection).await?;
            interrupt_when_cancelled(connection).await
        })
    })
    .after_release(move |connection, _metadata| Box::pin(is_reusable(guard.clone(), connection)))
}

impl PoolGuard {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { files: PoolFiles::new(path), rolled_back: Mutex::default() }
    }

    /// Whether a connection of this age was opened after the files were last replaced.
    pub(super) fn is_of_current_files(&self, age: Duration) -> bool {
        self.files.are_used_by(age)
    }

    fn rolled_back(&self) -> MutexGuard<'_, HashSet<NonZeroUsize>> {
        self.rolled_back.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Registers the hooks of a new connection.
async fn watch(guard: Arc<PoolGuard>, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // The pool tries again.
    let files =
        guard.files.identify().ok_or_else(|| sqlx::Error::Configuration("the SQLite database has just been replaced".into()))?;
    let mut handle = connection.lock_handle().await?;
    let address = handle.as_raw_handle().addr();
    // An earlier connection may have been closed without returning to the pool.
    guard.rolled_back().remove(&address);
    let of_commit = guard.clone();
    // A commit to files that were removed or replaced becomes a rollback.
    handle.set_commit_hook(move || of_commit.files.are_current(&files));
    handle.set_rollback_hook(move || {
        guard.rolled_back().insert(address);
    });
    Ok(())
}

/// Whether a connection may be used again.
async fn is_reusable(guard: Arc<PoolGuard>, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // Waits for a rollback that is queued because the transaction was dropped.
    let mut handle = connection.lock_handle().await?;
    let has_failed = handle.last_error().is_some_and(|error: SqliteError| failure::breaks_connection(&error));
    // SQLite does not say whether a rollback was its own. Rollbacks are rare, and a new connection takes about a millisecond.
    let has_rolled_back = guard.rolled_back().remove(&handle.as_raw_handle().addr());
    drop(handle);
    if has_failed || has_rolled_back || connection.is_in_transaction() {
        return Ok(false);
    }
    // The driver has only counted transactions. SQLite rejects BEGIN if one is open.
    Ok(connection.execute("BEGIN; COMMIT").await.is_ok())
}
