//! Using a database that may be unavailable.

use std::time::Duration;

use entity::{deadline, is_unavailable};
use sea_orm::{ConnectionTrait, DbErr};
use tokio::time::sleep;

/// The pause before an unavailable database is tried again: short compared with the time it takes to restart one.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Repeats a short write while the database is unavailable or full. `what` is what it records.
pub(crate) async fn record_when_available<T, Writing: Future<Output = Result<T, DbErr>>>(
    database: &impl ConnectionTrait,
    what: &str,
    write: impl Fn() -> Writing,
) -> Result<T, DbErr> {
    let mut is_logged = false;
    loop {
        match deadline::within(deadline::SHORT, database, write()).await {
            Err(error) if is_unavailable(&error) => {
                if !std::mem::replace(&mut is_logged, true) {
                    tracing::warn!(
                        record = what,
                        error = telemetry::with_causes(&error),
                        "the database cannot be written, retrying"
                    );
                }
                sleep(RECONNECT_PAUSE).await;
            }
            result => return result,
        }
    }
}
