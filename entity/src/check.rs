//! Checks a database before a program uses it: whether its URL is valid, whether it responds, and whether its schema is current.

use std::{
    path::{self, PathBuf},
    sync::Arc,
    time::Duration,
};

use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, sqlx};

use crate::{
    ConnectError, ConnectionRole, DatabaseSettings, DatabaseUrlError, Failure, connect,
    connect::{DatabaseUrl, is_writable_postgres},
    deadline, is_unavailable,
    schema::{NEWEST_MIGRATION, SchemaFit, check_schema},
};

/// How long a database may take to respond: every program reports an unavailable database within 5 s.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Why a program cannot use a database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL is invalid.
    #[error(transparent)]
    InvalidUrl(#[from] DatabaseUrlError),
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
    /// The server is a replica, or was demoted, and the program writes.
    #[error("the database {url} is read-only: the server is a replica, or a demoted primary")]
    ReadOnly {
        /// Its URL, without secrets.
        url: String,
    },
    /// A pooler sends the statements of one connection to several connections.
    #[error(
        "the database {url} is behind a pooler in transaction mode, which is not supported because prepared statements fail; use its \
         session mode, for example `pool_mode = session` of PgBouncer"
    )]
    TransactionPooling {
        /// Its URL, without secrets.
        url: String,
    },
    /// The schema is missing or older than the program.
    #[error("the schema of the database {url} is outdated: it lacks the migration {NEWEST_MIGRATION}; run `marquee-migrate up`")]
    SchemaOutdated {
        /// Its URL, without secrets.
        url: String,
    },
    /// The schema excludes this program.
    #[error(
        "the schema of the database {url} is too new: it requires programs that know the migration {required}, and the newest that this \
         one knows is {NEWEST_MIGRATION}; use a newer release"
    )]
    SchemaTooNew {
        /// Its URL, without secrets.
        url: String,
        /// The oldest migration that the program must know.
        required: String,
    },
}

impl DatabaseError {
    /// Whether the settings must be changed: waiting cannot help.
    #[must_use]
    pub fn is_invalid_url(&self) -> bool {
        matches!(self, Self::InvalidUrl(_))
    }
}

impl DatabaseSettings {
    /// Describes the database without connecting to it, for a person.
    ///
    /// # Errors
    ///
    /// When the URL is invalid.
    pub fn describe(&self) -> Result<String, DatabaseError> {
        let is_missing = find_missing_file(&DatabaseUrl::parse(&self.url)?, self.url.expose()).is_some();
        Ok(format!("{}{}", self.url, if is_missing { " (does not exist yet)" } else { "" }))
    }

    /// The server, port and name of a PostgreSQL database, or the absolute path of a SQLite file: what identifies the database among
    /// others, without user and password.
    ///
    /// # Errors
    ///
    /// When the URL is invalid.
    pub fn location(&self) -> Result<String, DatabaseUrlError> {
        Ok(match DatabaseUrl::parse(&self.url)? {
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

    /// Checks that the schema of this database fits a program with connections of this role.
    ///
    /// # Errors
    ///
    /// When it does not, or the database is unavailable.
    pub async fn check_schema(&self, database: &DatabaseConnection, role: ConnectionRole) -> Result<(), DatabaseError> {
        let url = || self.url.to_string();
        match check_schema(database, role).await.map_err(|error| self.classify(error))? {
            SchemaFit::Fits => Ok(()),
            SchemaFit::Outdated => Err(DatabaseError::SchemaOutdated { url: url() }),
            SchemaFit::TooNew { required } => Err(DatabaseError::SchemaTooNew { url: url(), required }),
        }
    }

    fn reject(&self, error: sqlx::Error) -> DatabaseError {
        self.classify(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
    }

    fn classify(&self, source: DbErr) -> DatabaseError {
        let url = self.url.to_string();
        if is_prepared_statement_missing(&source) {
            return DatabaseError::TransactionPooling { url };
        }
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
    within_timeout(settings, try_connection(settings)).await.map(drop)
}

/// Connects to a database that responds and has a schema that fits. A SQLite file must exist.
///
/// # Errors
///
/// When it does not respond in time, rejects the connection, or its schema does not fit.
pub async fn open(settings: &DatabaseSettings, role: ConnectionRole) -> Result<DatabaseConnection, DatabaseError> {
    within_timeout(settings, async {
        let is_writable = try_connection(settings).await?;
        if role.writes() && !is_writable {
            return Err(DatabaseError::ReadOnly { url: settings.url.to_string() });
        }
        let database = connect(settings, role).await.map_err(|error| match error {
            ConnectError::InvalidUrl(error) => DatabaseError::InvalidUrl(error),
            ConnectError::Database(source) => settings.classify(source),
        })?;
        settings.check_schema(&database, role).await?;
        Ok(database)
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

/// Opens and closes one connection to PostgreSQL, and returns whether the server accepts writes. A pool would retry a refused connection
/// until its timeout, and then report the timeout instead of the cause.
async fn try_connection(settings: &DatabaseSettings) -> Result<bool, DatabaseError> {
    let parsed = DatabaseUrl::parse(&settings.url)?;
    if let Some(path) = find_missing_file(&parsed, settings.url.expose()) {
        return Err(DatabaseError::MissingFile { path });
    }
    match parsed {
        DatabaseUrl::Postgres(options) => is_writable_postgres(options).await.map_err(|error| settings.reject(error)),
        DatabaseUrl::Sqlite(_) => Ok(true),
    }
}

/// Whether the server does not know a prepared statement of the connection, or has that of another one.
fn is_prepared_statement_missing(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    matches!(&**cause, sqlx::Error::Database(error) if matches!(error.code().as_deref(), Some("26000" | "42P05")))
}

async fn within_timeout<T>(
    settings: &DatabaseSettings,
    future: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    tokio::time::timeout(TIMEOUT, future).await.unwrap_or_else(|_elapsed| Err(settings.reject(deadline::no_response(TIMEOUT))))
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
