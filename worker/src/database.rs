//! Using a database that may be unavailable.

use std::time::Duration;

use entity::{ConnectionRole, SchemaFit, check_schema, deadline, is_unavailable};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use tokio::time::sleep;

/// The pause before an unavailable database is tried again: short compared with the time it takes to restart one.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// The pause between two transactions of long work. Writers that wait for SQLite's lock try to get it every 100 ms.
pub(crate) const WRITE_PAUSE: Duration = Duration::from_millis(120);

/// How often the schema is checked while the worker runs: as often as the API does it.
const SCHEMA_CHECK_PAUSE: Duration = Duration::from_millis(500);

/// Returns once the schema does not fit this program any more.
pub(crate) async fn wait_until_schema_differs(database: &DatabaseConnection) {
    loop {
        let check = deadline::within(deadline::SHORT, database, check_schema(database, ConnectionRole::Worker)).await;
        // An outage is logged where jobs are claimed.
        if check.is_ok_and(|fit| fit != SchemaFit::Fits) {
            return;
        }
        sleep(SCHEMA_CHECK_PAUSE).await;
    }
}

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
