//! Liveness and readiness.

use std::sync::Arc;

use api::State;
use entity::{ConnectionRole, catalogue_version};
use futures_util::future::join_all;
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use sea_orm::DatabaseConnection;
use serde_json::json;

use crate::{fixtures::CatalogueFixture, test_app::TestApp};

on_every_backend!(readiness_reports_the_catalogue_version, ignores_query_parameters);

#[tokio::test]
async fn liveness_does_not_need_a_database() {
    let response = TestApp::with_connection(DatabaseConnection::default()).get("/livez").await;
    assert_eq!(response.json(), json!({ "status": "live" }));
}

async fn readiness_reports_the_catalogue_version(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let app = TestApp::new(&database).await;
    assert_eq!(app.get("/readyz").await.json(), json!({ "status": "ready", "catalogue_version": 0, "redis": null }));

    for _ in 0..3 {
        catalogue_version::increment(&catalogue.database).await.unwrap();
    }
    assert_eq!(app.get("/readyz").await.json(), json!({ "status": "ready", "catalogue_version": 3, "redis": null }));
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
            assert!(response.status.is_server_error());
            let text = response.text().to_lowercase();
            for word in ["table", "relation", "exist", "sql", "select"] {
                assert!(!text.contains(word), "{path} exposes {word}: {text}");
            }
        }
        database.remove().await;
    }
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
