//! Real database outages: requests that need the database are 503 with `Retry-After`, and the service recovers on its own.

use std::time::Duration;

use api::State;
use entity::{ConnectionRole, DatabaseSettings};
use migration::testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::{TestApp, TestResponse},
};

/// Much longer than the connection timeout of 3 s, because the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Paths that need the database; the event is that of [`create_postgres_with_event`].
fn database_paths() -> [String; 5] {
    let event = format!("/events/{}", NewEvent::titled("show").row.id);
    ["/search".to_owned(), event, "/providers".to_owned(), "/sync-runs".to_owned(), "/readyz".to_owned()]
}

async fn create_postgres_with_event() -> TestDatabase {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([NewEvent::titled("show")]).await;
    catalogue.database.close().await.unwrap();
    database
}

async fn assert_available(app: &TestApp) {
    let ready = async { while app.get("/readyz").await.status != 200 {} };
    timeout(TIMEOUT, ready).await.expect("ready once the database is available");
    for path in database_paths() {
        let response = app.get(&path).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }
}

/// Replaces the hanging connections, and leaves none open.
async fn assert_recovers(app: &TestApp, proxy: &DatabaseProxy) {
    proxy.set_mode(ProxyMode::Cut).await;
    proxy.set_mode(ProxyMode::Forward).await;
    assert_available(app).await;
    proxy.set_mode(ProxyMode::Cut).await;
}

fn assert_unavailable(response: &TestResponse) {
    let problem = response.problem(503, "database_unavailable");
    assert_eq!(problem["detail"], "the database is unavailable; retry later");
    assert_eq!(problem["errors"], serde_json::json!([]));
    assert_eq!(response.header("retry-after"), Some("2"));
}

async fn assert_database_unavailable(app: &TestApp) {
    for path in database_paths() {
        assert_unavailable(&app.get(&path).await);
    }
    assert_eq!(app.get("/livez").await.status, 200);
    assert_eq!(app.get("/openapi.json").await.status, 200);
    app.get("/search?limit=x").await.validation_errors();
}

/// Runs statements on the maintenance database of the server.
pub(crate) async fn run_maintenance(statements: &[String]) {
    let server = std::env::var("TEST_DATABASE_URL").unwrap();
    let maintenance = DatabaseSettings { url: server.parse().unwrap() };
    let connection = entity::connect(&maintenance, ConnectionRole::Worker).await.unwrap();
    for statement in statements {
        connection.execute_unprepared(statement).await.unwrap();
    }
    connection.close().await.unwrap();
}

pub(crate) fn database_name(database: &TestDatabase) -> String {
    let url = database.settings.url.expose();
    let path = url.split('?').next().unwrap();
    path.rsplit('/').next().unwrap().to_owned()
}

/// A statement that closes all connections.
pub(crate) fn disconnect_all(name: &str) -> String {
    format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_cut_connection() {
    let database = create_postgres_with_event().await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Forward).await;
    let app = TestApp::with_connection(proxy.connect().await);
    for _ in 0..2 {
        assert_available(&app).await;
        proxy.set_mode(ProxyMode::Cut).await;
        assert_database_unavailable(&app).await;
        proxy.set_mode(ProxyMode::Forward).await;
    }
    assert_available(&app).await;
    proxy.set_mode(ProxyMode::Cut).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_renamed_database() {
    let database = create_postgres_with_event().await;
    let name = database_name(&database);
    let app = TestApp::new(&database).await;
    assert_available(&app).await;

    let renamed = format!("{name}_renamed");
    let rename = |from: &str, to: &str| format!("ALTER DATABASE {from} RENAME TO {to}");
    let disallow = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    let allow = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true");
    run_maintenance(&[disallow, disconnect_all(&name)]).await;
    // The database rejects connections, as during maintenance.
    assert_database_unavailable(&app).await;
    run_maintenance(&[rename(&name, &renamed)]).await;
    // The database does not exist, as during a restore.
    assert_database_unavailable(&app).await;
    run_maintenance(&[rename(&renamed, &name), allow]).await;
    assert_available(&app).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_database_is_503() {
    let database = create_postgres_with_event().await;
    let app = TestApp::new(&database).await;
    assert_available(&app).await;

    database.remove().await;

    assert_database_unavailable(&app).await;
    assert_database_unavailable(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_is_503_and_its_address_is_not_exposed() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = DatabaseSettings { url: format!("postgres://user:secret@{closed}/marquee").parse().unwrap() };
    let app = TestApp::with_connection(entity::connect(&settings, ConnectionRole::Api).await.unwrap());

    let (search, ready, live) = tokio::join!(app.get("/search"), app.get("/readyz"), app.get("/livez"));

    for response in [search, ready] {
        assert_unavailable(&response);
        for secret in ["secret", "127.0.0.1", "refused", &closed.port().to_string()] {
            assert!(!response.text().contains(secret), "{}", response.text());
        }
    }
    assert_eq!(live.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_accepts_but_never_responds_is_503() {
    let database = create_postgres_with_event().await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Hang).await;
    let app = TestApp::with_connection(proxy.connect().await);

    let requests = async { tokio::join!(app.get("/search"), app.get("/readyz")) };
    let (search, ready) = timeout(TIMEOUT, requests).await.expect("clients do not wait forever");

    assert_unavailable(&search);
    assert_unavailable(&ready);
    assert_recovers(&app, &proxy).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_during_a_query_is_503() {
    let database = create_postgres_with_event().await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::HangAt("FROM")).await;
    let app = TestApp::with_connection(proxy.connect().await);

    let [one, two, three, four, five] = database_paths();
    let get = async |path: String| timeout(TIMEOUT, app.get(&path)).await.expect("clients do not wait forever");
    let (one, two, three, four, five) = tokio::join!(get(one), get(two), get(three), get(four), get(five));
    for response in [one, two, three, four, five] {
        assert_unavailable(&response);
    }
    assert_recovers(&app, &proxy).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_times_out_with_503() {
    let database = create_postgres_with_event().await;
    let app = TestApp::new(&database).await;
    let locker: DatabaseConnection = database.connect(ConnectionRole::Worker).await;
    let lock = locker.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE event IN ACCESS EXCLUSIVE MODE").await.unwrap();

    // A list of events that reads only its page is not too broad.
    let (search, events, ready) = tokio::join!(app.get("/search"), app.get("/events"), app.get("/readyz"));
    assert_unavailable(&search);
    assert_unavailable(&events);
    assert_eq!(ready.status, 200, "requests that do not need the table are served");

    lock.rollback().await.unwrap();
    assert_available(&app).await;
    database.remove().await;
}

/// A proxy that closes idle connections does that.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_connection_for_notifications_is_no_outage() {
    let database = create_postgres_with_event().await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Forward).await;
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State::new(reads.clone(), watch, 0, None);
    let shutdown = CancellationToken::new();
    state.start_background_tasks(proxy.settings(), shutdown.clone());
    let first = wait_for_listener(&reads, 0).await;

    let close = async {
        proxy.set_mode(ProxyMode::Cut).await;
        proxy.set_mode(ProxyMode::Forward).await;
        wait_for_listener(&reads, first).await
    };
    tokio::select! {
        () = state.availability.wait_until_unavailable() => panic!("the database counts as unavailable"),
        second = timeout(TIMEOUT, close) => assert_ne!(second.expect("the API listens again"), first),
    }
    shutdown.cancel();
    proxy.set_mode(ProxyMode::Cut).await;
    database.remove().await;
}

/// The process id of the connection for notifications, once there is another one than `previous`.
async fn wait_for_listener(database: &DatabaseConnection, previous: i32) -> i32 {
    let sql =
        "SELECT max(pid) AS pid FROM pg_stat_activity WHERE application_name = 'marquee-listen' AND datname = current_database()";
    loop {
        let row = database.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().unwrap();
        let pid: Option<i32> = row.try_get("", "pid").unwrap();
        if let Some(pid) = pid.filter(|pid| *pid != previous) {
            return pid;
        }
        tokio::task::yield_now().await;
    }
}
