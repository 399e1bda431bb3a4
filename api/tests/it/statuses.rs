//! The filter `status` of `/search` and `/concerts`, on both databases.

use std::sync::Arc;

use entity::EventStatus;
use migration::{on_every_backend, testing::TestDatabase};
use serde_json::Value;

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(
    cancelled_events_are_left_out_unless_they_are_requested,
    concerts_with_a_status_have_pages,
    an_unknown_status_is_an_error,
    a_venue_without_coordinates_has_no_concerts,
);

fn event_with(status: EventStatus) -> NewEvent {
    let number = EventStatus::ALL.iter().position(|other| *other == status).unwrap();
    NewEvent::titled(status.name())
        .starts(&format!("2021-02-1{number}T20:00:00"))
        .performers(&["7"])
        .venue("Sala", (41.0, 2.0), None)
        .prices(&[500])
        .with(|row| row.status = status)
}

async fn start_app(database: &TestDatabase) -> TestApp {
    CatalogueFixture::new(database).await.insert(EventStatus::ALL.map(event_with)).await;
    TestApp::new(database).await
}

/// The days of February on which concerts take place, latest first.
async fn days_of_concerts(app: &TestApp, query: &str) -> Vec<i64> {
    let response = app.get(&format!("/concerts?{query}")).await;
    assert_eq!(response.status, 200, "{query}: {}", response.text());
    let Value::Array(concerts) = response.json() else { panic!("{}", response.text()) };
    let day = |concert: &Value| (concert["date"].as_i64().unwrap() - 1_612_137_600_000) / 86_400_000 + 1;
    concerts.iter().map(day).collect()
}

async fn cancelled_events_are_left_out_unless_they_are_requested(database: Arc<TestDatabase>) {
    let app = start_app(&database).await;
    let all = ["scheduled", "cancelled", "postponed", "rescheduled", "moved_online"];
    for (query, titles, days) in [
        ("", &["scheduled", "postponed", "rescheduled", "moved_online"][..], &[14, 13, 12, 10][..]),
        ("status=any", &all[..], &[14, 13, 12, 11, 10]),
        ("status=cancelled", &["cancelled"], &[11]),
        ("status=cancelled,postponed", &["cancelled", "postponed"], &[12, 11]),
        ("status=scheduled&status=moved_online", &["scheduled", "moved_online"], &[14, 10]),
    ] {
        assert_eq!(app.get(&format!("/search?{query}")).await.titles(), titles, "{query}");
        for filter in ["bandIds=7", "latitude=41&longitude=2&radius=1", "bandIds=7&latitude=41&longitude=2&radius=1"] {
            let query = format!("{filter}&{query}");
            assert_eq!(days_of_concerts(&app, &query).await, days, "{query}");
            let query = format!("{query}&max_price=5&ends_at=2021-02-20");
            assert_eq!(days_of_concerts(&app, &query).await, days, "{query}");
        }
    }
}

async fn concerts_with_a_status_have_pages(database: Arc<TestDatabase>) {
    let app = start_app(&database).await;
    let pages = app.get_pages("/concerts?bandIds=7&status=any&limit=2").await;
    let pages: Vec<usize> = pages.iter().map(|page| page.json().as_array().unwrap().len()).collect();
    assert_eq!(pages, [2, 2, 1]);
}

async fn an_unknown_status_is_an_error(database: Arc<TestDatabase>) {
    let app = start_app(&database).await;
    for path in ["/search?status=canceled", "/concerts?bandIds=7&status=canceled"] {
        let problem = app.get(path).await.problem(400, "invalid_parameter");
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("must be `any` or statuses: scheduled, cancelled, "), "{message}");
    }
}

async fn a_venue_without_coordinates_has_no_concerts(database: Arc<TestDatabase>) {
    let mut event = event_with(EventStatus::Scheduled);
    let venue = event.venue.as_mut().unwrap();
    (venue.latitude, venue.longitude, venue.located) = (0.0, 0.0, false);
    [venue.direction_x, venue.direction_y, venue.direction_z] = [9.0; 3];
    let path = format!("/events/{}", event.row.id);
    CatalogueFixture::new(&database).await.insert([event]).await;
    let app = TestApp::new(&database).await;
    let details = app.get(&path).await.json();
    assert_eq!(details["data"]["venue"]["name"], "Sala");
    assert_eq!(details["data"]["venue"]["latitude"], Value::Null);
    for query in ["bandIds=7", "latitude=0&longitude=0&radius=20038"] {
        assert_eq!(days_of_concerts(&app, query).await, [0; 0], "{query}");
    }
    assert_eq!(app.get("/venues").await.json()["data"]["venues"][0]["longitude"], Value::Null);
}
