//! Liveness and readiness.

use std::{fs::OpenOptions, os::unix::fs::FileExt, sync::Arc};

use api::State;
use entity::{ConnectionRole, catalogue_version};
use futures_util::future::join_all;
use migration::{
    on_every_backend,
    testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase},
};
use poem::http::Method;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

use crate::{
    database_outages::{database_name, disconnect_all, run_maintenance},
    error_bodies::sqlite_file,
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(readiness_reports_the_catalogue_version, ignores_query_parameters, a_missing_column_is_an_outdated_schema);

#[tokio::test]
async fn liveness_does_not_need_a_database() {
    let response = TestApp::with_connection(DatabaseConnection::default()).get("/livez").await;
    assert_eq!(response.json(), json!({ "status": "live" }));
}

/// The body of a process that can respond to all requests.
fn ready(version: i64) -> Value {
    json!({ "status": "ready", "reading": "available", "writing": "available", "catalogue_version": version, "redis": null })
}

async fn readiness_reports_the_catalogue_version(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let app = TestApp::new(&database).await;
    assert_eq!(app.get("/readyz").await.json(), ready(0));

    for _ in 0..3 {
        catalogue_version::increment(&catalogue.database).await.unwrap();
    }
    for path in ["/readyz", "/readyz?strict"] {
        assert_eq!(app.get(path).await.json(), ready(3));
    }
}

#[tokio::test]
async fn a_missing_schema_is_not_ready_and_leaks_no_database_message() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let database = TestDatabase::empty(backend).await;
        let app = TestApp::new(&database).await;

        let not_ready = app.get("/readyz").await;
        not_ready.problem(503, "schema_outdated");
        assert_eq!(not_ready.header("retry-after"), Some("2"));
        assert_eq!(app.get("/livez").await.status, 200);
        for path in ["/search", "/providers", "/events/c4a626ff-9f25-5533-a0a8-2b67472b5ee3"] {
            let response = app.get(path).await;
            assert_eq!(response.status, 503);
            let text = response.text().to_lowercase();
            for word in ["table", "relation", "exist", "sql", "select"] {
                assert!(!text.contains(word), "{path} exposes {word}: {text}");
            }
        }
        database.remove().await;
    }
}

/// A read and an insert, for which SQLite has different texts.
async fn a_missing_column_is_an_outdated_schema(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let app = TestApp::new(&database).await;
    connection.execute_unprepared("ALTER TABLE place RENAME COLUMN listed TO other").await.unwrap();
    app.get("/places").await.problem(503, "schema_outdated");
    let places = ("application/json", r#"{"regions":[],"places":[{"code":"ESBCN","name":"Barcelona"}]}"#);
    app.upload(Method::PUT, "/places", places, &[]).await.problem(503, "schema_outdated");
    connection.close().await.unwrap();
}

/// The checks read other pages.
#[tokio::test]
async fn damage_that_only_a_query_finds_is_reported() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let connection = database.connect(ConnectionRole::Migrate).await;
    let root = Statement::from_string(DbBackend::Sqlite, "SELECT rootpage FROM sqlite_schema WHERE name = 'place'");
    let page: u32 = connection.query_one_raw(root).await.unwrap().unwrap().try_get("", "rootpage").unwrap();
    connection.close().await.unwrap();
    let app = TestApp::new(&database).await;
    assert_eq!(app.get("/readyz").await.status, 200);

    let file = OpenOptions::new().write(true).open(sqlite_file(&database)).unwrap();
    file.write_all_at(&[0xff; 4096], u64::from(page - 1) * 4096).unwrap();
    for path in ["/places", "/readyz"] {
        app.get(path).await.problem(503, "database_corrupt");
    }
    database.remove().await;
}

/// It remains in the load balancer, because it can respond to repeated reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_cached_responses_is_degraded_without_its_database() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    CatalogueFixture::new(&database).await.insert([NewEvent::titled("show")]).await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Forward).await;
    let app = TestApp::with_state(&State::new(proxy.connect().await, proxy.connect_watch().await, 1 << 20, None));
    let version = app.get("/readyz").await.json()["catalogue_version"].clone();
    proxy.set_mode(ProxyMode::Cut).await;
    app.get("/readyz").await.problem(503, "database_unavailable");

    proxy.set_mode(ProxyMode::Forward).await;
    while app.get("/readyz").await.status != 200 {}
    assert_eq!(app.get("/search").await.status, 200);
    proxy.set_mode(ProxyMode::Cut).await;

    let expected = json!({
        "status": "degraded", "reading": "cached", "writing": "unavailable", "catalogue_version": version, "redis": null,
    });
    assert_eq!(app.get("/readyz").await.json(), expected);
    for path in ["/readyz?strict", "/readyz?strict=true", "/readyz?x=1&strict"] {
        app.get(path).await.problem(503, "database_unavailable");
    }
    assert_eq!(app.get("/readyz?strict=false").await.status, 200);
    assert_eq!(app.get("/search").await.status, 200);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_is_reported_as_not_writable() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let name = database_name(&database);
    run_maintenance(&[format!("ALTER DATABASE {name} SET default_transaction_read_only = on"), disconnect_all(&name)]).await;
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let app = TestApp::with_state(&State::new(reads, watch, 0, None));

    let readiness = app.get("/readyz").await.json();

    assert_eq!(
        (&readiness["status"], &readiness["reading"], &readiness["writing"]),
        (&json!("degraded"), &json!("available"), &json!("unavailable"))
    );
    app.get("/readyz?strict").await.problem(503, "database_unavailable");
    database.remove().await;
}

async fn ignores_query_parameters(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for path in ["/livez?verbose=1", "/readyz?verbose=1", "/readyz?%FF"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
}

/// Otherwise any client of `/readyz` could delay the version watch until the database counts as unavailable.
#[tokio::test(flavor = "multi_thread")]
async fn many_version_checks_do_not_mark_the_database_unavailable() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let state = State::new(database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await, 0, None);
    // The check of `/readyz` without the request: thousands of whole requests in one task would starve the version watch.
    let responses = join_all((0..10_000).map(|_| state.version.refresh())).await;
    assert!(responses.iter().all(Result::is_ok));
    assert!(state.availability.is_available());
    database.remove().await;
}
