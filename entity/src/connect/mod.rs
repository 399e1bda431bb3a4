//! Connections to the database: which database, pool sizes and timeouts, and what an error means for the database.

mod cancellation;
pub mod deadline;
mod demotion;
mod failure;
mod postgres;
mod role;
mod settings;
mod sqlite;
mod url;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

pub use self::{
    cancellation::cancel_on_drop,
    demotion::close_read_only_connections,
    failure::{Failure, is_connection_lost, is_statement_timeout, is_unavailable},
    postgres::accepts_writes,
    role::ConnectionRole,
    settings::DatabaseSettings,
    url::DatabaseUrlError,
};
pub(crate) use self::{
    postgres::{connect_listener, is_writable_postgres},
    url::DatabaseUrl,
};

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is invalid.
    #[error(transparent)]
    InvalidUrl(#[from] DatabaseUrlError),
    /// A SQLite file cannot be opened.
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
    // First: an error of the driver would contain the URL.
    let url = DatabaseUrl::parse(&settings.url)?;
    let mut options = ConnectOptions::new(settings.url.expose());
    options.sqlx_logging(false).connect_lazy(true);
    role.configure(&mut options);
    if matches!(url, DatabaseUrl::Postgres(_)) {
        role.configure_postgres(&mut options);
        return Ok(Database::connect(options).await?);
    }
    sqlite::configure(&mut options, role);
    let database = Database::connect(options).await?;
    sqlite::forbid_creation(&database);
    Ok(database)
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
