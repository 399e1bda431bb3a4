//! Why a database is unavailable when the process starts.

use entity::{ConnectionRole, DatabaseError, DatabaseSettings};

/// Logs which of the databases cannot be used, and the cause. The version watch detects outages faster, but not their cause: its pool
/// retries a refused connection until the timeout. It also watches the schema.
pub async fn report_unavailable(databases: Vec<DatabaseSettings>) {
    for settings in databases {
        match entity::open(&settings, ConnectionRole::Watch).await {
            Ok(database) => {
                // Only the check was needed.
                let _closed = database.close().await;
            }
            Err(DatabaseError::SchemaOutdated { .. } | DatabaseError::SchemaTooNew { .. }) => (),
            Err(error) => tracing::error!(error = telemetry::with_causes(&error), "the database cannot be used"),
        }
    }
}
