//! The database goes away for real: what needs it is 503 with a hint when to ask again, and all is well once it is back.

use std::time::{Duration, Instant};

use entity::{ConnectionRole, DatabaseSettings};
use migration::testing::{Backend, TestDatabase};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::time::timeout;

use crate::{
    catalogue::{Catalogue, NewEvent},
    service::{Answer, Service},
    switch::{Line, Switch},
};

/// What a client of an unreachable database waits at most: 3 s for a connection, and time for a slow machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// How soon after the database all is well again.
const BACK: Duration = Duration::from_secs(5);

/// Paths that need the database; the event is that of [`postgres_with_a_show`].
fn paths() -> [String; 5] {
    let event = format!("/events/{}", NewEvent::titled("show").row.id);
    ["/search".to_owned(), event, "/providers".to_owned(), "/sync-runs".to_owned(), "/readyz".to_owned()]
}

async fn postgres_with_a_show() -> TestDatabase {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let catalogue = Catalogue::of(&database).await;
    catalogue.insert([NewEvent::titled("show")]).await;
    catalogue.database.close().await.unwrap();
    database
}

async fn assert_all_is_well(service: &Service) {
    let back = async { while service.get("/readyz").await.status != 200 {} };
    timeout(BACK, back).await.expect("ready soon after the database is back");
    for path in paths() {
        let answer = service.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
}

fn assert_away(answer: &Answer) {
    let problem = answer.problem(503, "database_unavailable");
    assert_eq!(problem["detail"], "the database is unavailable; retry later");
    assert_eq!(problem["errors"], serde_json::json!([]));
    assert_eq!(answer.header("retry-after"), Some("2"));
}

async fn assert_only_the_process_is_well(service: &Service) {
    for path in paths() {
        assert_away(&service.get(&path).await);
    }
    assert_eq!(service.get("/livez").await.status, 200);
    assert_eq!(service.get("/openapi.json").await.status, 200);
    service.get("/search?limit=x").await.mistakes();
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
async fn a_line_that_is_cut_and_mended() {
    let database = postgres_with_a_show().await;
    let switch = Switch::before(&database, Line::On).await;
    let service = Service::over(switch.connect().await);
    for _ in 0..2 {
        assert_all_is_well(&service).await;
        switch.turn(Line::Off).await;
        assert_only_the_process_is_well(&service).await;
        switch.turn(Line::On).await;
    }
    assert_all_is_well(&service).await;
    switch.turn(Line::Off).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_renamed_away_and_back() {
    let database = postgres_with_a_show().await;
    let name = name_of(&database);
    let service = Service::on(&database).await;
    assert_all_is_well(&service).await;

    let away = format!("{name}_away");
    let rename = |from: &str, to: &str| format!("ALTER DATABASE {from} RENAME TO {to}");
    let refuse = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    let allow = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true");
    maintain(&[refuse, disconnect_all(&name)]).await;
    // It refuses connections, as a server does that is being maintained.
    assert_only_the_process_is_well(&service).await;
    maintain(&[rename(&name, &away)]).await;
    // It is not there, as on a server that is being restored.
    assert_only_the_process_is_well(&service).await;
    maintain(&[rename(&away, &name), allow]).await;
    assert_all_is_well(&service).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_dropped_under_the_service() {
    let database = postgres_with_a_show().await;
    let service = Service::on(&database).await;
    assert_all_is_well(&service).await;

    database.remove().await;

    assert_only_the_process_is_well(&service).await;
    assert_only_the_process_is_well(&service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_where_nobody_listens() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = DatabaseSettings { url: format!("postgres://user:secret@{closed}/marquee").parse().unwrap() };
    let service = Service::over(entity::connect(&settings, ConnectionRole::Api).await.unwrap());

    let (search, ready, live) = tokio::join!(service.get("/search"), service.get("/readyz"), service.get("/livez"));

    for answer in [search, ready] {
        assert_away(&answer);
        for secret in ["secret", "127.0.0.1", "refused", &closed.port().to_string()] {
            assert!(!answer.text().contains(secret), "{}", answer.text());
        }
    }
    assert_eq!(live.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_connections_and_says_nothing() {
    let database = postgres_with_a_show().await;
    let switch = Switch::before(&database, Line::Silent).await;
    let service = Service::over(switch.connect().await);

    let started = Instant::now();
    let (search, ready) = tokio::join!(service.get("/search"), service.get("/readyz"));

    assert_away(&search);
    assert_away(&ready);
    assert!(started.elapsed() < PATIENCE);
    switch.turn(Line::Off).await;
    switch.turn(Line::On).await;
    assert_all_is_well(&service).await;
    switch.turn(Line::Off).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_in_the_middle_of_a_search() {
    let database = postgres_with_a_show().await;
    let switch = Switch::before(&database, Line::SilentFrom("FROM")).await;
    let service = Service::over(switch.connect().await);

    let [one, two, three, four, five] = paths();
    let get = async |path: String| timeout(PATIENCE, service.get(&path)).await.expect("a client does not wait for ever");
    let (one, two, three, four, five) = tokio::join!(get(one), get(two), get(three), get(four), get(five));
    for answer in [one, two, three, four, five] {
        assert_away(&answer);
    }
    switch.turn(Line::Off).await;
    switch.turn(Line::On).await;
    assert_all_is_well(&service).await;
    switch.turn(Line::Off).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_locked_for_longer_than_a_statement_may_take() {
    let database = postgres_with_a_show().await;
    let service = Service::on(&database).await;
    let locker: DatabaseConnection = database.connect(ConnectionRole::Worker).await;
    locker.execute_unprepared("BEGIN; LOCK TABLE event IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let (search, ready) = tokio::join!(service.get("/search"), service.get("/readyz"));
    assert_away(&search);
    assert_eq!(ready.status, 200, "who does not need that table is served");

    locker.execute_unprepared("ROLLBACK").await.unwrap();
    assert_all_is_well(&service).await;
    database.remove().await;
}
