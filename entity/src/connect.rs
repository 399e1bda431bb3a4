//! Connections to the database: which database, pool sizes and timeouts.

use std::time::Duration;

use clap::Args;
use sea_orm::{
    ConnAcquireErr, ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, RuntimeErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
    sqlx::{
        self,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};

use crate::RedactedUrl;

/// Connections of an API process: queries are short, so a few connections serve many requests, and a PostgreSQL server (100 connections by
/// default) supports several replicas.
const API_CONNECTIONS: u32 = 16;
/// Connections of a worker process: three syncs write at the same time, and others start and end their runs.
const WORKER_CONNECTIONS: u32 = 5;
/// How long a request waits for a connection before it gets a 503.
const API_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a sync waits for a connection: longer than a statement can hold one, because no client is waiting.
const WORKER_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(90);
/// Timeout of a statement of the API: a search takes milliseconds, so the client of a longer one has usually given up.
const API_STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long after its last use a connection of the API is used without a ping: a ping before each query would take as long as the query.
/// The price is one failed request for a connection that broke in this time.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);
/// Planner settings of PostgreSQL for the API: one generic plan for each statement and connection, on one core, that reads rows from an
/// index in their order. By default PostgreSQL plans some statements again for each request, which takes longer than running them. It
/// also expects far more rows than a page has, and prepares for them with hashes, sorts, parallel workers and JIT compilation.
const API_PLANNER_SETTINGS: [(&str, &str); 8] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
];
/// Timeout of a statement that writes: a bulk write of a large feed or the sums of a large batch take seconds.
const WRITE_STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections of an API process for writes: a few for batches of prices, the others for short writes.
const WRITE_CONNECTIONS: u32 = 12;
/// Timeout of a query for the catalogue version: it reads one row, so a database that needs longer counts as unavailable.
const WATCH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long SQLite waits for another writer: a sync holds the write lock for a few seconds at most.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// The database.
#[derive(Args, Clone, Debug)]
pub struct DatabaseSettings {
    /// Database: sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long = "database-url",
        env = "DATABASE_URL",
        default_value = "sqlite://marquee.db?mode=rwc",
        hide_env_values = true,
        global = true
    )]
    pub url: RedactedUrl,
}

impl DatabaseSettings {
    pub(crate) fn is_postgres(&self) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| self.url.expose().starts_with(scheme))
    }
}

/// What a pool of connections is used for. It determines the size of the pool and its timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionRole {
    /// Many short reads.
    Api,
    /// Few long writes.
    Worker,
    /// Writes of API clients, who wait for them.
    Write,
    /// Changes of the schema, which may take as long as they need.
    Migrate,
    /// One short query at a time, repeatedly: whether the database is available, and its catalogue version.
    Watch,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL has another scheme. It is not shown: a misspelled URL can contain the password anywhere.
    #[error("the database URL must be sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME")]
    InvalidUrl,
    /// The driver rejects the URL, or a SQLite file cannot be opened.
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// Opens a pool of connections. Connections to PostgreSQL are made by the first query, so that a process can start and run while the
/// database is unavailable. A SQLite file is opened immediately, because sea-orm queries its version.
///
/// # Errors
///
/// When the URL is invalid or a SQLite file cannot be opened.
pub async fn connect(settings: &DatabaseSettings, role: ConnectionRole) -> Result<DatabaseConnection, ConnectError> {
    let url = settings.url.expose();
    if !settings.is_postgres() && !url.starts_with("sqlite:") {
        return Err(ConnectError::InvalidUrl);
    }
    let mut options = ConnectOptions::new(url);
    options.sqlx_logging(false).connect_lazy(true);
    match role {
        ConnectionRole::Api => {
            options
                .max_connections(API_CONNECTIONS)
                .statement_timeout(API_STATEMENT_TIMEOUT)
                .test_before_acquire_if_idle_for(PING_AFTER_IDLE)
                .acquire_timeout(API_ACQUIRE_TIMEOUT)
                .map_sqlx_postgres_opts(|postgres| postgres.options(API_PLANNER_SETTINGS))
                .set_application_name("marquee-api");
        }
        ConnectionRole::Worker => {
            options
                .max_connections(WORKER_CONNECTIONS)
                .statement_timeout(WRITE_STATEMENT_TIMEOUT)
                .acquire_timeout(WORKER_ACQUIRE_TIMEOUT)
                .set_application_name("marquee-worker");
        }
        ConnectionRole::Write => {
            options
                .max_connections(WRITE_CONNECTIONS)
                .test_before_acquire_if_idle_for(PING_AFTER_IDLE)
                .statement_timeout(WRITE_STATEMENT_TIMEOUT)
                .acquire_timeout(API_ACQUIRE_TIMEOUT)
                .set_application_name("marquee-api-write");
        }
        ConnectionRole::Migrate => {
            options.max_connections(1).set_application_name("marquee-migrate");
        }
        ConnectionRole::Watch => {
            options
                .max_connections(1)
                .statement_timeout(WATCH_TIMEOUT)
                .acquire_timeout(WATCH_TIMEOUT)
                .set_application_name("marquee-watch");
        }
    }
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .journal_mode(SqliteJournalMode::Wal)
            // With a write-ahead log, a power failure can lose the last commits but not corrupt the file.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(SQLITE_BUSY_TIMEOUT)
            .foreign_keys(true)
    });
    Ok(Database::connect(options).await?)
}

/// Begins a transaction that will write.
///
/// # Errors
///
/// When the database is unavailable, or another writer of SQLite does not finish in time.
pub async fn begin_write(database: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    // Locks for writing from the start: SQLite cannot upgrade a read lock if another writer has committed since.
    let options = TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
    database.begin_with_options(options).await
}

/// Whether the database is unreachable or out of resources, so that the same call may succeed later.
#[must_use]
pub fn is_unavailable(error: &DbErr) -> bool {
    match error {
        // No connection was made, so no statement was rejected: the cause is on the side of the database.
        DbErr::Conn(_) | DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) => true,
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => is_sqlx_unavailable(cause),
        _ => false,
    }
}

/// Whether a connection broke, as opposed to a statement or a wait that timed out.
#[must_use]
pub fn is_connection_lost(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    match &**cause {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => true,
        // Of class 57 only the codes that end the connection: shutdown by an administrator, or a crash.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08")),
        _ => false,
    }
}

pub(crate) fn is_sqlx_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_unavailable_code(&code)),
        _ => false,
    }
}

/// PostgreSQL's classes 08 (connection), 53 (insufficient resources), 57 (operator intervention: shutdown, statement timeout) and 40
/// (rollback: deadlock, serialization failure), its codes 25P03 (idle transaction timeout) and 55P03 (lock timeout), and SQLite's primary
/// codes 5 (busy), 10 (I/O error), 13 (disk full) and 14 (cannot open).
fn is_unavailable_code(code: &str) -> bool {
    if code.len() == 5 {
        return ["08", "53", "57", "40", "25P03", "55P03"].iter().any(|class| code.starts_with(class));
    }
    // The low byte of an extended SQLite result code is its primary code.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 10 | 13 | 14))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rejects_other_databases_without_showing_the_url() {
        let url = "postgress://marquee:secret@db/marquee".parse().expect("any text is accepted");
        let error =
            connect(&DatabaseSettings { url }, ConnectionRole::Api).await.expect_err("the scheme is misspelled").to_string();
        assert!(error.contains("postgres://") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn distinguishes_outages_from_rejected_statements() {
        for outage in ["57P01", "57P03", "08006", "53300", "40001", "40P01", "55P03", "5", "261", "14"] {
            assert!(is_unavailable_code(outage), "{outage}");
        }
        for rejection in ["42P01", "23505", "1", "19"] {
            assert!(!is_unavailable_code(rejection), "{rejection}");
        }
    }
}
