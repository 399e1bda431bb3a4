//! `GET /concerts`: filters, order and pages.

use std::sync::Arc;

use entity::{EventStatus, event};
use migration::{on_every_backend, testing::TestDatabase};
use serde_json::{Value, json};

use crate::{
    fixtures::{CatalogueFixture, NewEvent, instant},
    test_app::TestApp,
};

on_every_backend!(
    a_concert_is_a_band_at_a_venue,
    selects_bands_by_source_id_qualified_id_or_uuid,
    excludes_hidden_events_and_events_without_venue_or_performer,
    simultaneous_concerts_have_a_total_order,
    filters_by_time_and_price,
    equivalent_coordinates_are_the_same_point,
    prices_are_in_the_currency_of_the_event,
);

async fn start_app_with(database: &TestDatabase, events: impl IntoIterator<Item = NewEvent>) -> TestApp {
    CatalogueFixture::new(database).await.insert(events).await;
    TestApp::new(database).await
}

async fn fetch_concerts(app: &TestApp, query: &str) -> Vec<Value> {
    let response = app.get(&format!("/concerts?{query}")).await;
    assert_eq!(response.status, 200, "{query}: {}", String::from_utf8_lossy(&response.body));
    match response.json() {
        Value::Array(concerts) => concerts,
        other => panic!("{query}: {other}"),
    }
}

async fn fetch_bands(app: &TestApp, query: &str) -> Vec<String> {
    fetch_concerts(app, query).await.iter().map(|concert| concert["band"].as_str().unwrap().to_owned()).collect()
}

fn concert(title: &str, performers: &[&str], place: (f64, f64)) -> NewEvent {
    NewEvent::titled(title).performers(performers).venue(&format!("venue of {title}"), place, None)
}

async fn a_concert_is_a_band_at_a_venue(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("one").starts("2021-06-30T21:00:00.123").prices(&[1_550, 2_000]);
    let event = event.performers(&["Zoë \"Z\" O'Neil", "北"]).venue("L'Été & <Fils>", (48.88, 2.36), None);
    let id = event.row.id.to_string();
    let app = start_app_with(&database, [event]).await;
    let concerts = fetch_concerts(&app, "latitude=48.88&longitude=2.36&radius=0").await;
    let expected = |band: &str| {
        json!({
            "band": band, "location": "L'Été & <Fils>", "date": 1_625_086_800_123_i64, "latitude": 48.88, "longitude": 2.36,
            "event_id": id, "title": "one", "min_price": 15.5, "currency": "EUR", "status": "scheduled",
        })
    };
    assert_eq!(concerts, [expected("Performer 北"), expected("Performer Zoë \"Z\" O'Neil")]);
    assert_eq!(fetch_bands(&app, "bandIds=%E5%8C%97").await, ["Performer 北"], "only the concerts of the requested band");
}

async fn selects_bands_by_source_id_qualified_id_or_uuid(database: Arc<TestDatabase>) {
    let events = [
        concert("a", &["7"], (1.0, 1.0)).starts("2021-01-01T20:00:00"),
        concert("b", &["7"], (1.0, 1.0)).of_provider("southstage").starts("2021-01-02T20:00:00"),
        concert("c", &["southstage:7"], (1.0, 1.0)).starts("2021-01-03T20:00:00"),
    ];
    let app = start_app_with(&database, events).await;
    assert_eq!(fetch_concerts(&app, "bandIds=7").await.len(), 2, "of all providers");
    let dates = |concerts: Vec<Value>| concerts.iter().map(|concert| concert["date"].as_i64().unwrap()).collect::<Vec<_>>();
    let millis = |date: &str| instant(date).0 / 1_000;
    assert_eq!(dates(fetch_concerts(&app, "bandIds=fever:7").await), [millis("2021-01-01T20:00:00")]);
    let of_both = [millis("2021-01-03T20:00:00"), millis("2021-01-02T20:00:00")];
    assert_eq!(
        dates(fetch_concerts(&app, "bandIds=southstage:7").await),
        of_both,
        "an id may look like a qualified id of another provider"
    );
    let performer = NewEvent::titled("a").performer_id("7");
    assert_eq!(dates(fetch_concerts(&app, &format!("bandIds={performer}")).await), [millis("2021-01-01T20:00:00")]);
    assert_eq!(fetch_concerts(&app, "bandIds=7&bandIds=southstage:7,8,9").await.len(), 3, "without duplicates");
    assert_eq!(fetch_concerts(&app, "bandIds=8").await, [Value::Null; 0], "an unknown band has no concerts");
    assert_eq!(fetch_concerts(&app, "bandIds=8&latitude=1&longitude=1&radius=100").await, [Value::Null; 0]);
}

async fn excludes_hidden_events_and_events_without_venue_or_performer(database: Arc<TestDatabase>) {
    let events = [
        concert("hidden", &["1"], (1.0, 1.0)).hidden(),
        NewEvent::titled("without venue").performers(&["1"]),
        NewEvent::titled("without performers").venue("venue", (1.0, 1.0), None),
    ];
    let app = start_app_with(&database, events).await;
    for query in ["bandIds=1", "latitude=1&longitude=1&radius=1", "bandIds=1&latitude=1&longitude=1&radius=20038"] {
        assert_eq!(fetch_concerts(&app, query).await, [Value::Null; 0], "{query}");
    }
}

async fn simultaneous_concerts_have_a_total_order(database: Arc<TestDatabase>) {
    let events = (0..10).map(|number| concert(&format!("event {number}"), &["1", "2", "3"], (f64::from(number), 1.0)));
    let app = start_app_with(&database, events).await;
    let all = fetch_concerts(&app, "bandIds=3,2,1").await;
    assert_eq!(all.len(), 30);
    for limit in [1, 7, 29, 30] {
        let pages = app.get_pages(&format!("/concerts?bandIds=3,2,1&limit={limit}")).await;
        let pages: Vec<Value> = pages.iter().flat_map(|page| page.json().as_array().unwrap().clone()).collect();
        assert_eq!(pages, all, "pages of {limit}");
    }
}

async fn filters_by_time_and_price(database: Arc<TestDatabase>) {
    let yen = |title: &str, price: i64| concert(title, &["yen"], (1.0, 1.0)).of_provider("kabuki").prices(&[price]);
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("kabuki", "JPY", 0).await;
    let cents = |title: &str, prices: &[i64]| concert(title, &["cents"], (1.0, 1.0)).prices(prices);
    let long = cents("long", &[]).starts("2021-03-01T20:00:00").ends("2021-03-02T02:00:00");
    catalogue.insert([cents("cheap", &[1_999, 5_000]), cents("dear", &[2_000]), yen("y1", 19), yen("y2", 20), long]).await;
    let app = TestApp::new(&database).await;
    let place = "latitude=1&longitude=1&radius=1";
    assert_eq!(fetch_bands(&app, &format!("{place}&max_price=19.99")).await.len(), 2);
    assert_eq!(fetch_bands(&app, "bandIds=cents&max_price=19.98").await.len(), 0);
    assert_eq!(fetch_bands(&app, "bandIds=cents&max_price=19.99").await.len(), 1);
    assert_eq!(fetch_bands(&app, "bandIds=yen&max_price=20").await.len(), 2);
    assert_eq!(fetch_bands(&app, "bandIds=cents,yen").await.len(), 5, "includes concerts without a price");
    assert_eq!(fetch_bands(&app, "bandIds=cents&starts_at=2021-03-01T20:00:00").await.len(), 1);
    assert_eq!(fetch_bands(&app, "bandIds=cents&starts_at=2021-03-01T20:00:01").await.len(), 0);
    assert_eq!(fetch_bands(&app, &format!("{place}&starts_at=2021-03-01&ends_at=2021-03-02T02:00:00")).await.len(), 1);
    assert_eq!(fetch_bands(&app, &format!("{place}&starts_at=2021-03-01&ends_at=2021-03-02T01:59:59")).await.len(), 0);
}

async fn equivalent_coordinates_are_the_same_point(database: Arc<TestDatabase>) {
    let events = [
        concert("pole", &["1"], (90.0, 12.0)),
        concert("line", &["2"], (10.0, 180.0)),
        concert("other line", &["3"], (10.0, -180.0)),
    ];
    let app = start_app_with(&database, events).await;
    assert_eq!(fetch_bands(&app, "latitude=90&longitude=-99&radius=0").await, ["Performer 1"]);
    assert_eq!(fetch_bands(&app, "latitude=10&longitude=-180&radius=0").await.len(), 2);
    assert_eq!(fetch_bands(&app, "latitude=10&longitude=-179.999&radius=0.2").await.len(), 2);
    assert_eq!(fetch_bands(&app, "latitude=10&longitude=-179.999&radius=0.1").await.len(), 0);
    assert_eq!(fetch_bands(&app, "latitude=89.999&longitude=-168&radius=0.2").await, ["Performer 1"]);
    assert_eq!(fetch_bands(&app, "latitude=-90&longitude=0&radius=20015").await.len(), 2, "all but the north pole");
    assert_eq!(fetch_bands(&app, "latitude=-90&longitude=0&radius=20016").await.len(), 3);
}

async fn prices_are_in_the_currency_of_the_event(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("kabuki", "JPY", 0).await;
    let of = |title: &str, prices: &[i64]| concert(title, &["1"], (1.0, 1.0)).prices(prices);
    let in_dinar = |event: &mut event::Model| (event.currency, event.currency_digits) = (Some("KWD".to_owned()), Some(3));
    let other = of("other", &[1_234]).with(in_dinar);
    let cancelled = of("cancelled", &[]).with(|event| event.status = EventStatus::Cancelled);
    catalogue.insert([of("yen", &[500]).of_provider("kabuki"), other, cancelled]).await;
    let app = TestApp::new(&database).await;
    let concerts = fetch_concerts(&app, "bandIds=1&status=any").await;
    let mut shown: Vec<String> = concerts
        .iter()
        .map(|concert| ["title", "min_price", "currency", "status"].map(|key| concert[key].to_string()).join(" "))
        .collect();
    shown.sort();
    let expected =
        [r#""cancelled" null "EUR" "cancelled""#, r#""other" 1.234 "KWD" "scheduled""#, r#""yen" 500.0 "JPY" "scheduled""#];
    assert_eq!(shown, expected);
}
