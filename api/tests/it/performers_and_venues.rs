//! `GET /performers` and `GET /venues`: filters by name prefix and by location.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use serde_json::json;

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    matches_name_prefixes_ignoring_accents_and_case,
    band_id_selects_the_concerts_of_a_performer,
    filters_venues_by_location_and_name,
    lists_are_paginated,
    names_that_begin_with_the_text_are_the_first,
    names_of_symbols_are_found,
    reports_invalid_parameters,
);

async fn start_app(database: &TestDatabase) -> TestApp {
    let at = |venue: &str, latitude: f64, band: &str| {
        NewEvent::titled(&format!("{band} at {venue}")).performers(&[band]).venue(venue, (latitude, 2.0), Some("ESBCN"))
    };
    let events = [
        at("Sala Apolo", 41.0, "Ñu, & friends"),
        at("São Jorge", 42.0, "nu metal"),
        at("sala b", 43.0, "x"),
        at("Razzmatazz", 41.001, "10% wrong_"),
    ];
    CatalogueFixture::new(database).await.insert(events).await;
    TestApp::new(database).await
}

async fn fetch_names(app: &TestApp, list: &str, query: &str) -> Vec<String> {
    let response = app.get(&format!("/{list}?{query}")).await.json();
    response[list].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

async fn matches_name_prefixes_ignoring_accents_and_case(database: Arc<TestDatabase>) {
    let app = start_app(&database).await;
    let fetch = |query: &'static str| fetch_names(&app, "performers", query);
    let (friends, metal) = ("Performer Ñu, & friends", "Performer nu metal");
    assert_eq!(fetch("q=performer+nu").await, [friends, metal]);
    assert_eq!(fetch("q=PERFORMER+%C3%91U").await, [friends, metal]);
    assert_eq!(fetch("q=performer+nu+f").await, [friends], "punctuation is ignored");
    assert_eq!(fetch("q=performer+10").await, ["Performer 10% wrong_"]);
    assert_eq!(fetch("q=nu").await, [friends, metal], "any word may begin with it");
    assert_eq!(fetch("q=friends").await, [friends]);
    assert_eq!(fetch("q=nu+m").await, [metal]);
    assert_eq!(fetch("q=performer+nu+metal+x").await, [""; 0]);
    for query in ["q=u", "q=%25", "q=_", "q=performer+x+", "q=performer+xx", "q=%F4%8F%BF%BF"] {
        let names = fetch(query).await;
        assert!(names.is_empty() || names == ["Performer x"], "{query}: {names:?}");
    }
    assert_eq!(fetch("").await.len(), 4, "without a filter all are listed");
}

async fn band_id_selects_the_concerts_of_a_performer(database: Arc<TestDatabase>) {
    let app = start_app(&database).await;
    let response = app.get("/performers").await.json();
    for performer in response["performers"].as_array().unwrap() {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("bandIds", performer["band_id"].as_str().unwrap())
            .finish();
        let concerts = app.get(&format!("/concerts?{query}")).await.json();
        assert_eq!(concerts.as_array().map(Vec::len), Some(1), "{performer}");
        assert_eq!(concerts[0]["band"], performer["name"]);
    }
    let expected = json!({"id": "nu metal", "provider": "fever", "band_id": "fever:nu metal", "name": "Performer nu metal"});
    assert!(response["performers"].as_array().unwrap().contains(&expected), "{response}");
}

async fn filters_venues_by_location_and_name(database: Arc<TestDatabase>) {
    let app = start_app(&database).await;
    let fetch = |query: &'static str| fetch_names(&app, "venues", query);
    assert_eq!(fetch("q=sa").await, ["Sala Apolo", "sala b", "São Jorge"]);
    assert_eq!(fetch("q=sao").await, ["São Jorge"]);
    assert_eq!(fetch("latitude=41&longitude=2&radius=1").await, ["Razzmatazz", "Sala Apolo"]);
    assert_eq!(fetch("latitude=41&longitude=2&radius=0").await, ["Sala Apolo"]);
    assert_eq!(fetch("latitude=41&longitude=2&radius=200&q=sal").await, ["Sala Apolo"]);
    let response = app.get("/venues?q=sala+apolo").await.json();
    let venue = json!({
        "id": "venue of Sala Apolo", "provider": "fever", "name": "Sala Apolo",
        "latitude": 41.0, "longitude": 2.0, "place_code": "ESBCN", "city": null, "country": null,
    });
    assert_eq!(response, json!({ "venues": [venue] }));
}

async fn lists_are_paginated(database: Arc<TestDatabase>) {
    let app = start_app(&database).await;
    for (list, query) in [("performers", "q=performer"), ("venues", "q=sa"), ("venues", "latitude=41&longitude=2&radius=300")] {
        let expected = fetch_names(&app, list, query).await;
        let pages = app.get_pages(&format!("/{list}?{query}&limit=1")).await;
        let names = |page: &TestResponse| {
            let rows = page.json()[list].as_array().unwrap().clone();
            rows.into_iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let pages: Vec<String> = pages.iter().flat_map(names).collect();
        assert_eq!(pages, expected, "{list}?{query}");
    }
}

async fn reports_invalid_parameters(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let long = format!("/performers?q={}", "x".repeat(201));
    for (path, parameter, part) in [
        (long.as_str(), "q", "at most 200 characters"),
        ("/performers?name=x", "name", "is not a known parameter"),
        ("/venues?latitude=1", "radius", "must be given together"),
        ("/venues?latitude=1&longitude=2&radius=x", "radius", "must be a number between 0 and 20038"),
        ("/venues?cursor=x", "cursor", "must be a cursor"),
    ] {
        let errors = app.get(path).await.validation_errors();
        assert!(errors.iter().any(|(name, message)| name == parameter && message.contains(part)), "{path}: {errors:?}");
    }
    let next = app.get("/venues?q=a&limit=1").await.next();
    assert_eq!(next, None);
}

async fn names_that_begin_with_the_text_are_the_first(database: Arc<TestDatabase>) {
    let names = ["Ana Anabel", "Villa Anna", "Banana", "Anaconda", "Sala Ana Ana", "Ana"];
    let at = |name: &&str| NewEvent::titled(name).venue(name, (41.0, 2.0), None);
    CatalogueFixture::new(&database).await.insert(names.iter().map(at)).await;
    let app = TestApp::new(&database).await;
    // Each name once, although several of its words match.
    let expected = ["Ana", "Ana Anabel", "Anaconda", "Sala Ana Ana"];
    assert_eq!(fetch_names(&app, "venues", "q=ana").await, expected);
    assert_eq!(fetch_names(&app, "venues", "q=an").await, [&expected[..], &["Villa Anna"]].concat());
    for limit in 1..5 {
        let pages = app.get_pages(&format!("/venues?q=an&limit={limit}")).await;
        let rows: Vec<_> = pages.iter().flat_map(|page| page.json()["venues"].as_array().unwrap().clone()).collect();
        let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(names, [&expected[..], &["Villa Anna"]].concat(), "pages of {limit}");
    }
}

async fn names_of_symbols_are_found(database: Arc<TestDatabase>) {
    let events = ["!!!", "$$ $", "plain"].map(|name| NewEvent::titled(name).venue(name, (41.0, 2.0), None));
    CatalogueFixture::new(&database).await.insert(events).await;
    let app = TestApp::new(&database).await;
    for (query, name) in [("q=!", "!!!"), ("q=!!!", "!!!"), ("q=%24%24", "$$ $"), ("q=%24+", "$$ $")] {
        assert_eq!(fetch_names(&app, "venues", query).await, [name], "{query}");
    }
}
