//! How much the databases read for a request.

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use entity::ConnectionRole;
use migration::testing::TestDatabase;
use sea_orm::{
    DatabaseConnection, SqlxSqliteConnector, Statement,
    sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::super::{explain_postgres, rows_read};
use crate::test_app::{TestApp, TestResponse};

/// Steps of SQLite's virtual machine for a row that is read, its conditions included.
const STEPS_PER_ROW: usize = 20;

/// Steps between two calls of the progress handler.
const STEPS_AT_ONCE: i32 = 10;

/// The API with a meter on its connections.
pub(super) struct Meter {
    app: TestApp,
    reads: Reads,
}

enum Reads {
    /// The steps of all statements.
    Sqlite(Arc<AtomicUsize>),
    /// The statements, which are executed again to count what they read.
    Postgres { statements: Arc<Mutex<Vec<Statement>>>, explain: DatabaseConnection },
}

impl Meter {
    pub(super) async fn sqlite(database: &TestDatabase) -> Self {
        let steps = Arc::new(AtomicUsize::new(0));
        let of_connection = steps.clone();
        let options: SqliteConnectOptions = database.settings.url.expose().parse().unwrap();
        let pool = SqlitePoolOptions::new().max_connections(1).after_connect(move |connection, _metadata| {
            let steps = of_connection.clone();
            Box::pin(async move {
                connection.lock_handle().await?.set_progress_handler(STEPS_AT_ONCE, move || {
                    steps.fetch_add(STEPS_AT_ONCE.unsigned_abs() as usize, Relaxed);
                    true
                });
                Ok(())
            })
        });
        let connection = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.connect_with(options).await.unwrap());
        Self { app: TestApp::with_connection(connection), reads: Reads::Sqlite(steps) }
    }

    pub(super) async fn postgres(database: &TestDatabase) -> Self {
        let statements = Arc::<Mutex<Vec<Statement>>>::default();
        let of_connection = statements.clone();
        let mut connection = database.connect(ConnectionRole::Api).await;
        connection.set_metric_callback(move |info| of_connection.lock().unwrap().push(info.statement.clone()));
        let explain = database.connect(ConnectionRole::Api).await;
        Self { app: TestApp::with_connection(connection), reads: Reads::Postgres { statements, explain } }
    }

    /// The response, and the rows that were read for it. Those of SQLite are estimated.
    pub(super) async fn get(&self, path: &str) -> (TestResponse, usize) {
        match &self.reads {
            Reads::Sqlite(steps) => {
                steps.store(0, Relaxed);
                let response = self.app.get_with_retries(path).await;
                (response, steps.load(Relaxed) / STEPS_PER_ROW)
            }
            Reads::Postgres { statements, explain } => {
                statements.lock().unwrap().clear();
                let response = self.app.get_with_retries(path).await;
                let statements = mem::take(&mut *statements.lock().unwrap());
                let mut read = 0.0;
                for statement in statements {
                    read += rows_read(&explain_postgres(explain, statement).await);
                }
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of rows")]
                let read = read.round() as usize;
                (response, read)
            }
        }
    }
}
