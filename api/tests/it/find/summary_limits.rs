//! What calendars and facets refuse, and how many events they count.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(
    a_calendar_has_at_most_400_days,
    an_event_counts_on_the_day_on_which_it_starts,
    facets_count_at_most_100_000_events,
    unknown_facets_are_reported,
);

async fn a_calendar_has_at_most_400_days(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let days = app.get("/events/calendar?starts_at=2027-01-01&ends_at=2028-02-04").await.json()["data"]["days"].clone();
    let days = days.as_array().unwrap();
    assert_eq!((days.len(), &days[0]["day"], &days[399]["day"]), (400, &json!("2027-01-01"), &json!("2028-02-04")));
    let errors = app.get("/events/calendar?starts_at=2027-01-01&ends_at=2028-02-05").await.validation_errors();
    let message = "must be at most 400 days after `starts_at`, got 401 days";
    assert_eq!(errors, [("ends_at".to_owned(), message.to_owned())]);
    let default = app.get("/events/calendar").await.json();
    assert_eq!(default["data"]["days"].as_array().unwrap().len(), 31, "{default:#}");
}

async fn an_event_counts_on_the_day_on_which_it_starts(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let night = |title: &str, zone: &str, start: &str, (local_start, local_end): (&str, &str)| {
        let (zone, local_start, local_end) = (zone.to_owned(), local_start.to_owned(), local_end.to_owned());
        NewEvent::titled(title)
            .starts(start)
            .with(|row| (row.time_zone, row.local_start, row.local_end) = (Some(zone), local_start, Some(local_end)))
    };
    let events = [
        // It ends after midnight, and its day in UTC is another one.
        night("new york", "America/New_York", "2027-06-02T01:00:00", ("2027-06-01T21:00:00", "2027-06-02T02:00:00")),
        night("tokyo", "Asia/Tokyo", "2027-05-31T20:00:00", ("2027-06-01T05:00:00", "2027-06-01T06:00:00")),
    ];
    catalogue.insert(events).await;
    let app = TestApp::new(&database).await;
    for (query, count) in [
        ("starts_at=2027-06-01&ends_at=2027-06-01", 2),
        // Only those that start on the day in UTC, too.
        ("starts_at=2027-06-01&ends_at=2027-06-01&time_zone=UTC", 0),
        ("starts_at=2027-06-01&ends_at=2027-06-02&time_zone=UTC", 1),
        ("starts_at=2027-06-01&ends_at=2027-06-01&range=within", 1),
    ] {
        let calendar = app.get(&format!("/events/calendar?{query}")).await.json();
        assert_eq!(calendar["data"]["days"][0]["count"], count, "{query}: {calendar:#}");
    }
    let page = app.get("/events?starts_at=2027-06-01&ends_at=2027-06-01&time_zone=venue&range=starts").await.json();
    assert_eq!(page["data"]["events"].as_array().unwrap().len(), 2, "{page:#}");
}

async fn facets_count_at_most_100_000_events(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([NewEvent::titled("first")]).await;
    let id = match catalogue.database.get_database_backend() {
        DbBackend::Postgres => "gen_random_uuid()",
        _ => "randomblob(16)",
    };
    let insert = |count: u32| {
        format!(
            "WITH RECURSIVE number (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < {count}) \
             INSERT INTO listing (event_id, base_event_id, provider_id, starts_at, ends_at, upcoming, listed, status, currency, \
             first_seen_at, updated_at) SELECT {id}, base_event_id, provider_id, starts_at, ends_at, upcoming, listed, status, \
             currency, first_seen_at, updated_at FROM number CROSS JOIN (SELECT * FROM listing LIMIT 1) AS listing"
        )
    };
    catalogue.database.execute_unprepared(&insert(99_999)).await.unwrap();
    let url = "/events/facets?by=status&range=all&listed=any";
    let found = TestApp::new(&database).await.get(url).await.json();
    let all = |complete: bool| -> Value {
        json!({
            "data": { "facets": [{ "by": "status", "values": [{ "value": "scheduled", "name": null, "count": 100_000 }] }] },
            "meta": { "total": 100_000, "complete": complete, "corrected": null },
            "error": null,
        })
    };
    assert_eq!(found, all(true));
    catalogue.database.execute_unprepared(&insert(1)).await.unwrap();
    assert_eq!(TestApp::new(&database).await.get(url).await.json(), all(false));
}

async fn unknown_facets_are_reported(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let problem = app.get("/events/facets?by=colour").await.problem(400, "invalid_parameter");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("`by` must be facets: category, city,"), "{detail}");
    let defaults = app.get("/events/facets").await.json();
    let names: Vec<&str> =
        defaults["data"]["facets"].as_array().unwrap().iter().map(|facet| facet["by"].as_str().unwrap()).collect();
    assert_eq!(names, ["category", "city", "country", "provider", "status"]);
}
