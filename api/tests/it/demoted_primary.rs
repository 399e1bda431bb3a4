//! A server that accepts no writes any more: writes are 503, and find a server that does without a restart.

use std::{sync::Arc, time::Duration};

use api::{State, database::writer::Writer};
use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase};
use poem::http::Method;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio_util::sync::CancellationToken;

use crate::{
    database_outages::{database_name, disconnect_all, run_maintenance},
    test_app::{TestApp, TestResponse},
};

/// Longer than the 3 s that a write waits for a connection, because the machine may be busy.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);
/// Shorter than the time after which an idle connection is closed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

async fn app_with_writer(database: &TestDatabase) -> TestApp {
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State::new(reads, watch, 0, None);
    let writer = Writer::new(database.connect(ConnectionRole::Write).await, state.availability.clone());
    TestApp::with_state(&State { writer: Arc::new(writer), ..state })
}

async fn write(app: &TestApp) -> TestResponse {
    let list = r#"{"regions":[{"slug":"r","name":"R"}],"places":[{"code":"XXAAA","name":"A","region_slug":"r"}]}"#;
    app.upload(Method::PUT, "/places", ("application/json", list), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_503_until_a_server_accepts_them() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let (name, app) = (database_name(&database), app_with_writer(&database).await);
    assert_eq!(write(&app).await.status, 200);

    // As after a failover behind a proxy: connections break, and new ones are made to a server that is not the primary yet.
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    run_maintenance(&[read_only, disconnect_all(&name)]).await;
    for _ in 0..2 {
        let response = write(&app).await;
        response.problem(503, "database_unavailable");
        assert_eq!(response.header("retry-after"), Some("2"));
    }

    run_maintenance(&[format!("ALTER DATABASE {name} RESET default_transaction_read_only")]).await;
    let recovered = async { while write(&app).await.status != 200 {} };
    tokio::time::timeout(RECOVERY_TIMEOUT, recovered).await.expect("writes succeed on the new primary");
    database.remove().await;
}

/// Makes the only connection of a pool read-only, and waits until it is in the pool again or closed.
async fn make_session_read_only(connection: &DatabaseConnection) {
    connection.execute_unprepared("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").await.unwrap();
    let pool = connection.get_postgres_connection_pool();
    while pool.num_idle() == 0 && pool.size() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A proxy that keeps the sessions to a demoted server.
#[tokio::test(flavor = "multi_thread")]
async fn connections_to_a_demoted_server_are_replaced() {
    for role in [ConnectionRole::Write, ConnectionRole::Worker] {
        let database = TestDatabase::migrated(Backend::Postgres).await;
        let connection = database.connect(role).await;
        make_session_read_only(&connection).await;

        let written = connection.execute_unprepared("UPDATE catalogue_version SET version = version + 1").await;

        assert!(written.is_ok(), "{role:?}: {written:?}");
        connection.close().await.unwrap();
        database.remove().await;
    }
}

/// The same for reads, which such a server answers with what it had when it was demoted.
#[tokio::test(flavor = "multi_thread")]
async fn reads_leave_a_demoted_server() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    make_session_read_only(&reads).await;
    assert_eq!(reads.get_postgres_connection_pool().size(), 1);
    let stop = CancellationToken::new();
    State::new(reads.clone(), watch, 0, None).start_background_tasks(database.settings.clone(), stop.clone());

    let replaced = async {
        while reads.get_postgres_connection_pool().size() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(CHECK_TIMEOUT, replaced).await.expect("the connection is closed");
    stop.cancel();
    database.remove().await;
}

/// What a transaction reports that was begun before the server was demoted.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_a_server_refuses_as_read_only_counts_as_unavailable() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let connection = database.connect(ConnectionRole::Api).await;
    make_session_read_only(&connection).await;

    let error = connection.execute_unprepared("UPDATE catalogue_version SET version = version + 1").await.unwrap_err();

    assert!(entity::is_unavailable(&error), "{error}");
    connection.close().await.unwrap();
    database.remove().await;
}
