//! Connections to PostgreSQL: their settings, whether the server accepts writes, and what happens to those that stop responding.
//!
//! The driver cannot enable TCP keep-alives on its sockets. Instead, no connection stays idle for long, each is checked before it is used
//! after a pause, and one that does not respond is closed. The server sends keep-alives to us, and ends transactions of clients that have
//! vanished with their locks.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement,
    sqlx::{
        self, AssertSqlSafe, ConnectOptions as _, Connection, Row,
        postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions},
    },
};
use tokio::time::timeout;

use super::cancellation::was_read_cancelled;

/// How long a connection is used. After a failover, proxies send new connections to other servers, and the old ones must not stay where
/// they are forever.
const MAX_LIFETIME: Duration = Duration::from_secs(120);

/// Connections are closed after this pause: firewalls forget connections that are idle for a few minutes, and then drop their packets.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// The server closes a connection within a minute if the client's machine does not respond.
const KEEP_ALIVE: &str = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; \
                          SET tcp_user_timeout = 60000; ";
/// How often PostgreSQL checks that the client of a statement is still connected. Versions before 14 cannot do that.
const CHECK_CLIENT: &str =
    "SELECT set_config(name, '500', false) FROM pg_settings WHERE name = 'client_connection_check_interval'; ";

/// Whether the server has no transaction open. The driver does not know: if the future of a `BEGIN` is dropped, the server executes it, but
/// the driver does not count it. The next statements would be part of this transaction, and never be committed. Both times are equal in the
/// first statement of a transaction only. The statement fails in a transaction that failed.
const HAS_NO_TRANSACTION: &str = "SELECT now() = statement_timestamp()";
/// The same, and whether the server still accepts writes.
const IS_WRITABLE_AGAIN: &str = "SELECT now() = statement_timestamp() AND current_setting('transaction_read_only') = 'off'";
/// A connection that was checked when it returned to the pool is not checked again within this time.
const CHECKED_RECENTLY: Duration = Duration::from_secs(1);

/// A setting of a connection, with its value.
pub(super) type SessionSetting = (&'static str, String);

/// What a pool does with a server that does not accept writes: a replica, or a demoted primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadOnlyServer {
    /// It uses the server.
    Accept,
    /// It uses each connection once, and then makes another one, which a proxy sends to the primary as soon as there is one.
    UseOnce,
    /// It makes connections until one accepts writes.
    Reject,
}

/// What a pool does with a connection that returns to it. A caller that gave up may have left a statement, a transaction or a rollback to
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReleaseCheck {
    /// It has this time to end them, or else it is closed.
    Always(Duration),
    /// The same, and the server must accept writes. If it is used again soon, it is not checked again.
    Writable(Duration),
    /// The same, if a read was cancelled. The driver waits for the server after each read, too, but without a limit. A second round trip
    /// would make each read slower.
    AfterCancellation(Duration),
}

/// Sets the options of connections to PostgreSQL. The settings are applied by statements instead of start-up options, which PgBouncer
/// rejects.
pub(super) fn configure(
    options: &mut ConnectOptions,
    settings: &[SessionSetting],
    read_only: ReadOnlyServer,
    release_check: ReleaseCheck,
) {
    let settings: String = settings.iter().map(|(name, value)| format!("SET {name} = '{value}'; ")).collect();
    let statements = [KEEP_ALIVE, CHECK_CLIENT, &settings].concat();
    options.idle_timeout(IDLE_TIMEOUT).max_lifetime(MAX_LIFETIME).map_sqlx_postgres_opts(without_start_up_options);
    options.map_sqlx_postgres_pool_opts(move |pool: PgPoolOptions| {
        let statements = statements.clone();
        let pool = pool.after_release(move |connection, _| Box::pin(can_return(connection, release_check)));
        let pool = pool.after_connect(move |connection, _| {
            let statements = statements.clone();
            Box::pin(async move {
                let is_writable = prepare(connection, &statements).await?;
                if is_writable || read_only != ReadOnlyServer::Reject { Ok(()) } else { Err(read_only_error()) }
            })
        });
        if read_only == ReadOnlyServer::Accept {
            return pool;
        }
        // Instead of a ping, to which a demoted server responds. The pool closes the connection and makes another one.
        pool.test_before_acquire(false).before_acquire(move |connection, pooled| {
            let is_checked = matches!(release_check, ReleaseCheck::Writable(_)) && pooled.idle_for < CHECKED_RECENTLY;
            Box::pin(async move { Ok(is_checked || prepare(connection, "").await.unwrap_or(false)) })
        })
    });
}

/// Connects once, and returns whether the server accepts writes.
pub(crate) async fn is_writable_postgres(options: PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut connection = without_start_up_options(options).connect().await?;
    let is_writable = prepare(&mut connection, "").await?;
    connection.close().await?;
    Ok(is_writable)
}

/// Whether the database accepts writes now: it is not a replica, a demoted primary, or read-only by its settings.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn accepts_writes(database: &DatabaseConnection) -> Result<bool, DbErr> {
    if database.get_database_backend() != DbBackend::Postgres {
        return Ok(true);
    }
    let sql = "SELECT current_setting('transaction_read_only') = 'off' AS accepts_writes";
    let row = database.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    row.map_or(Ok(false), |row| row.try_get("", "accepts_writes"))
}

/// Connects for notifications.
pub(crate) async fn connect_listener(options: PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let options = without_start_up_options(options).application_name("marquee-listen");
    // Only for this connection, which lives as long as it receives notifications.
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).connect_with(options).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.ignore_pool_close_event(true);
    Ok(listener)
}

/// Without a default of the driver that PgBouncer rejects. The default of the server is as exact.
fn without_start_up_options(options: PgConnectOptions) -> PgConnectOptions {
    options.extra_float_digits(None)
}

/// Applies settings, and returns whether the server accepts writes, in one round trip.
async fn prepare(connection: &mut PgConnection, statements: &str) -> Result<bool, sqlx::Error> {
    let rows = sqlx::raw_sql(AssertSqlSafe(format!("{statements}SHOW transaction_read_only"))).fetch_all(connection).await?;
    // Other statements may return rows, too.
    let row = rows.last().ok_or(sqlx::Error::RowNotFound)?;
    Ok(row.try_get::<&str, _>(0)? == "off")
}

/// Whether a connection ends in time what it still has to do, and then has no transaction. If not, the pool closes it, which cancels its
/// statement.
async fn can_return(connection: &mut PgConnection, check: ReleaseCheck) -> Result<bool, sqlx::Error> {
    let (limit, condition) = match check {
        ReleaseCheck::Always(limit) => (limit, HAS_NO_TRANSACTION),
        ReleaseCheck::Writable(limit) => (limit, IS_WRITABLE_AGAIN),
        ReleaseCheck::AfterCancellation(limit) if was_read_cancelled() => (limit, HAS_NO_TRANSACTION),
        ReleaseCheck::AfterCancellation(_) => return Ok(true),
    };
    let is_met = async { sqlx::raw_sql(condition).fetch_one(connection).await?.try_get(0) };
    Ok(matches!(timeout(limit, is_met).await, Ok(Ok(true))))
}

fn read_only_error() -> sqlx::Error {
    sqlx::Error::Protocol("the server is read-only: a replica, or a demoted primary".to_owned())
}
