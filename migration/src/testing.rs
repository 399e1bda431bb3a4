//! Fresh databases for tests: each test has one of its own, on each backend, with the schema made.
//!
//! PostgreSQL is the server that `TEST_DATABASE_URL` names; `make test` starts a throwaway one. Without it the tests of
//! PostgreSQL fail and say so: a backend is never skipped in silence. A database is dropped when its test has passed, and
//! kept for a look when it has failed.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a test ends at the first thing that goes wrong")]

use entity::{ConnectionRole, DatabaseSettings, RedactedUrl};
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection};
use tempfile::TempDir;

use crate::{Migrator, MigratorTrait};

/// The kinds of database on which every test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file in a temporary folder.
    Sqlite,
    /// A database of the server that `TEST_DATABASE_URL` names.
    Postgres,
}

/// A database that belongs to one test.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its address, as a program takes it.
    pub settings: DatabaseSettings,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Sqlite { _folder: TempDir },
    Postgres { maintenance: DatabaseSettings, name: String },
}

impl TestDatabase {
    /// A database without any table.
    pub async fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let folder = TempDir::new().expect("a temporary folder");
                let url = format!("sqlite://{}?mode=rwc", folder.path().join("marquee.db").display());
                Self { settings: settings(&url), server: Server::Sqlite { _folder: folder } }
            }
            Backend::Postgres => {
                let url = std::env::var("TEST_DATABASE_URL")
                    .expect("TEST_DATABASE_URL is not set: run `make test`, or give it a PostgreSQL server to make databases on");
                let name = format!("marquee_test_{}", uuid::Uuid::new_v4().simple());
                let maintenance = settings(&url);
                run_statement(&maintenance, &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await;
                Self { settings: settings(&with_database(&url, &name)), server: Server::Postgres { maintenance, name } }
            }
        }
    }

    /// A database with the schema made.
    pub async fn migrated(backend: Backend) -> Self {
        let database = Self::empty(backend).await;
        let connection = database.connect(ConnectionRole::Worker).await;
        Migrator::up(&connection, None).await.expect("the migrations apply");
        connection.close().await.expect("the connection closes");
        database
    }

    /// A pool as one of the programs opens it.
    pub async fn connect(&self, role: ConnectionRole) -> DatabaseConnection {
        entity::connect(&self.settings, role).await.expect("the database of the test answers")
    }

    /// Removes the database, whoever is still connected.
    pub async fn remove(self) {
        if let Server::Postgres { maintenance, name } = &self.server {
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

/// Makes of each `async fn name(database: Arc<TestDatabase>)` one test per backend: `sqlite::name` and `postgres::name`.
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

/// The URL with another database name: `postgres://user@host:port/NAME?query`.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, String::new()), |(address, query)| (address, format!("?{query}")));
    let authority_at = address.find("://").map_or(0, |at| at + 3);
    let authority = address[authority_at..].split('/').next().unwrap_or_default();
    format!("{}{authority}/{name}{query}", &address[..authority_at])
}

async fn run_statement(server: &DatabaseSettings, statement: &str) {
    let connection = entity::connect(server, ConnectionRole::Worker).await.expect("the server of TEST_DATABASE_URL answers");
    connection.execute_unprepared(statement).await.expect("a database is made or removed");
    connection.close().await.expect("the connection closes");
}
