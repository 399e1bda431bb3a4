//! `/performers/{id}`, `/venues/{id}`, `/providers/{slug}` and `/categories`: members, redirects, and counts of upcoming events.

use std::sync::Arc;

use entity::{EventStatus, UtcInstant, alias::AliasKind, event, provider};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{EntityTrait, QueryFilter, prelude::Uuid, sea_query::Expr};
use serde_json::{Value, json};

use crate::{
    aliases,
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(
    a_performer_is_found_by_each_of_its_ids,
    a_venue_has_its_address,
    a_provider_has_what_its_events_show,
    previous_ids_and_slugs_are_redirected,
    unknown_ids_do_not_exist,
    counts_are_those_of_the_default_list_of_events,
    items_of_an_incomplete_first_load_do_not_exist,
);

async fn fetch(app: &TestApp, path: &str) -> Value {
    let response = app.get(path).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    let mut body = response.json();
    assert_eq!(body["error"], Value::Null);
    body["data"].take()
}

/// An event that has not ended.
fn upcoming(title: &str) -> NewEvent {
    NewEvent::titled(title).starts("2090-01-01T20:00:00")
}

async fn a_performer_is_found_by_each_of_its_ids(database: Arc<TestDatabase>) {
    let event = upcoming("a").performers(&["a/b: c?", "7"]);
    let id = event.performer_id("a/b: c?");
    CatalogueFixture::new(&database).await.insert([event, upcoming("b").performers(&["7"])]).await;
    let app = TestApp::new(&database).await;
    let expected = json!({
        "id": "a/b: c?", "provider": "fever", "band_id": "fever:a/b: c?", "name": "Performer a/b: c?",
        "uuid": id, "upcoming_events": 1,
    });
    for path in [format!("/performers/{id}"), "/performers/fever:a%2Fb%3A%20c%3F".to_owned()] {
        assert_eq!(fetch(&app, &path).await, expected, "{path}");
    }
    assert_eq!(fetch(&app, "/performers/fever:7").await["upcoming_events"], 2);
}

async fn a_venue_has_its_address(database: Arc<TestDatabase>) {
    let event = upcoming("a").venue_with("hall", Some((59.4, 24.7)), |venue| {
        venue.address = Some("Street 1".to_owned());
        venue.postal_code = Some("10111".to_owned());
        venue.city = Some("Tallinn".to_owned());
        venue.region = Some("Harju".to_owned());
        venue.country = Some("EE".to_owned());
        venue.time_zone = Some("Europe/Tallinn".to_owned());
    });
    let id = event.row.venue_id.unwrap();
    let plain = upcoming("b").venue_with("plain", None, |_| {});
    CatalogueFixture::new(&database).await.insert([event, plain]).await;
    let app = TestApp::new(&database).await;
    let expected = json!({
        "id": "venue of hall", "provider": "fever", "name": "hall", "latitude": 59.4, "longitude": 24.7, "place_code": null,
        "city": "Tallinn", "country": "EE", "uuid": id, "address": "Street 1", "postal_code": "10111", "region": "Harju",
        "time_zone": "Europe/Tallinn", "upcoming_events": 1,
    });
    assert_eq!(fetch(&app, &format!("/venues/{id}")).await, expected);
    assert_eq!(fetch(&app, "/venues/fever:venue%20of%20hall").await, expected);
    let plain = fetch(&app, "/venues/fever:venue%20of%20plain").await;
    assert_eq!((&plain["latitude"], &plain["address"], &plain["time_zone"]), (&Value::Null, &Value::Null, &json!("UTC")));
}

async fn a_provider_has_what_its_events_show(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([upcoming("a")]).await;
    let app = TestApp::new(&database).await;
    let response = app.get("/providers/fever").await;
    assert!(!response.text().contains("secret"), "{}", response.text());
    let expected = json!({
        "slug": "fever", "name": null, "home_page": null, "licence": null, "attribution": null,
        "time_zone": "UTC", "currency": "EUR", "upcoming_events": 1,
    });
    assert_eq!(response.json()["data"], expected);
}

async fn previous_ids_and_slugs_are_redirected(database: Arc<TestDatabase>) {
    let (app, _) = aliases::start_app(&database, AliasKind::Venue).await;
    let response = app.get(&format!("/venues/{}", aliases::OLD)).await;
    // The alias of the fixture names the id of an event.
    assert!(response.location().starts_with("/venues/"), "{}", response.location());
    response.problem(308, "moved");
    app.get(&format!("/performers/{}", aliases::OLD)).await.problem(404, "not_found");

    let rename = provider::Entity::update_many()
        .col_expr(provider::Column::Slug, Expr::value("renamed"))
        .col_expr(provider::Column::IdentitySlug, Expr::value("fever"))
        .filter(provider::COLUMN.slug.eq("fever"));
    rename.exec(&CatalogueFixture::new(&database).await.database).await.unwrap();
    let response = app.get("/providers/fever").await;
    assert_eq!(response.location(), "/providers/renamed");
    assert_eq!(app.get(&response.location()).await.status, 200);
    response.problem(308, "moved");
}

async fn unknown_ids_do_not_exist(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert([upcoming("a").performers(&["1"]).venue("hall", (1.0, 2.0), None)]).await;
    let app = TestApp::new(&database).await;
    let nil = Uuid::nil();
    for path in [
        format!("/performers/{nil}"),
        format!("/venues/{nil}"),
        "/performers/fever:2".to_owned(),
        "/performers/other:1".to_owned(),
        "/venues/fever:hall".to_owned(),
        "/providers/other".to_owned(),
        "/providers/Fever%00".to_owned(),
    ] {
        app.get(&path).await.problem(404, "not_found");
    }
    for path in ["/performers/x", "/venues/:1", "/venues/fever:", "/performers/fever:%00"] {
        let errors = app.get(path).await.validation_errors();
        assert!(errors[0].1.starts_with("must be a UUID or an id as `provider:id`, got `"), "{path}: {errors:?}");
    }
    assert_eq!(app.get("/categories?limit=1").await.status, 400);
}

async fn counts_are_those_of_the_default_list_of_events(database: Arc<TestDatabase>) {
    let show = |title: &str, category: &'static str| {
        upcoming(title)
            .performers(&["1"])
            .venue("hall", (1.0, 2.0), None)
            .with(|event| event.category = (!category.is_empty()).then(|| category.to_owned()))
    };
    let left = |event: &mut event::Model| event.left_at = Some(UtcInstant(1));
    let cancelled = |event: &mut event::Model| event.status = EventStatus::Cancelled;
    let events = [
        show("jazz", "music/jazz"),
        show("rock", "music/rock"),
        show("music", "music"),
        show("film", "film"),
        show("none", ""),
        show("past", "music").starts("2021-01-01T20:00:00"),
        show("left", "music").with(left),
        show("cancelled", "music").with(cancelled),
        show("hidden", "music").hidden(),
    ];
    CatalogueFixture::new(&database).await.insert(events).await;
    let app = TestApp::new(&database).await;
    for (path, filter) in [
        ("/performers/fever:1", "performer=fever:1"),
        ("/venues/fever:venue%20of%20hall", "venue=fever:venue%20of%20hall"),
        ("/providers/fever", "provider=fever"),
    ] {
        assert_eq!(fetch(&app, path).await["upcoming_events"], 5, "{path}");
        let list = app.get(&format!("/events?{filter}&total=true")).await.json();
        assert_eq!(list["meta"]["total"], 5, "{filter}");
    }

    let categories = fetch(&app, "/categories").await;
    let categories = categories["categories"].as_array().unwrap();
    assert_eq!(categories.len(), 11);
    let find = |list: &[Value], slug: &str| list.iter().find(|category| category["slug"] == slug).unwrap().clone();
    let music = find(categories, "music");
    assert_eq!(music["upcoming_events"], 3, "with those of the second level");
    let second_level = music["categories"].as_array().unwrap();
    assert_eq!(find(second_level, "music/jazz"), json!({"slug": "music/jazz", "upcoming_events": 1}));
    assert_eq!(find(second_level, "music/folk")["upcoming_events"], 0);
    assert_eq!(find(categories, "film"), json!({"slug": "film", "upcoming_events": 1, "categories": []}));
}

async fn items_of_an_incomplete_first_load_do_not_exist(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([upcoming("a").performers(&["1"]).venue("hall", (1.0, 2.0), None)]).await;
    let loading = provider::Entity::update_many().col_expr(provider::Column::LoadingSince, UtcInstant(1).into());
    loading.exec(&catalogue.database).await.unwrap();
    let app = TestApp::new(&database).await;
    for path in ["/performers/fever:1", "/venues/fever:venue%20of%20hall"] {
        app.get(path).await.problem(404, "not_found");
    }
    assert_eq!(fetch(&app, "/providers/fever").await["upcoming_events"], 0);
}
