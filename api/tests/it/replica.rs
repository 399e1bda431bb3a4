//! Reads from a replica that lags, is frozen or is unreachable. A frozen replica is another database with older rows.

use std::{sync::Arc, time::Duration};

use api::{State, database::Replica};
use entity::{ConnectionRole, DatabaseSettings};
use migration::{
    MigratorTrait, on_every_backend,
    testing::{Backend, NextRelease, TestDatabase},
};
use poem::http::Method;
use sea_orm::{DatabaseConnection, DbErr};

use crate::{
    changes,
    fixtures::{CatalogueFixture, NewEvent},
    rates::{CsvBatch, post_batch, put_places},
    test_app::TestApp,
};

on_every_backend!(
    a_response_of_a_lagging_replica_is_marked,
    the_primary_is_read_once_the_replica_lags_too_much,
    a_replica_that_lacks_a_takedown_is_not_read,
    clients_read_their_writes_from_the_primary,
    a_cursor_does_not_expire_because_a_replica_lags,
    the_primary_is_read_while_the_replica_is_unreachable,
    the_replica_is_read_while_the_primary_is_unreachable,
    a_replica_with_a_schema_that_is_too_new_is_not_read,
);

const HOUR: Duration = Duration::from_secs(3_600);

/// A primary, and a replica that was frozen before the first row.
struct Deployment {
    primary: CatalogueFixture,
    state: State,
    app: TestApp,
    frozen: TestDatabase,
}

impl Deployment {
    async fn start(database: &TestDatabase, max_lag: Duration) -> Self {
        let frozen = TestDatabase::migrated(Backend::Sqlite).await;
        let (reads, watch) = (frozen.connect(ConnectionRole::Api).await, frozen.connect(ConnectionRole::Watch).await);
        let primary = database.connect(ConnectionRole::Api).await;
        let state = create_state(primary, database.connect(ConnectionRole::Watch).await, Replica::new(reads, watch, max_lag));
        let primary = CatalogueFixture::new(database).await;
        primary.insert_with_new_version(NewEvent::titled("show")).await;
        state.version.refresh().await.unwrap();
        Self { primary, app: TestApp::with_state(&state), state, frozen }
    }
}

fn create_state(primary: DatabaseConnection, watch: DatabaseConnection, replica: Replica) -> State {
    State::with_replica(primary, watch, Some(replica), 1024 * 1024, None)
}

/// Connections to a server that does not exist.
async fn connect_to_nothing() -> (DatabaseConnection, DatabaseConnection) {
    let settings = DatabaseSettings { url: "postgres://marquee@127.0.0.1:1/marquee".parse().unwrap() };
    let connect = async |role| entity::connect(&settings, role).await.unwrap();
    (connect(ConnectionRole::Api).await, connect(ConnectionRole::Watch).await)
}

async fn a_response_of_a_lagging_replica_is_marked(database: Arc<TestDatabase>) {
    let Deployment { app, frozen, .. } = Deployment::start(&database, HOUR).await;

    let lagging = app.get("/search").await;

    assert!(lagging.titles().is_empty());
    assert_eq!(lagging.header("warning"), Some("110 - \"Response is Stale\""));
    frozen.remove().await;
}

async fn the_primary_is_read_once_the_replica_lags_too_much(database: Arc<TestDatabase>) {
    let Deployment { app, frozen, primary, state } = Deployment::start(&database, Duration::ZERO).await;
    let response = app.get("/search").await;
    assert_eq!(response.titles(), ["show"]);
    assert_eq!(response.header("warning"), None);

    primary.insert_with_new_version(NewEvent::titled("other")).await;
    state.version.refresh().await.unwrap();
    assert_eq!(app.get("/search?limit=7").await.titles().len(), 2);
    let event = format!("/events/{}", NewEvent::titled("other").row.id);
    assert_eq!(app.get(&event).await.status, 200);
    frozen.remove().await;
}

async fn a_replica_that_lacks_a_takedown_is_not_read(database: Arc<TestDatabase>) {
    let Deployment { app, frozen, primary, .. } = Deployment::start(&database, HOUR).await;
    primary.insert_with_new_version(NewEvent::titled("other")).await;
    assert!(app.get("/search").await.titles().is_empty(), "the replica is read");

    let removal = format!("/events/{}?reason=x", NewEvent::titled("show").row.id);
    assert_eq!(app.send(Method::DELETE, &removal, &[]).await.status, 204);
    let response = app.get("/search").await;
    assert_eq!((response.titles(), response.header("warning")), (vec!["other".to_owned()], None));
    frozen.remove().await;
}

async fn clients_read_their_writes_from_the_primary(database: Arc<TestDatabase>) {
    let Deployment { app, frozen, .. } = Deployment::start(&database, HOUR).await;
    put_places(&app, &[], &[("EETLL", "")]).await;

    let places = app.get("/places").await;
    assert_eq!(places.json()["data"]["places"][0]["code"], "EETLL");

    let prices = CsvBatch::default().add("EETLL", "EETLL", "2021-01-30", "5");
    for count in 1..=2 {
        let batch = post_batch(&app, &prices, &[]).await;
        assert_eq!(batch.status, 201, "{}", batch.text());
        assert_eq!(app.get(&batch.location()).await.status, 200);
        let rates = app.get("/rates?date_from=2021-01-30&date_to=2021-01-30&orig_code=EETLL&dest_code=EETLL").await;
        assert_eq!(rates.json()["rates"][0]["count"], count);
    }
    let run = app.send(Method::POST, "/providers/fever/sync", &[]).await;
    assert_eq!(run.status, 202, "{}", run.text());
    assert_eq!(app.get(&run.location()).await.status, 200);
    frozen.remove().await;
}

async fn a_cursor_does_not_expire_because_a_replica_lags(database: Arc<TestDatabase>) {
    let Deployment { app, frozen, primary, state } = Deployment::start(&database, HOUR).await;
    let release = primary.release(Vec::new()).await;
    let uri = format!("/changes?after={}", changes::cursor(release.version, i32::MAX, release.raised_at));
    // The version is not known to this process yet; the replica is believed to have it, as after it was rebuilt from a backup.
    state.reader.replica().unwrap().record_version(i64::MAX);
    assert_eq!(app.get(&uri).await.status, 200);
    let later = format!("/changes?after={}", changes::cursor(release.version + 1, 0, release.raised_at));
    app.get(&later).await.problem(410, "cursor_expired");

    state.availability.report_lost_connection(&DbErr::Custom("cut".to_owned()));
    for uri in [uri, later] {
        app.get(&uri).await.problem(503, "database_unavailable");
    }
    assert_eq!(app.get("/changes").await.status, 200, "the replica responds as far as it can");
    frozen.remove().await;
}

async fn the_primary_is_read_while_the_replica_is_unreachable(database: Arc<TestDatabase>) {
    let (reads, watch) = connect_to_nothing().await;
    let (primary, primary_watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = create_state(primary, primary_watch, Replica::new(reads, watch, HOUR));
    let app = TestApp::with_state(&state);
    CatalogueFixture::new(&database).await.insert_with_new_version(NewEvent::titled("show")).await;

    // Before and after a check has found it unreachable.
    assert_eq!(app.get("/search").await.titles(), ["show"]);
    state.reader.replica().unwrap().check().await;
    for path in ["/search?limit=1", "/providers", "/sync-runs"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
}

async fn the_replica_is_read_while_the_primary_is_unreachable(database: Arc<TestDatabase>) {
    let (primary, primary_watch) = connect_to_nothing().await;
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = create_state(primary, primary_watch, Replica::new(reads, watch, Duration::ZERO));
    let app = TestApp::with_state(&state);
    CatalogueFixture::new(&database).await.insert_with_new_version(NewEvent::titled("show")).await;
    state.version.refresh().await.unwrap_err();

    for _ in 0..2 {
        let response = app.get("/search").await;
        assert_eq!(response.titles(), ["show"]);
        assert_eq!(response.header("warning"), Some("111 - \"Revalidation Failed\""));
    }
    for path in ["/providers", "/sync-runs"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
}

/// Also while the primary is unreachable.
async fn a_replica_with_a_schema_that_is_too_new_is_not_read(database: Arc<TestDatabase>) {
    NextRelease::up(&database.connect(ConnectionRole::Migrate).await, None).await.unwrap();
    let (primary, primary_watch) = connect_to_nothing().await;
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = create_state(primary, primary_watch, Replica::new(reads, watch, HOUR));
    state.version.refresh().await.unwrap_err();
    state.reader.replica().unwrap().check().await;
    let app = TestApp::with_state(&state);
    for path in ["/search", "/providers", "/sync-runs"] {
        app.get(path).await.problem(503, "schema_too_new");
    }
}
