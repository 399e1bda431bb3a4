//! Deadlines on our side, for a server that stops responding without closing its connections: a frozen one, or one behind a network that
//! drops packets. Otherwise the driver would wait for the response forever.

use std::{io, sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, sqlx};
use tokio::time::timeout;

use super::role::WRITE_STATEMENT_TIMEOUT;

/// How long statements on few rows may take, with the wait for a connection.
pub const SHORT: Duration = Duration::from_secs(10);
/// The same of statements on many rows: as long as the server lets one of them run, and a margin for the connection.
pub const BULK: Duration = WRITE_STATEMENT_TIMEOUT.saturating_add(SHORT);
/// How much longer a write of many items may take, for each: a tenth of the usual speed.
const WRITE_TIME_PER_ITEM: Duration = Duration::from_micros(100);

/// How long a write of this many items may take.
#[must_use]
pub fn write_time(items: u64) -> Duration {
    SHORT + WRITE_TIME_PER_ITEM.saturating_mul(u32::try_from(items).unwrap_or(u32::MAX))
}

/// Runs an operation on a database. At the deadline it is dropped, and its connection is closed if it still does not respond when it
/// returns to the pool. SQLite has no deadline here: it runs in this process, and limits the wait for its lock.
///
/// # Errors
///
/// When the operation fails, or, as for a lost connection, when the server does not respond in time.
pub async fn within<T, E: From<DbErr>>(
    limit: Duration,
    database: &impl ConnectionTrait,
    operation: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    if database.get_database_backend() != DbBackend::Postgres {
        return operation.await;
    }
    let no_response = |_| Err(DbErr::Exec(RuntimeErr::SqlxError(Arc::new(no_response(limit)))).into());
    timeout(limit, operation).await.unwrap_or_else(no_response)
}

/// The error of a server that does not respond.
pub(crate) fn no_response(limit: Duration) -> sqlx::Error {
    let message = format!("no response within {} s", limit.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, message))
}
