//! `GET /events/{id}`.

use std::sync::Arc;

use entity::{EventStatus, UtcInstant};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};

use crate::{
    fixtures::{CatalogueFixture, NewEvent, instant},
    test_app::TestApp,
};

on_every_backend!(
    returns_every_field_of_an_event,
    unknown_fields_are_null_or_empty,
    zones_keep_feed_order_and_repeated_ids,
    performers_keep_billing_order,
    last_seen_of_a_listed_event_is_the_last_successful_sync,
    last_seen_of_a_removed_event_is_stored_with_it,
    came_back_is_set_for_a_relisted_event,
    an_unknown_event_is_404,
    an_event_never_on_sale_online_is_404,
    a_malformed_id_is_400,
    rejects_query_parameters,
);

async fn start_app_with_event(database: &TestDatabase, event: NewEvent) -> (TestApp, String) {
    let path = format!("/events/{}", event.row.id);
    CatalogueFixture::new(database).await.insert([event]).await;
    (TestApp::new(database).await, path)
}

/// An event with every field; some are those of its base event.
fn complete_event() -> NewEvent {
    let mut event = NewEvent::titled("Pantomima Full")
        .id(Uuid::from_u128(0xc4a6_26ff_9f25_5533_a0a8_2b67_472b_5ee3))
        .of_provider("tokyo")
        .starts("2021-02-10T20:00:00.500")
        .ends("2021-02-10T21:30:00")
        .zone("311", |zone| {
            (zone.name, zone.capacity, zone.price) = (Some("A42".to_owned()), Some(2), 5_500);
            zone.numbered = Some(true);
        })
        .performers(&["12"])
        .venue("Sala Apolo", (41.374, 2.169), Some("ESBCN"))
        .with(|row| {
            row.source_id = "1642".to_owned();
            row.sell_from = Some("2021-01-01T00:00:00".to_owned());
            row.sell_to = Some("2021-02-09".to_owned());
            row.sold_out = true;
            row.first_seen_at = instant("2021-01-02T08:00:00");
            row.name = Some("Last night".to_owned());
            row.status = EventStatus::Postponed;
            row.url = Some("https://tickets.example/1642".to_owned());
            row.time_zone = Some("Asia/Tokyo".to_owned());
            row.previous_start_at = Some(instant("2021-02-09T20:00:00"));
        });
    let venue = event.venue.as_mut().unwrap();
    venue.address = Some("Nou de la Rambla 113".to_owned());
    (venue.city, venue.country) = (Some("Barcelona".to_owned()), Some("ES".to_owned()));
    // The event has its own URL, and no other detail of its own.
    event.base_event.url = Some("https://tickets.example/322".to_owned());
    event.base_event.category = Some("comedy".to_owned());
    event.base_event.description = Some("Two comedians.".to_owned());
    event.base_event.organizer_name = Some("Teatro".to_owned());
    event.base_event.source_id = "322".to_owned();
    event.base_event.organizer_company_id = Some("2".to_owned());
    event
}

/// The response for [`complete_event`], without what concerns its presence in the feed.
fn complete_event_json() -> Value {
    json!({
        "data": {
            "id": "c4a626ff-9f25-5533-a0a8-2b67472b5ee3",
            "title": "Pantomima Full",
            "start_date": "2021-02-10",
            "start_time": "20:00:00.500",
            "end_date": "2021-02-10",
            "end_time": "21:30:00",
            "min_price": 5500.0,
            "max_price": 5500.0,
            "name": "Last night",
            "status": "postponed",
            "category": "comedy",
            "description": "Two comedians.",
            "url": "https://tickets.example/1642",
            "image_url": null,
            "organizer": "Teatro",
            "time_zone": "Asia/Tokyo",
            "previous_start_at": "2021-02-10T05:00:00+09:00",
            "starts_at": "2021-02-11T05:00:00.500+09:00",
            "ends_at": "2021-02-11T06:30:00+09:00",
            "sell_from": "2021-01-01T00:00:00",
            "sell_to": "2021-02-09",
            "sold_out": true,
            "sell_mode": "online",
            "organizer_company_id": "2",
            "currency": "JPY",
            "zones": [{ "id": "311", "name": "A42", "capacity": 2, "price": 5500.0, "currency": "JPY", "numbered": true }],
            "performers": [{ "id": "12", "uuid": "4835a4ab-d31b-5321-9b64-7f7079d9645c", "name": "Performer 12" }],
            "venue": {
                "id": "venue of Sala Apolo",
                "uuid": "ae2b5cd8-d325-5d52-9820-cb84c7603eb7",
                "name": "Sala Apolo",
                "latitude": 41.374,
                "longitude": 2.169,
                "place_code": "ESBCN",
                "address": "Nou de la Rambla 113",
                "postal_code": null,
                "city": "Barcelona",
                "region": null,
                "country": "ES",
            },
            "provider": {
                "slug": "tokyo",
                "name": null,
                "home_page": null,
                "licence": null,
                "attribution": null,
                "base_event_id": "322",
                "event_id": "1642",
            },
            "first_seen": "2021-01-02T08:00:00Z",
            "last_seen": "2021-02-09T08:00:00.250Z",
            "left": null,
            "came_back": null,
        },
        "error": null,
    })
}

async fn returns_every_field_of_an_event(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("tokyo", "JPY", 0).await;
    let event = complete_event();
    let base_event_id = event.base_event.id;
    let (app, path) = start_app_with_event(&database, event).await;
    catalogue.set_last_success("tokyo", instant("2021-02-09T08:00:00.25")).await;

    let mut expected = complete_event_json();
    let presence = json!({
        "base_event_id": base_event_id,
        "availability": "ended",
        "listed": true,
        "distance_km": null,
        "first_seen_at": "2021-01-02T08:00:00Z",
        "updated_at": "2021-01-02T08:00:00Z",
        "left_at": null,
    });
    expected["data"].as_object_mut().unwrap().extend(presence.as_object().unwrap().clone());
    assert_eq!(app.get(&path).await.json(), expected);
    assert_eq!(app.get(&path.to_uppercase().replace("EVENTS", "events")).await.json(), expected);
    let head = app.send(Method::HEAD, &path, &[]).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

async fn unknown_fields_are_null_or_empty(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("bare").starts("2021-02-10").zone("1", |_| ()).venue("Hall", (-90.0, 180.0), None);
    let (app, path) = start_app_with_event(&database, event).await;
    let data = app.get(&path).await.json()["data"].clone();
    for key in ["start_time", "end_date", "end_time", "sell_from", "sell_to", "organizer_company_id", "left", "came_back"] {
        assert_eq!(data.get(key), Some(&Value::Null), "{key}");
    }
    assert_eq!(
        data["zones"],
        json!([{ "id": "1", "name": null, "capacity": null, "price": 0.0, "currency": "EUR", "numbered": null }])
    );
    assert_eq!(data["performers"], json!([]));
    assert_eq!(data["ends_at"], data["starts_at"]);
    assert_eq!(data["venue"]["place_code"], Value::Null);
    assert_eq!(data["last_seen"], Value::Null, "its provider has no successful sync");

    let (app, path) = start_app_with_event(&database, NewEvent::titled("without venue or zones")).await;
    let data = app.get(&path).await.json()["data"].clone();
    assert_eq!((data.get("venue"), &data["zones"]), (Some(&Value::Null), &json!([])));
    assert_eq!((&data["min_price"], &data["max_price"]), (&Value::Null, &Value::Null));
}

async fn zones_keep_feed_order_and_repeated_ids(database: Arc<TestDatabase>) {
    let order = [("9", 300), ("10", 100), ("9", 200), ("1", 400), ("9", 200)];
    let event = order.iter().fold(NewEvent::titled("show"), |event, (id, price)| event.zone(id, |zone| zone.price = *price));
    // The zones of another event must not appear.
    CatalogueFixture::new(&database).await.insert([NewEvent::titled("another").prices(&[1, 2, 3])]).await;
    let (app, path) = start_app_with_event(&database, event).await;

    let data = app.get(&path).await.json()["data"].clone();

    let zones: Vec<Value> = data["zones"].as_array().unwrap().iter().map(|zone| json!([zone["id"], zone["price"]])).collect();
    assert_eq!(json!(zones), json!([["9", 3.0], ["10", 1.0], ["9", 2.0], ["1", 4.0], ["9", 2.0]]));
    assert_eq!((&data["min_price"], &data["max_price"]), (&json!(1.0), &json!(4.0)));
}

async fn performers_keep_billing_order(database: Arc<TestDatabase>) {
    let performers = ["7", "12", "3", "100", "1"];
    let (app, path) = start_app_with_event(&database, NewEvent::titled("show").performers(&performers)).await;

    let data = app.get(&path).await.json()["data"].clone();

    let ids: Vec<&str> =
        data["performers"].as_array().unwrap().iter().map(|performer| performer["id"].as_str().unwrap()).collect();
    assert_eq!(ids, performers);
}

async fn last_seen_of_a_listed_event_is_the_last_successful_sync(database: Arc<TestDatabase>) {
    // The stored value dates from before the event was relisted.
    let event = NewEvent::titled("show").with(|row| row.last_seen_at = Some(instant("2020-01-01")));
    let (app, path) = start_app_with_event(&database, event).await;
    CatalogueFixture::new(&database).await.set_last_success("fever", instant("2021-02-09T08:00:00")).await;

    let data = app.get(&path).await.json()["data"].clone();

    assert_eq!((&data["last_seen"], &data["left"]), (&json!("2021-02-09T08:00:00Z"), &Value::Null));
}

async fn last_seen_of_a_removed_event_is_stored_with_it(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("show").with(|row| {
        row.last_seen_at = Some(instant("2021-02-01T08:00:00"));
        row.left_at = Some(instant("2021-02-01T08:10:00"));
    });
    let (app, path) = start_app_with_event(&database, event).await;
    CatalogueFixture::new(&database).await.set_last_success("fever", instant("2021-02-09T08:00:00")).await;

    let data = app.get(&path).await.json()["data"].clone();

    assert_eq!((&data["last_seen"], &data["left"]), (&json!("2021-02-01T08:00:00Z"), &json!("2021-02-01T08:10:00Z")));
}

async fn came_back_is_set_for_a_relisted_event(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("show").with(|row| {
        row.first_seen_at = instant("2021-01-01T08:00:00");
        row.came_back_at = Some(UtcInstant(instant("2021-01-03T08:00:00").0 + 1));
    });
    let (app, path) = start_app_with_event(&database, event).await;

    let data = app.get(&path).await.json()["data"].clone();

    assert_eq!(
        (&data["first_seen"], &data["came_back"]),
        (&json!("2021-01-01T08:00:00Z"), &json!("2021-01-03T08:00:00.000001Z"))
    );
}

async fn an_unknown_event_is_404(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let response = app.get("/events/00000000-0000-0000-0000-000000000000").await;
    let problem = response.problem(404, "not_found");
    let detail = json!("event `00000000-0000-0000-0000-000000000000` does not exist");
    assert_eq!((&problem["detail"], &problem["errors"]), (&detail, &json!([])));
}

async fn an_event_never_on_sale_online_is_404(database: Arc<TestDatabase>) {
    let (app, path) = start_app_with_event(&database, NewEvent::titled("hidden").hidden()).await;
    let id = path.trim_start_matches("/events/");
    assert_eq!(app.get(&path).await.problem(404, "not_found")["detail"], format!("event `{id}` does not exist"));
}

async fn a_malformed_id_is_400(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for id in ["1642", "x", "c4a626ff-9f25-5533-a0a8-2b67472b5ee", "c4a626ff-9f25-5533-a0a8-2b67472b5ee3x", "%00", "null"] {
        let errors = app.get(&format!("/events/{id}")).await.validation_errors();
        assert_eq!(
            errors,
            [("id".to_owned(), format!("must be a UUID as in /search, got `{}`", id.replace("%00", "\0")))],
            "{id}"
        );
    }
}

async fn rejects_query_parameters(database: Arc<TestDatabase>) {
    let (app, path) = start_app_with_event(&database, NewEvent::titled("show")).await;
    let errors = app.get(&format!("{path}?fields=title&limit=1")).await.validation_errors();
    let message = "is not a known parameter; accepted are as_of".to_owned();
    assert_eq!(errors, [("fields".to_owned(), message.clone()), ("limit".to_owned(), message)]);
}
