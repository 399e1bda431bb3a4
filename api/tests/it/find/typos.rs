//! Mistyped words are corrected where no event has the words of a query.

use std::{sync::Arc, time::Duration};

use api::{State, cache::Cache, vocabulary::VocabularyWatch};
use migration::{on_every_backend, testing::TestDatabase};
use serde_json::{Value, json};

use crate::{
    cached_responses::create_state,
    fixtures::{CatalogueFixture, NewEvent},
    mcp,
    test_app::TestApp,
};

on_every_backend!(
    mistyped_words_are_corrected_in_every_list,
    tools_report_corrected_words,
    only_words_that_nothing_has_are_corrected,
    corrections_follow_the_catalogue,
    corrected_words_are_those_of_events,
    a_vocabulary_that_is_too_large_is_not_used,
);

/// The parameters of lists that contain past events, too.
const ALL: &str = "range=all&listed=any";

fn show(title: &str) -> NewEvent {
    NewEvent::titled(title).venue("Sala Apolo", (41.4, 2.2), None)
}

/// An application with the words of these events.
async fn start(database: &TestDatabase, titles: &[&str]) -> (CatalogueFixture, State, TestApp) {
    let catalogue = CatalogueFixture::new(database).await;
    catalogue.insert(titles.iter().map(|title| show(title))).await;
    let state = create_cached_state(database).await;
    read_words(&state).await;
    let app = TestApp::with_state(&state);
    (catalogue, state, app)
}

/// A state with a cache that never serves what a release may have changed.
async fn create_cached_state(database: &TestDatabase) -> State {
    let state = create_state(database).await;
    let (version, availability, reader) = (state.version.clone(), state.availability.clone(), state.reader.clone());
    let cache = Arc::new(Cache::new(1 << 20, Duration::ZERO, None, version, availability, reader));
    State { cache, ..state }
}

/// Reads what a process reads in the background.
async fn read_words(state: &State) {
    state.version.refresh().await.unwrap();
    state.cache.vocabulary().refresh(&state.reader, &state.version).await.unwrap();
}

/// The sorted titles, and the words by which they were found.
async fn find(app: &TestApp, q: &str) -> (Vec<String>, Value) {
    let page = app.get(&format!("/events?{ALL}&q={q}")).await.json();
    let events = page["data"]["events"].as_array().unwrap();
    let mut titles: Vec<String> = events.iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    (titles, page["meta"]["corrected"].clone())
}

fn found(titles: &[&str], corrected: Option<&str>) -> (Vec<String>, Value) {
    (titles.iter().map(|title| (*title).to_owned()).collect(), json!(corrected))
}

async fn mistyped_words_are_corrected_in_every_list(database: Arc<TestDatabase>) {
    let titles = ["Barcelona Jazz 1", "Barcelona Jazz 2", "Madrid Jazz"];
    let (_catalogue, _state, app) = start(&database, &titles).await;
    assert_eq!(find(&app, "jazz+barzelonna").await, found(&titles[..2], Some("jazz barcelona")));
    assert_eq!(find(&app, "braceloan&sort=relevance").await, found(&titles[..2], Some("barcelona")));

    let pages = app.get_pages(&format!("/events?{ALL}&q=barcelna&limit=1&total=true")).await;
    let metas: Vec<Value> = pages.iter().map(|page| page.json()["meta"].clone()).collect();
    assert_eq!(metas.len(), 2);
    assert!(metas.iter().all(|meta| (&meta["corrected"], &meta["total"]) == (&json!("barcelona"), &json!(2))), "{metas:?}");

    let facets = app.get(&format!("/events/facets?{ALL}&q=barcelna&by=venue")).await.json();
    assert_eq!(facets["meta"], json!({"total": 2, "complete": true, "corrected": "barcelona"}));
    let calendar = app.get("/events/calendar?q=barcelna&listed=any&starts_at=2021-02-01&ends_at=2021-02-28").await.json();
    assert_eq!(calendar["meta"], json!({"total": 2, "corrected": "barcelona"}));
    assert_eq!(app.get("/search?q=barcelna").await.titles().len(), 2);
    let csv = app.get(&format!("/events.csv?{ALL}&q=barcelna")).await.text();
    assert_eq!(csv.matches("Barcelona Jazz").count(), 2, "{csv}");
}

async fn tools_report_corrected_words(database: Arc<TestDatabase>) {
    let (_catalogue, _state, app) = start(&database, &["Barcelona Jazz", "Madrid Jazz"]).await;
    for (tool, arguments) in [
        ("search_events", json!({ "q": "barcelna", "range": "all", "listed": "any" })),
        ("event_calendar", json!({ "q": "barcelna", "listed": "any", "starts_at": "2021-02-01", "ends_at": "2021-02-28" })),
    ] {
        let result = mcp::call(&app, tool, arguments).await;
        let content = &result["structuredContent"];
        assert_eq!((&result["isError"], &content["meta"]["corrected"]), (&json!(false), &json!("barcelona")), "{result:#}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(r#""corrected":"barcelona""#), "{tool}: {text}");
    }
}

async fn only_words_that_nothing_has_are_corrected(database: Arc<TestDatabase>) {
    let titles = ["Barcelona", "Barcelone", "Madrid Jazz", "Berlin 20245", "東京都"];
    let (_catalogue, _state, app) = start(&database, &titles).await;
    for (q, expected) in [
        ("barcelone", found(&["Barcelone"], None)),
        ("barcelo", found(&["Barcelona", "Barcelone"], None)),
        ("barcelone+madrid", found(&[], None)),
        ("madird+barcelona", found(&[], None)),
        ("jaxx", found(&[], None)),
        ("20246", found(&[], None)),
        ("%E4%BA%AC%E6%9D%B1%E9%83%BD", found(&[], None)),
        ("madird+jazz", found(&["Madrid Jazz"], Some("madrid jazz"))),
    ] {
        assert_eq!(find(&app, q).await, expected, "{q}");
    }
}

async fn corrections_follow_the_catalogue(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([show("Barcelona"), show("Madrid")]).await;
    let state = create_cached_state(&database).await;
    let app = TestApp::with_state(&state);
    state.version.refresh().await.unwrap();
    // The vocabulary is not read yet, so the response of the mistyped words is cached.
    assert_eq!(find(&app, "barcelina").await, found(&[], None));
    read_words(&state).await;
    for _ in 0..2 {
        assert_eq!(find(&app, "barcelina").await, found(&["Barcelona"], Some("barcelona")));
    }
    // A nearer word, which is not read yet, and then is.
    catalogue.insert_with_new_version(show("Barcelino")).await;
    state.version.refresh().await.unwrap();
    assert_eq!(find(&app, "barcelina").await, found(&["Barcelona"], Some("barcelona")));
    catalogue.insert_with_new_version(show("Barcalina")).await;
    read_words(&state).await;
    assert_eq!(find(&app, "barcelina").await, found(&["Barcalina"], Some("barcalina")));
    // The word itself.
    catalogue.insert_with_new_version(show("Barcelina")).await;
    state.version.refresh().await.unwrap();
    assert_eq!(find(&app, "barcelina").await, found(&["Barcelina"], None));
}

async fn corrected_words_are_those_of_events(database: Arc<TestDatabase>) {
    let (catalogue, state, app) = start(&database, &["Barcelona", "Madrid"]).await;
    catalogue.clear().await;
    catalogue.insert_with_new_version(show("Madrid")).await;
    read_words(&state).await;
    assert_eq!(find(&app, "madird").await, found(&["Madrid"], Some("madrid")));
    assert_eq!(find(&app, "barcelna").await, found(&[], None), "the word remains in the table");
}

async fn a_vocabulary_that_is_too_large_is_not_used(database: Arc<TestDatabase>) {
    let (catalogue, state, _) = start(&database, &["Barcelona"]).await;
    let words = state.cache.vocabulary().current().unwrap().len();
    let watch = VocabularyWatch::new(words);
    watch.refresh(&state.reader, &state.version).await.unwrap();
    assert_eq!(watch.current().unwrap().len(), words);
    catalogue.insert([show("Madrid")]).await;
    watch.refresh(&state.reader, &state.version).await.unwrap();
    assert!(watch.current().is_none());
}
