//! Fresh databases for tests: each test gets its own database with the current schema, on each backend.
//!
//! The PostgreSQL server is the one in `TEST_DATABASE_URL`; `make test` starts a temporary one. Without it the tests on PostgreSQL fail,
//! so that a backend is never skipped silently. A database is dropped if its test passes, and remains for inspection if it fails.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "tests may panic")]

pub mod event_catalogue;
mod next_release;
mod proxy;

use entity::{ConnectionRole, DatabaseSettings, RedactedUrl};
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection};
use tempfile::TempDir;

pub use self::{
    next_release::{EXPANSION, NextRelease},
    proxy::{DatabaseProxy, ProxyMode},
};
use crate::{Migrator, MigratorTrait};

/// The databases on which every test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A SQLite file in a temporary directory.
    Sqlite,
    /// A database on the PostgreSQL server in `TEST_DATABASE_URL`.
    Postgres,
}

/// The database of one test.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its settings, as for a program.
    pub settings: DatabaseSettings,
    location: Location,
}

#[derive(Debug)]
enum Location {
    Sqlite { _folder: TempDir },
    Postgres { maintenance: DatabaseSettings, name: String },
}

impl TestDatabase {
    /// Creates a database without tables.
    pub async fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let folder = TempDir::new().expect("a temporary folder");
                let url = format!("sqlite://{}?mode=rwc", folder.path().join("marquee.db").display());
                Self { settings: settings(&url), location: Location::Sqlite { _folder: folder } }
            }
            Backend::Postgres => {
                let url = std::env::var("TEST_DATABASE_URL").expect(
                    "TEST_DATABASE_URL must be the URL of a PostgreSQL server for test databases: run `make test`, or set it",
                );
                let name = format!("marquee_test_{}", uuid::Uuid::new_v4().simple());
                let maintenance = settings(&url);
                run_statement(&maintenance, &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await;
                Self { settings: settings(&with_database(&url, &name)), location: Location::Postgres { maintenance, name } }
            }
        }
    }

    /// Creates a database with the current schema.
    pub async fn migrated(backend: Backend) -> Self {
        let database = Self::empty(backend).await;
        let connection = database.connect(ConnectionRole::Worker).await;
        Migrator::up(&connection, None).await.expect("the migrations apply");
        connection.close().await.expect("the connection closes");
        database
    }

    /// Opens a pool like one of the programs.
    pub async fn connect(&self, role: ConnectionRole) -> DatabaseConnection {
        entity::connect(&self.settings, role).await.expect("the test database is available")
    }

    /// Drops the database, even if connections are open.
    pub async fn remove(self) {
        if let Location::Postgres { maintenance, name } = &self.location {
            run_statement(maintenance, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

/// Runs one test on a fresh database; [`on_every_backend`](crate::on_every_backend) calls it.
pub async fn run<Test, Running>(backend: Backend, test: Test)
where
    Test: FnOnce(std::sync::Arc<TestDatabase>) -> Running,
    Running: Future<Output = ()>,
{
    let database = std::sync::Arc::new(TestDatabase::migrated(backend).await);
    test(database.clone()).await;
    if let Some(database) = std::sync::Arc::into_inner(database) {
        database.remove().await;
    }
}

/// Generates one test per backend for each `async fn name(database: Arc<TestDatabase>)`: `sqlite::name` and `postgres::name`.
#[macro_export]
macro_rules! on_every_backend {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                $crate::testing::run($crate::testing::Backend::Sqlite, super::$test).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                $crate::testing::run($crate::testing::Backend::Postgres, super::$test).await;
            })+
        }
    };
}

fn settings(url: &str) -> DatabaseSettings {
    DatabaseSettings { url: url.parse::<RedactedUrl>().expect("a database URL") }
}

/// Replaces the database name: `postgres://user@host:port/NAME?query`.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, String::new()), |(address, query)| (address, format!("?{query}")));
    let authority_at = address.find("://").map_or(0, |at| at + 3);
    let authority = address[authority_at..].split('/').next().unwrap_or_default();
    format!("{}{authority}/{name}{query}", &address[..authority_at])
}

async fn run_statement(server: &DatabaseSettings, statement: &str) {
    let connection = entity::connect(server, ConnectionRole::Worker).await.expect("the server in TEST_DATABASE_URL is available");
    connection.execute_unprepared(statement).await.expect("the statement succeeds");
    connection.close().await.expect("the connection closes");
}
