//! The exact body of a search.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(
    an_empty_catalogue_returns_an_empty_list,
    an_event_has_eight_keys,
    unknown_fields_are_null,
    prices_are_decimal_numbers_in_the_provider_currency,
    fractional_seconds_are_preserved,
    titles_preserve_every_character,
    an_event_never_on_sale_online_is_never_shown,
    head_matches_get_without_a_body,
);

async fn an_empty_catalogue_returns_an_empty_list(database: Arc<TestDatabase>) {
    let response = TestApp::new(&database).await.get("/search").await;
    assert_eq!(response.json(), json!({ "data": { "events": [] }, "error": null }));
    assert_eq!(response.next(), None);
}

async fn an_event_has_eight_keys(database: Arc<TestDatabase>) {
    let id = Uuid::from_u128(0xc4a6_26ff_9f25_5533_a0a8_2b67_472b_5ee3);
    let event = NewEvent::titled("Pantomima Full")
        .id(id)
        .starts("2021-02-10T20:00:00")
        .ends("2021-02-11T01:30:00")
        .prices(&[5_500, 1_550, 2_000]);
    CatalogueFixture::new(&database).await.insert([event]).await;

    let response = TestApp::new(&database).await.get("/search").await;

    let expected = json!({
        "data": { "events": [{
            "id": "c4a626ff-9f25-5533-a0a8-2b67472b5ee3",
            "title": "Pantomima Full",
            "start_date": "2021-02-10",
            "start_time": "20:00:00",
            "end_date": "2021-02-11",
            "end_time": "01:30:00",
            "min_price": 15.5,
            "max_price": 55.0,
        }] },
        "error": null,
    });
    assert_eq!(response.json(), expected);
}

async fn unknown_fields_are_null(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let bare_dates = NewEvent::titled("bare dates").starts("2021-03-01").ends("2021-03-02").prices(&[100]);
    let no_end = NewEvent::titled("no end").starts("2021-03-02T10:00:00").prices(&[100]);
    let no_zones = NewEvent::titled("no zones").starts("2021-03-03T10:00:00").ends("2021-03-03T11:00:00");
    catalogue.insert([bare_dates, no_end, no_zones]).await;

    let [bare_dates, no_end, no_zones] = fetch_events(&TestApp::new(&database).await).await.try_into().unwrap();

    let times = |event: &Value| ["start_date", "start_time", "end_date", "end_time"].map(|key| event[key].clone());
    assert_eq!(times(&bare_dates), [json!("2021-03-01"), Value::Null, json!("2021-03-02"), Value::Null]);
    assert_eq!(times(&no_end), [json!("2021-03-02"), json!("10:00:00"), Value::Null, Value::Null]);
    assert_eq!((&no_zones["min_price"], &no_zones["max_price"]), (&Value::Null, &Value::Null));
    for event in [bare_dates, no_end, no_zones] {
        for key in ["id", "title", "start_date", "start_time", "end_date", "end_time", "min_price", "max_price"] {
            assert!(event.get(key).is_some(), "{key} is missing");
        }
    }
}

async fn prices_are_decimal_numbers_in_the_provider_currency(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("tokyo", "JPY", 0).await;
    catalogue.insert_provider("kuwait", "KWD", 3).await;
    catalogue
        .insert([
            NewEvent::titled("cents").starts("2021-01-01").prices(&[5, 1_999]),
            NewEvent::titled("yen").starts("2021-01-02").prices(&[1_500, 20_000]).of_provider("tokyo"),
            NewEvent::titled("fils").starts("2021-01-03").prices(&[1, 12_345]).of_provider("kuwait"),
            NewEvent::titled("free").starts("2021-01-04").prices(&[0]),
            NewEvent::titled("expensive").starts("2021-01-05").prices(&[999_999_999_999]),
        ])
        .await;

    let app = TestApp::new(&database).await;

    let prices: Vec<Value> =
        fetch_events(&app).await.iter().map(|event| json!([event["min_price"], event["max_price"]])).collect();
    let expected = json!([[0.05, 19.99], [1_500.0, 20_000.0], [0.001, 12.345], [0.0, 0.0], [9_999_999_999.99, 9_999_999_999.99]]);
    assert_eq!(json!(prices), expected);
    let body = app.get("/search").await.text();
    for decimal in ["0.05,", "19.99}", "0.001,", "12.345}", "9999999999.99}"] {
        assert!(body.contains(decimal), "{decimal} is missing in {body}");
    }
}

async fn fractional_seconds_are_preserved(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("precise").starts("2021-07-01T20:00:00.250").ends("2021-07-01T21:00:00.100200");
    CatalogueFixture::new(&database).await.insert([event]).await;

    let [event] = fetch_events(&TestApp::new(&database).await).await.try_into().unwrap();

    assert_eq!((&event["start_time"], &event["end_time"]), (&json!("20:00:00.250"), &json!("21:00:00.100200")));
}

async fn titles_preserve_every_character(database: Arc<TestDatabase>) {
    let titles = ["L'Òpera \"del\" <mar> & \\más", "千と千尋 🎭", "two\nlines\t", " ", "'; DROP TABLE event; --"];
    let events = titles.iter().enumerate().map(|(day, title)| NewEvent::titled(title).starts(&format!("2021-01-{:02}", day + 1)));
    CatalogueFixture::new(&database).await.insert(events).await;

    assert_eq!(TestApp::new(&database).await.get("/search").await.titles(), titles);
}

async fn an_event_never_on_sale_online_is_never_shown(database: Arc<TestDatabase>) {
    let shown = NewEvent::titled("shown").starts("2021-02-01T20:00:00");
    let hidden = NewEvent::titled("hidden").starts("2021-02-01T20:00:00").hidden();
    let removed = NewEvent::titled("removed from the feed").starts("2021-02-02T20:00:00").with(|row| {
        row.left_at = Some(entity::UtcInstant(1));
    });
    CatalogueFixture::new(&database).await.insert([shown, hidden, removed]).await;
    let app = TestApp::new(&database).await;

    for query in ["", "?starts_at=2021-01-01", "?ends_at=2021-12-31", "?starts_at=2021-02-01&ends_at=2021-02-02", "?limit=9"] {
        let titles = app.get(&format!("/search{query}")).await.titles();
        assert_eq!(titles, ["shown", "removed from the feed"], "{query}");
    }
}

async fn head_matches_get_without_a_body(database: Arc<TestDatabase>) {
    let events = ["one", "two"].map(NewEvent::titled);
    CatalogueFixture::new(&database).await.insert(events).await;
    let app = TestApp::new(&database).await;

    let get = app.get("/search?limit=1").await;
    let head = app.send(Method::HEAD, "/search?limit=1", &[]).await;

    assert_eq!(head.status, get.status);
    assert!(head.next().is_some());
    assert_eq!(head.next(), get.next());
    assert_eq!(head.body, b"");
}

async fn fetch_events(app: &TestApp) -> Vec<Value> {
    app.get("/search").await.json()["data"]["events"].as_array().unwrap().clone()
}
