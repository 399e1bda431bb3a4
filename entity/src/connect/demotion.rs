//! Connections that only read, to a server that was the primary. A proxy may keep them when another server becomes the primary, and the
//! old one may never receive what is written there.

use std::time::Duration;

use sea_orm::{
    DatabaseConnection, DbBackend,
    sqlx::{self, postgres::PgConnection},
};
use tokio::time::timeout;

/// How long a check may take: it reads a setting of the session.
const CHECK_TIME: Duration = Duration::from_secs(1);

/// Checks the idle connections of a pool, and closes those to a server that accepts no writes. This takes no time from the queries that
/// use the pool. Must be called repeatedly, because connections that are in use are not checked.
pub async fn close_read_only_connections(database: &DatabaseConnection) {
    if database.get_database_backend() != DbBackend::Postgres {
        return;
    }
    let pool = database.get_postgres_connection_pool();
    // The pool provides the connection first that has been idle for longest.
    for _ in 0..pool.num_idle() {
        let Some(mut connection) = pool.try_acquire() else { return };
        if !matches!(timeout(CHECK_TIME, accepts_writes(&mut connection)).await, Ok(Ok(true))) {
            drop(connection.detach());
        }
    }
}

async fn accepts_writes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let read_only: String = sqlx::query_scalar("SHOW transaction_read_only").fetch_one(connection).await?;
    Ok(read_only == "off")
}
