//! Whether the process runs, and whether it can serve.

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

use crate::{catalogue::Catalogue, service::Service};

on_every_backend!(a_process_with_a_catalogue_is_ready_and_tells_its_version, parameters_are_refused);

#[tokio::test]
async fn a_process_without_a_database_is_alive() {
    let answer = Service::over(DatabaseConnection::default()).get("/livez").await;
    assert_eq!(answer.json(), json!({ "status": "live" }));
}

async fn a_process_with_a_catalogue_is_ready_and_tells_its_version(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let service = Service::on(&database).await;
    assert_eq!(service.get("/readyz").await.json(), json!({ "status": "ready", "catalogue_version": 0, "redis": null }));

    for _ in 0..3 {
        catalogue_version::increment(&catalogue.database).await.unwrap();
    }
    assert_eq!(service.get("/readyz").await.json(), json!({ "status": "ready", "catalogue_version": 3, "redis": null }));
}

#[tokio::test]
async fn a_database_without_a_schema_is_not_ready_and_its_words_stay_with_us() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let database = TestDatabase::empty(backend).await;
        let service = Service::on(&database).await;

        let not_ready = service.get("/readyz").await;
        not_ready.problem(503, "database_unavailable");
        assert_eq!(not_ready.header("retry-after"), Some("2"));
        assert_eq!(service.get("/livez").await.status, 200);
        for path in ["/search", "/providers", "/events/c4a626ff-9f25-5533-a0a8-2b67472b5ee3"] {
            let answer = service.get(path).await;
            assert!(answer.status.is_server_error());
            let text = answer.text().to_lowercase();
            for word in ["table", "relation", "exist", "sql", "select"] {
                assert!(!text.contains(word), "{path} says {word}: {text}");
            }
        }
        database.remove().await;
    }
}

async fn parameters_are_refused(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    for path in ["/livez", "/readyz"] {
        let mistakes = service.get(&format!("{path}?verbose=1")).await.mistakes();
        assert_eq!(mistakes, [("verbose".to_owned(), "is not known; this call takes no parameters".to_owned())], "{path}");
    }
}

/// Whoever can call `/readyz` could else keep the process from learning of the version, and make the database look away.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_questions_does_not_make_the_database_look_away() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let state = State::new(database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await, 0, None);
    // As `/readyz` asks, but cheaper: many whole requests in one task would take so long that it is not asked for its answer in time.
    let answers = join_all((0..10_000).map(|_| state.catalogue.ask())).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(!state.catalogue.is_away());
    database.remove().await;
}
