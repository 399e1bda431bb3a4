//! Cancels the statements of a read when its client no longer waits.
//!
//! Dropping the future of a query does not stop its statement, except while it returns rows: SQLite executes it on a thread, and PostgreSQL
//! in the server. Both would hold the connection until the statement ends. A connection to PostgreSQL that still has a statement when it
//! returns to the pool is closed (`postgres`), which cancels the statement.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use sea_orm::sqlx::{self, sqlite::SqliteConnection};

/// Steps of SQLite between two checks: about a millisecond.
const CHECK_INTERVAL_STEPS: i32 = 10_000;

tokio::task_local! {
    /// Whether the read of the current task was cancelled.
    static IS_CANCELLED: Arc<AtomicBool>;
}

/// Runs a read. If the future is dropped, its statements are cancelled.
pub async fn cancel_on_drop<T>(read: impl Future<Output = T>) -> T {
    let mut read_state = CancelOnDrop::default();
    let output = IS_CANCELLED.scope(read_state.is_cancelled.clone(), read).await;
    read_state.is_complete = true;
    output
}

#[derive(Default)]
struct CancelOnDrop {
    is_cancelled: Arc<AtomicBool>,
    is_complete: bool,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.is_cancelled.store(!self.is_complete, Relaxed);
    }
}

/// Interrupts the statements of a connection to SQLite once the read that acquires it is cancelled. Must be called for each connection that
/// a pool provides: it replaces the handler of an earlier read.
pub(super) async fn interrupt_when_cancelled(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    match IS_CANCELLED.try_with(Arc::clone) {
        Ok(is_cancelled) => handle.set_progress_handler(CHECK_INTERVAL_STEPS, move || !is_cancelled.load(Relaxed)),
        Err(_) => handle.remove_progress_handler(),
    }
    Ok(())
}
