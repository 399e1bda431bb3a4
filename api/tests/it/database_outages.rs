//! The database goes away for real: what needs it is 503 with a hint when to ask again, and all is well once it is back.

use std::time::{Duration, Instant};

use entity::{ConnectionRole, DatabaseSettings};
use migration::testing::{Backend, TestDatabase};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::time::timeout;

use crate::{
    database_proxy::{DatabaseProxy, ProxyMode},
    fixtures::{CatalogueFixture, NewEvent},
    test_app::{TestApp, TestResponse},
};

/// What a client of an unreachable database waits at most: 3 s for a connection, and time for a slow machine.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How soon after the database all is well again.
const BACK: Duration = Duration::from_secs(5);

/// Paths that need the database; the event is that of [`postgres_with_a_show`].
fn paths() -> [String; 5] {
    let event = format!("/events/{}", NewEvent::titled("show").row.id);
    ["/search".to_owned(), event, "/providers".to_owned(), "/sync-runs".to_owned(), "/readyz".to_owned()]
}

async fn postgres_with_a_show() -> TestDatabase {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([NewEvent::titled("show")]).await;
    catalogue.database.close().await.unwrap();
    database
}

async fn assert_available(app: &TestApp) {
    let back = async { while app.get("/readyz").await.status != 200 {} };
    timeout(BACK, back).await.expect("ready soon after the database is back");
    for path in paths() {
        let response = app.get(&path).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }
}

fn assert_unavailable(response: &TestResponse) {
    let problem = response.problem(503, "database_unavailable");
    assert_eq!(problem["detail"], "the database is unavailable; retry later");
    assert_eq!(problem["errors"], serde_json::json!([]));
    assert_eq!(response.header("retry-after"), Some("2"));
}

async fn assert_database_unavailable(app: &TestApp) {
    for path in paths() {
        assert_unavailable(&app.get(&path).await);
    }
    assert_eq!(app.get("/livez").await.status, 200);
    assert_eq!(app.get("/openapi.json").await.status, 200);
    app.get("/search?limit=x").await.validation_errors();
}

/// Runs statements beside the database of the test.
async fn maintain(statements: &[String]) {
    let server = std::env::var("TEST_DATABASE_URL").unwrap();
    let maintenance = DatabaseSettings { url: server.parse().unwrap() };
    let connection = entity::connect(&maintenance, ConnectionRole::Worker).await.unwrap();
    for statement in statements {
        connection.execute_unprepared(statement).await.unwrap();
    }
    connection.close().await.unwrap();
}

fn name_of(database: &TestDatabase) -> String {
    let url = database.settings.url.expose();
    let path = url.split('?').next().unwrap();
    path.rsplit('/').next().unwrap().to_owned()
}

/// Ends whoever is still connected.
fn disconnect_all(name: &str) -> String {
    format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_a_cut_connection() {
    let database = postgres_with_a_show().await;
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
    let database = postgres_with_a_show().await;
    let name = name_of(&database);
    let app = TestApp::new(&database).await;
    assert_available(&app).await;

    let away = format!("{name}_away");
    let rename = |from: &str, to: &str| format!("ALTER DATABASE {from} RENAME TO {to}");
    let refuse = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    let allow = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true");
    maintain(&[refuse, disconnect_all(&name)]).await;
    // It refuses connections, as a server does that is being maintained.
    assert_database_unavailable(&app).await;
    maintain(&[rename(&name, &away)]).await;
    // It is not there, as on a server that is being restored.
    assert_database_unavailable(&app).await;
    maintain(&[rename(&away, &name), allow]).await;
    assert_available(&app).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_database_is_503() {
    let database = postgres_with_a_show().await;
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
    let database = postgres_with_a_show().await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Hang).await;
    let app = TestApp::with_connection(proxy.connect().await);

    let started = Instant::now();
    let (search, ready) = tokio::join!(app.get("/search"), app.get("/readyz"));

    assert_unavailable(&search);
    assert_unavailable(&ready);
    assert!(started.elapsed() < TIMEOUT);
    proxy.set_mode(ProxyMode::Cut).await;
    proxy.set_mode(ProxyMode::Forward).await;
    assert_available(&app).await;
    proxy.set_mode(ProxyMode::Cut).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_during_a_query_is_503() {
    let database = postgres_with_a_show().await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::HangAt("FROM")).await;
    let app = TestApp::with_connection(proxy.connect().await);

    let [one, two, three, four, five] = paths();
    let get = async |path: String| timeout(TIMEOUT, app.get(&path)).await.expect("a client does not wait for ever");
    let (one, two, three, four, five) = tokio::join!(get(one), get(two), get(three), get(four), get(five));
    for response in [one, two, three, four, five] {
        assert_unavailable(&response);
    }
    proxy.set_mode(ProxyMode::Cut).await;
    proxy.set_mode(ProxyMode::Forward).await;
    assert_available(&app).await;
    proxy.set_mode(ProxyMode::Cut).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_times_out_with_503() {
    let database = postgres_with_a_show().await;
    let app = TestApp::new(&database).await;
    let locker: DatabaseConnection = database.connect(ConnectionRole::Worker).await;
    locker.execute_unprepared("BEGIN; LOCK TABLE event IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let (search, ready) = tokio::join!(app.get("/search"), app.get("/readyz"));
    assert_unavailable(&search);
    assert_eq!(ready.status, 200, "who does not need that table is served");

    locker.execute_unprepared("ROLLBACK").await.unwrap();
    assert_available(&app).await;
    database.remove().await;
}
