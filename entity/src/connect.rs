//! How both programs reach the database: which one, with how many connections, and how long a statement may take.

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

/// Connections of an API process: requests are short, so a few serve many, and a PostgreSQL server (100 by default) can
/// carry several replicas.
const API_CONNECTIONS: u32 = 16;
/// Connections of a worker process: three syncs write at the same time, and others enter and close their runs.
const WORKER_CONNECTIONS: u32 = 5;
/// How long a request waits for a connection: past this a client would rather hear 503 than wait.
const API_PATIENCE: Duration = Duration::from_secs(3);
/// How long a sync waits for a connection: longer than a statement may hold one, for nobody waits for the answer.
const WORKER_PATIENCE: Duration = Duration::from_secs(90);
/// How long a statement of the API may take: a search takes milliseconds, so a longer one is lost already.
const API_STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection of the API is trusted after its last use: asking before each query whether it still stands would cost as much
/// as the query. One that broke meanwhile costs one request.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How PostgreSQL plans for the API: each statement once for each connection, whatever its values, for one core, and where there is a way
/// to read rows from an index in their order and as they are wanted, that way. Left alone it plans some statements anew for each request,
/// which takes longer than to run them; and as it knows neither the values nor the length of the page, it guesses that a good part of
/// a table is wanted, and prepares for that: it hashes, it sorts, it starts processes and makes machine code.
const API_PLANNING: [(&str, &str); 8] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
];
/// How long a statement that writes may take: a bulk write of a big feed, or the sums of a big batch, takes seconds.
const WRITE_STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections of an API process that write: one for each batch of prices that it takes at a time, and some for short writes.
const WRITE_CONNECTIONS: u32 = 12;
/// How long one look at the version may take: it reads one row, so a database that needs longer is as good as away.
const WATCH_PATIENCE: Duration = Duration::from_secs(1);
/// How long SQLite waits for another writer. A sync holds the write lock for seconds at most.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Which database.
#[derive(Args, Clone, Debug)]
pub struct DatabaseSettings {
    /// The database: sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long = "database-url", env = "DATABASE_URL", default_value = "sqlite://marquee.db?mode=rwc", hide_env_values = true)]
    pub url: RedactedUrl,
}

impl DatabaseSettings {
    pub(crate) fn is_postgres(&self) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| self.url.expose().starts_with(scheme))
    }
}

/// What a process does with the database: it decides the size of the pool and the patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionRole {
    /// Many short reads.
    Api,
    /// Few long writes.
    Worker,
    /// What clients of the API send: few writes, and whoever sent them waits.
    Write,
    /// One short question at a time, again and again: whether the database answers, and which version it holds.
    Watch,
}

/// Opens a pool of connections. The programs connect when they first ask something: a process that serves can start, and stay,
/// while the database is away; only a SQLite file is opened at once, because sea-orm asks it for its version.
///
/// # Errors
///
/// When the URL is wrong or a SQLite file cannot be opened.
pub async fn connect(settings: &DatabaseSettings, role: ConnectionRole) -> Result<DatabaseConnection, DbErr> {
    let url = settings.url.expose();
    if !settings.is_postgres() && !url.starts_with("sqlite:") {
        return Err(DbErr::Custom("the URL is neither sqlite://FILE?mode=rwc nor postgres://USER:PASSWORD@HOST/NAME".to_owned()));
    }
    let mut options = ConnectOptions::new(url);
    options.sqlx_logging(false).connect_lazy(true);
    match role {
        ConnectionRole::Api => {
            options
                .max_connections(API_CONNECTIONS)
                .statement_timeout(API_STATEMENT_TIMEOUT)
                .test_before_acquire_if_idle_for(TRUSTED_FOR)
                .acquire_timeout(API_PATIENCE)
                .map_sqlx_postgres_opts(|postgres| postgres.options(API_PLANNING))
                .set_application_name("marquee-api");
        }
        ConnectionRole::Worker => {
            options
                .max_connections(WORKER_CONNECTIONS)
                .statement_timeout(WRITE_STATEMENT_TIMEOUT)
                .acquire_timeout(WORKER_PATIENCE)
                .set_application_name("marquee-worker");
        }
        ConnectionRole::Write => {
            options
                .max_connections(WRITE_CONNECTIONS)
                .test_before_acquire_if_idle_for(TRUSTED_FOR)
                .statement_timeout(WRITE_STATEMENT_TIMEOUT)
                .acquire_timeout(API_PATIENCE)
                .set_application_name("marquee-api-write");
        }
        ConnectionRole::Watch => {
            options
                .max_connections(1)
                .statement_timeout(WATCH_PATIENCE)
                .acquire_timeout(WATCH_PATIENCE)
                .set_application_name("marquee-watch");
        }
    }
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .journal_mode(SqliteJournalMode::Wal)
            // With a write-ahead log this loses at most the last commits when the power fails, and never harms the file.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(SQLITE_BUSY_TIMEOUT)
            .foreign_keys(true)
    });
    Database::connect(options).await
}

/// Begins a transaction that is going to write.
///
/// # Errors
///
/// When the database is away, or SQLite's other writers do not end in time.
pub async fn begin_write(database: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    // A write lock from the start: SQLite cannot raise a reader's to a writer's when another writer came between.
    let options = TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
    database.begin_with_options(options).await
}

/// Whether the error says that the database could not be reached or had no room, so that the same call may succeed later.
#[must_use]
pub fn is_unavailable(error: &DbErr) -> bool {
    match error {
        // Whatever kept a connection from being made: it is mended where the database is, and no statement was refused.
        DbErr::Conn(_) | DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) => true,
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => is_sqlx_unavailable(cause),
        _ => false,
    }
}

/// Whether the error says that a connection broke, and not only that one statement or one wait took too long.
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
        // Of class 57 those that end the connection: an administrator or a crash.
        sqlx::Error::Database(answer) => answer.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08")),
        _ => false,
    }
}

fn is_sqlx_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(answer) => answer.code().is_some_and(|code| is_unavailable_code(&code)),
        _ => false,
    }
}

/// PostgreSQL's classes 08 (connection), 53 (no resources), 57 (operator intervention: shutdown, statement timeout) and 40 (rolled back:
/// deadlock, serialization), 25P03 (idle for too long), 55P03 (a lock not granted in time), and
/// SQLite's primary codes 5 (busy), 10 (I/O error), 13 (disk full), 14 (cannot open).
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
    async fn other_databases_are_refused_without_a_word_of_the_url() {
        let url = "postgress://marquee:secret@db/marquee".parse().expect("any text");
        let error =
            connect(&DatabaseSettings { url }, ConnectionRole::Api).await.expect_err("a typing error in the scheme").to_string();
        assert!(error.contains("postgres://") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn codes_of_an_outage_are_told_from_those_of_a_mistake() {
        for outage in ["57P01", "57P03", "08006", "53300", "40001", "40P01", "55P03", "5", "261", "14"] {
            assert!(is_unavailable_code(outage), "{outage}");
        }
        for mistake in ["42P01", "23505", "1", "19"] {
            assert!(!is_unavailable_code(mistake), "{mistake}");
        }
    }
}
