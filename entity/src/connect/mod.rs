//! Connections to the database: which database, pool sizes and timeouts, and what an error says about the database.

mod failure;
mod role;
mod settings;
mod sqlite;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

pub use self::{
    failure::{Failure, is_connection_lost, is_unavailable},
    role::ConnectionRole,
    settings::DatabaseSettings,
};

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
    role.configure(&mut options);
    sqlite::configure(&mut options);
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
}
