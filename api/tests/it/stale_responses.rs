//! The freshness of cached responses: new versions of the catalogue, restored backups, and an unavailable database.

use std::{sync::Arc, time::Duration};

use api::{State, cache::Cache};
use entity::catalogue_version;
use migration::{
    on_every_backend,
    testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase},
};
use poem::http::Method;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    cached_responses::{CACHE_BYTES, TIMEOUT, cache_status, create_state},
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(
    a_stale_response_is_marked_while_it_is_revalidated,
    the_age_counts_from_when_the_response_was_superseded,
    a_response_is_not_encoded_from_an_outdated_one,
    empty_responses_have_the_version_of_their_snapshot,
    new_catalogue_versions_are_detected,
);

async fn a_stale_response_is_marked_while_it_is_revalidated(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_with_new_version(NewEvent::titled("first")).await;
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    assert_eq!(app.get("/search").await.titles(), ["first"]);
    catalogue.insert_with_new_version(NewEvent::titled("second")).await;
    assert_eq!(app.get("/search").await.titles(), ["first"], "the process does not know the new version yet");
    state.version.refresh().await.unwrap();

    let stale = app.get("/search").await;

    assert_eq!(stale.titles(), ["first"]);
    assert_eq!(cache_status(&stale), "marquee-process; hit; detail=REVALIDATING");
    assert_eq!(stale.header("warning"), Some("110 - \"Response is Stale\""));
    let fresh = async {
        loop {
            let response = app.get("/search").await;
            if response.header("warning").is_none() {
                return response;
            }
        }
    };
    let fresh = timeout(TIMEOUT, fresh).await.unwrap();
    assert_eq!(fresh.titles().len(), 2);
    assert_eq!(cache_status(&fresh), "marquee-process; hit");
}

/// However many versions follow.
async fn the_age_counts_from_when_the_response_was_superseded(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let state = create_state(&database).await;
    let (version, availability, reader) = (state.version.clone(), state.availability.clone(), state.reader.clone());
    let cache = Cache::new(CACHE_BYTES, TIMEOUT, None, version, availability, reader);
    let state = State { cache: Arc::new(cache), ..state };
    let app = TestApp::with_state(&state);
    assert_eq!(app.get("/search").await.header("age"), Some("0"));

    for _ in 0..14 {
        catalogue.insert_with_new_version(NewEvent::titled("new")).await;
        state.version.refresh().await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    let stale = app.get("/search").await;

    assert_eq!(stale.header("warning"), Some("110 - \"Response is Stale\""));
    let age: u64 = stale.header("age").unwrap().parse().unwrap();
    assert!((1..30).contains(&age), "{age}");
}

/// The response without a coding may be served for a moment after it was superseded.
async fn a_response_is_not_encoded_from_an_outdated_one(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    assert!(app.get("/search").await.titles().is_empty());
    catalogue.insert_with_new_version(NewEvent::titled("new")).await;
    state.version.refresh().await.unwrap();

    let encoded = app.send(Method::GET, "/search", &[("accept-encoding", "gzip")]).await;

    assert_eq!(encoded.header("warning"), None);
    let body = String::from_utf8(encoded.decoded()).unwrap();
    assert!(body.contains("\"new\""), "{body}");
}

async fn empty_responses_have_the_version_of_their_snapshot(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    for path in ["/search", "/concerts?bandIds=1", "/performers", "/venues", "/places"] {
        state.version.refresh().await.unwrap();
        catalogue_version::increment(&catalogue.database).await.unwrap();

        assert_eq!(app.get(path).await.status, 200, "{path}");

        let stored = catalogue_version::fetch_version(&catalogue.database).await.unwrap();
        assert_eq!(state.version.current(), Some(stored), "the version that {path} read");
        assert_eq!(cache_status(&app.get(path).await), "marquee-process; hit", "{path}");
    }
}

async fn new_catalogue_versions_are_detected(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let state = create_state(&database).await;
    let shutdown = CancellationToken::new();
    state.start_background_tasks(database.settings.clone(), shutdown.clone());
    for version in 1..=3 {
        catalogue_version::increment(&catalogue.database).await.unwrap();
        let detected = async {
            while state.version.current() != Some(version) {
                tokio::task::yield_now().await;
            }
        };
        timeout(TIMEOUT, detected).await.unwrap();
    }
    shutdown.cancel();
}

/// On SQLite only, because the process detects a restored database after ten seconds.
#[tokio::test(flavor = "multi_thread")]
async fn restoring_a_backup_invalidates_cached_responses() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let catalogue = CatalogueFixture::new(&database).await;
    for title in ["first", "second", "third"] {
        catalogue.insert_with_new_version(NewEvent::titled(title)).await;
    }
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    let shutdown = CancellationToken::new();
    state.start_background_tasks(database.settings.clone(), shutdown.clone());
    assert_eq!(app.get("/search").await.titles().len(), 3);

    catalogue.clear().await;
    catalogue.insert([NewEvent::titled("first")]).await;
    let restored = "UPDATE catalogue_version SET version = 1, raised_at = raised_at - 1000";
    sea_orm::ConnectionTrait::execute_unprepared(&catalogue.database, restored).await.unwrap();

    let detected = async { while app.get("/search").await.titles() != ["first"] {} };
    timeout(TIMEOUT, detected).await.unwrap();
    assert_eq!(app.get("/search").await.header("warning"), None);
    assert_eq!(cache_status(&app.get("/search").await), "marquee-process; hit");
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_responses_are_served_while_the_database_is_unavailable() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_with_new_version(NewEvent::titled("show")).await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Forward).await;
    let state = State::new(proxy.connect().await, proxy.connect_watch().await, CACHE_BYTES, None);
    let shutdown = CancellationToken::new();
    state.start_background_tasks(proxy.settings(), shutdown.clone());
    let app = TestApp::with_state(&state);
    assert_eq!(app.get("/search").await.titles(), ["show"]);

    for uncached in ["/search?limit=7", "/search?limit=8"] {
        proxy.set_mode(ProxyMode::Cut).await;
        timeout(TIMEOUT, state.availability.wait_until_unavailable()).await.unwrap();
        let cached = app.get("/search").await;
        assert_eq!(cached.titles(), ["show"]);
        assert_eq!(cached.header("warning"), Some("111 - \"Revalidation Failed\""));
        assert_eq!(cache_status(&cached), "marquee-process; hit; detail=DATABASE_UNAVAILABLE");
        assert!(cached.header("age").unwrap().parse::<u64>().is_ok());
        app.get(uncached).await.problem(503, "database_unavailable");

        proxy.set_mode(ProxyMode::Forward).await;
        let available = async { while app.get(uncached).await.status != 200 {} };
        timeout(TIMEOUT, available).await.expect("recovers without a restart");
        assert_eq!(app.get("/search").await.header("warning"), None);
    }
    shutdown.cancel();
    proxy.set_mode(ProxyMode::Cut).await;
    database.remove().await;
}
