//! Cancels the statements of a read when its client no longer waits.
//!
//! Dropping the future of a query does not stop its statement, except while it returns rows: SQLite executes it on a thread, and PostgreSQL
//! in the server. Both would hold the connection until the statement ends. A connection to PostgreSQL that still has a statement when it
//! returns to the pool is closed (`postgres`), which cancels the statement.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sea_orm::sqlx::{self, sqlite::SqliteConnection};

/// How long after a cancellation the connection of that read may return to its pool: immediately, except on a loaded machine.
const RELEASE_DELAY: Duration = Duration::from_secs(5);
/// Steps of SQLite between two checks: about a millisecond.
const CHECK_INTERVAL_STEPS: i32 = 10_000;

/// When a read was last cancelled in this process.
static LAST_CANCELLATION: Mutex<Option<Instant>> = Mutex::new(None);

tokio::task_local! {
    /// Whether the read of the current task was cancelled.
    static IS_CANCELLED: Arc<AtomicBool>;
}

/// Runs a read. If the future is dropped, its statements are cancelled.
pub async fn cancel_on_drop<T>(read: impl Future<Output = T>) -> T {
    let is_cancelled = Arc::new(AtomicBool::new(false));
    let read = pin!(IS_CANCELLED.scope(is_cancelled.clone(), read));
    // Dropped before the read, because the connection returns to the pool when the read is dropped.
    let mut read_state = CancelOnDrop { is_cancelled, is_complete: false };
    let output = read.await;
    read_state.is_complete = true;
    output
}

/// Whether a connection that returns to its pool may be that of a cancelled read.
pub(super) fn was_read_cancelled() -> bool {
    let last = LAST_CANCELLATION.lock().unwrap_or_else(PoisonError::into_inner);
    last.is_some_and(|cancelled_at| cancelled_at.elapsed() < RELEASE_DELAY)
}

struct CancelOnDrop {
    is_cancelled: Arc<AtomicBool>,
    is_complete: bool,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if !self.is_complete {
            self.is_cancelled.store(true, Relaxed);
            *LAST_CANCELLATION.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
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
