//! Checks a database before a program uses it: whether its URL is valid, whether it responds, and whether its schema is current.

use std::{
    io,
    path::{self, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use sea_orm::{
    DatabaseConnection, DbErr, RuntimeErr,
    sqlx::{self, Connection, PgConnection, postgres::PgConnectOptions, sqlite::SqliteConnectOptions},
};

use crate::{ConnectError, ConnectionRole, DatabaseSettings, Failure, connect, is_unavailable, schema};

/// How long a database may take to respond: every program reports an unavailable database within 5 s.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Why a program cannot use a database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL is not that of a supported database.
    #[error(transparent)]
    InvalidUrl(ConnectError),
    /// A part of the URL is invalid, such as the port.
    #[error("the database URL {url} is invalid")]
    MalformedUrl {
        /// The URL, without secrets.
        url: String,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// The SQLite file does not exist. Only `marquee-migrate up` creates it, so that a misspelled path is detected.
    #[error("the SQLite file {} does not exist; to create it, run `marquee-migrate up`", .path.display())]
    MissingFile {
        /// The file.
        path: PathBuf,
    },
    /// The database does not respond.
    #[error("the database {url} is unavailable")]
    Unavailable {
        /// Its URL, without secrets.
        url: String,
        /// The cause.
        #[source]
        source: DbErr,
    },
    /// The database responds with an error: a wrong password, or a database that does not exist.
    #[error("the database {url} rejected the connection")]
    Rejected {
        /// Its URL, without secrets.
        url: String,
        /// The cause.
        #[source]
        source: DbErr,
    },
    /// The schema is missing or older than the program.
    #[error(
        "the schema of the database {url} is outdated: it lacks the migration {}; run `marquee-migrate up`",
        schema::NEWEST_MIGRATION
    )]
    SchemaOutdated {
        /// Its URL, without secrets.
        url: String,
    },
}

/// A parsed URL.
enum DatabaseUrl {
    Postgres(PgConnectOptions),
    Sqlite(SqliteConnectOptions),
}

impl DatabaseError {
    /// Whether the settings must be changed: waiting cannot help.
    #[must_use]
    pub fn is_invalid_url(&self) -> bool {
        matches!(self, Self::InvalidUrl(_) | Self::MalformedUrl { .. })
    }
}

impl DatabaseSettings {
    /// Describes the database without connecting to it, for a person.
    ///
    /// # Errors
    ///
    /// When the URL is invalid.
    pub fn describe(&self) -> Result<String, DatabaseError> {
        let is_missing = find_missing_file(&self.parse_url()?, self.url.expose()).is_some();
        Ok(format!("{}{}", self.url, if is_missing { " (does not exist yet)" } else { "" }))
    }

    /// The server, port and name of a PostgreSQL database, or the absolute path of a SQLite file: what identifies the database among
    /// others, without user and password.
    ///
    /// # Errors
    ///
    /// When the URL is invalid.
    pub fn location(&self) -> Result<String, DatabaseError> {
        Ok(match self.parse_url()? {
            DatabaseUrl::Postgres(options) => {
                let name = options.get_database().unwrap_or_else(|| options.get_username());
                format!("{}:{}/{name}", options.get_host(), options.get_port())
            }
            DatabaseUrl::Sqlite(options) => {
                let path = options.get_filename();
                path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
            }
        })
    }

    fn parse_url(&self) -> Result<DatabaseUrl, DatabaseError> {
        let url = self.url.expose();
        let parsed = if self.is_postgres() {
            PgConnectOptions::from_str(url).map(DatabaseUrl::Postgres)
        } else if url.starts_with("sqlite:") {
            SqliteConnectOptions::from_str(url).map(DatabaseUrl::Sqlite)
        } else {
            return Err(DatabaseError::InvalidUrl(ConnectError::InvalidUrl));
        };
        parsed.map_err(|source| DatabaseError::MalformedUrl { url: self.url.to_string(), source })
    }

    fn reject(&self, error: sqlx::Error) -> DatabaseError {
        self.classify(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
    }

    fn classify(&self, source: DbErr) -> DatabaseError {
        let url = self.url.to_string();
        let is_rejected = match &source {
            DbErr::Conn(RuntimeErr::SqlxError(cause)) => {
                matches!(**cause, sqlx::Error::Database(_)) && Failure::of_sqlx(cause) == Failure::Rejected
            }
            other => !is_unavailable(other),
        };
        if is_rejected { DatabaseError::Rejected { url, source } } else { DatabaseError::Unavailable { url, source } }
    }
}

/// Checks that the database responds. A SQLite file must exist.
///
/// # Errors
///
/// When it does not respond in time, or rejects the connection.
pub async fn check_connection(settings: &DatabaseSettings) -> Result<(), DatabaseError> {
    within_timeout(settings, try_connection(settings)).await
}

/// Connects to a database that responds and has the current schema. A SQLite file must exist.
///
/// # Errors
///
/// When it does not respond in time, rejects the connection, or its schema is outdated.
pub async fn open(settings: &DatabaseSettings, role: ConnectionRole) -> Result<DatabaseConnection, DatabaseError> {
    within_timeout(settings, async {
        try_connection(settings).await?;
        let database = connect(settings, role).await.map_err(|error| match error {
            ConnectError::InvalidUrl => DatabaseError::InvalidUrl(error),
            ConnectError::Database(source) => settings.classify(source),
        })?;
        if schema::is_schema_current(&database).await.map_err(|error| settings.classify(error))? {
            Ok(database)
        } else {
            Err(DatabaseError::SchemaOutdated { url: settings.url.to_string() })
        }
    })
    .await
}

/// The SQLite file, if it does not exist.
fn find_missing_file(parsed: &DatabaseUrl, url: &str) -> Option<PathBuf> {
    let DatabaseUrl::Sqlite(options) = parsed else { return None };
    let is_in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let path = options.get_filename();
    (!is_in_memory && !path.exists()).then(|| path.to_owned())
}

/// Opens and closes one connection to PostgreSQL. A pool would retry a refused connection until its timeout, and then report the timeout
/// instead of the cause.
async fn try_connection(settings: &DatabaseSettings) -> Result<(), DatabaseError> {
    let parsed = settings.parse_url()?;
    if let Some(path) = find_missing_file(&parsed, settings.url.expose()) {
        return Err(DatabaseError::MissingFile { path });
    }
    if let DatabaseUrl::Postgres(options) = parsed {
        let connection = PgConnection::connect_with(&options).await.map_err(|error| settings.reject(error))?;
        connection.close().await.map_err(|error| settings.reject(error))?;
    }
    Ok(())
}

async fn within_timeout<T>(
    settings: &DatabaseSettings,
    future: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    tokio::time::timeout(TIMEOUT, future).await.unwrap_or_else(|_elapsed| {
        let message = format!("no response within {} s", TIMEOUT.as_secs());
        Err(settings.reject(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, message))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_that_of_the_database_without_secrets() {
        for (url, location) in [
            ("postgres://marquee:secret@db.example/shows", "db.example:5432/shows"),
            ("postgresql://other@db.example:6432/shows?sslmode=require", "db.example:6432/shows"),
            ("sqlite:///var/lib/marquee.db?mode=rwc", "/var/lib/marquee.db"),
        ] {
            let settings = DatabaseSettings { url: url.parse().expect("any text is accepted") };
            assert_eq!(settings.location().expect("a valid URL"), location);
        }
    }
}
