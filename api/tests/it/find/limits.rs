//! What a list refuses, and how many events it sorts.

use std::sync::Arc;

use entity::{UtcInstant, base_event, database_now};
use migration::{on_every_backend, testing::TestDatabase};
use serde_json::json;

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(
    more_events_than_can_be_sorted_are_refused,
    prices_in_several_currencies_are_compared_in_one,
    currencies_are_those_of_providers_in_the_result,
    prices_of_past_events_have_the_digits_of_their_currency,
    only_the_requested_members_are_returned,
    contradictory_filters_are_reported,
    bounds_on_the_clock_of_the_venue_are_inclusive,
);

const DAY: i64 = 24 * 3_600 * 1_000_000;

/// An event that starts this number of days from now.
async fn upcoming(catalogue: &CatalogueFixture, title: &str, days: i64) -> NewEvent {
    let start = UtcInstant(database_now(&catalogue.database).await.unwrap().0 + days * DAY);
    NewEvent::titled(title).with(|row| (row.starts_at, row.ends_at) = (start, start))
}

async fn more_events_than_can_be_sorted_are_refused(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let first = upcoming(&catalogue, "first", 1).await;
    let start = first.row.starts_at;
    let at_venue = |number: i64| {
        NewEvent::titled(&format!("event {number}"))
            .with(|row| (row.starts_at, row.ends_at) = (UtcInstant(start.0 + number), UtcInstant(start.0 + number)))
            .venue("Sala Apolo", (41.374, 2.169), None)
    };
    catalogue.insert((0..=20_000).map(at_venue)).await;
    let app = TestApp::new(&database).await;
    let near = "latitude=41.4&longitude=2.2&radius=10";

    let problem = app.get(&format!("/events?{near}&sort=distance")).await.problem(422, "query_too_broad");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`starts_at`") && detail.contains("`category`") && !detail.contains("`city`"), "{detail}");

    let until = api::response::to_rfc3339(UtcInstant(start.0 + 19_999));
    let page = app.get(&format!("/events?{near}&sort=distance&limit=3&ends_at={until}")).await.json();
    assert_eq!(page["data"]["events"].as_array().unwrap().len(), 3, "{page:#}");
    // In the order of the starts, nothing is sorted.
    let page = app.get(&format!("/events?{near}&total=true&limit=3")).await.json();
    assert_eq!((page["data"]["events"].as_array().unwrap().len(), &page["meta"]["total"]), (3, &json!(10_000)));
}

async fn prices_in_several_currencies_are_compared_in_one(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    for (slug, currency, digits) in [("fever", "EUR", 2), ("tokyo", "JPY", 0)] {
        catalogue.insert_provider(slug, currency, digits).await;
    }
    let euros = upcoming(&catalogue, "euros", 1).await.prices(&[1_050]);
    let yen = upcoming(&catalogue, "yen", 2).await.of_provider("tokyo").prices(&[1_050]);
    catalogue.insert([euros, yen]).await;
    let app = TestApp::new(&database).await;
    let titles = async |query: &str| {
        let page = app.get(&format!("/events?{query}")).await.json();
        let events = page["data"]["events"].as_array().unwrap_or_else(|| panic!("{query}: {page:#}")).clone();
        events.iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    let problem = app.get("/events?sort=price").await.problem(400, "currency_required");
    assert!(problem["detail"].as_str().unwrap().contains("EUR, JPY"), "{problem:#}");
    assert_eq!(titles("max_price=10.50&currency=EUR").await, ["euros"]);
    assert_eq!(titles("max_price=10.49&currency=EUR").await, Vec::<String>::new());
    assert_eq!(titles("min_price=1050&provider=tokyo").await, ["yen"]);
    assert_eq!(titles("min_price=1051&currency=JPY").await, Vec::<String>::new());
    assert_eq!(titles("currency=JPY").await, ["yen"]);
}

async fn currencies_are_those_of_providers_in_the_result(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    for (slug, currency, digits) in [("fever", "EUR", 2), ("tokyo", "JPY", 0), ("empty", "USD", 2)] {
        catalogue.insert_provider(slug, currency, digits).await;
    }
    let event = async |title: &'static str, slug, days| {
        let event = upcoming(&catalogue, title, days).await.of_provider(slug).performers(&[slug]).prices(&[1_050]);
        let event = event.venue_with(slug, None, |_| ());
        NewEvent {
            base_event: base_event::Model { organizer_name: Some("Sala".to_owned()), ..event.base_event.clone() },
            ..event
        }
    };
    let past = event("past", "tokyo", -3).await.with(|row| row.left_at = Some(UtcInstant(0)));
    catalogue.insert([event("first", "fever", 1).await, past]).await;
    let app = TestApp::new(&database).await;
    let currencies = async |query: &str| {
        let response = app.get(&format!("/events?sort=price&{query}")).await;
        if response.status == 200 {
            response.titles().join(",")
        } else {
            response.problem(400, "currency_required")["detail"].to_string()
        }
    };
    assert_eq!(currencies("").await, "first");
    assert_eq!(currencies("listed=false&range=all").await, "past");
    assert!(currencies("listed=any&range=all").await.contains("EUR, JPY"));

    catalogue.insert([event("second", "tokyo", 5).await]).await;
    let [now, day] = [database_now(&catalogue.database).await.unwrap().0, DAY];
    let at = |days: i64| api::response::to_rfc3339(UtcInstant(now + days * day));
    for (query, expected) in [
        ("provider=fever,empty".to_owned(), "first"),
        ("provider=tokyo".to_owned(), "second"),
        ("venue=fever:venue%20of%20fever".to_owned(), "first"),
        ("performer=tokyo:tokyo".to_owned(), "second"),
        ("performer=tokyo:unknown".to_owned(), ""),
        ("organizer=tokyo:Sala".to_owned(), "second"),
        (format!("starts_at={}&ends_at={}", at(0), at(2)), "first"),
        (format!("starts_at={}", at(2)), "second"),
        ("currency=JPY".to_owned(), "second"),
    ] {
        assert_eq!(currencies(&query).await, expected, "{query}");
    }
    let overlapping = format!("starts_at={}&range=overlaps&listed=any", at(7));
    for query in
        [&overlapping, "", "performer=fever:fever,tokyo:tokyo", "organizer=fever:Sala,tokyo:Sala", "provider=fever,tokyo"]
    {
        assert!(currencies(query).await.contains("EUR, JPY"), "{query}");
    }
}

async fn prices_of_past_events_have_the_digits_of_their_currency(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let event = async |title, currency: &str, digits| {
        let event = upcoming(&catalogue, title, -3).await.prices(&[1_050]);
        event.with(|row| (row.currency, row.currency_digits) = (Some(currency.to_owned()), Some(digits)))
    };
    catalogue.insert([event("yen", "JPY", 0).await, event("dinar", "KWD", 3).await, event("dollar", "USD", 2).await]).await;
    let app = TestApp::new(&database).await;
    for (price, currency, expected) in [
        ("min_price=1050", "JPY", "yen"),
        ("max_price=1050", "JPY", "yen"),
        ("max_price=1049", "JPY", ""),
        ("min_price=1.05", "KWD", "dinar"),
        ("min_price=1.051", "KWD", ""),
        ("min_price=10.5", "USD", "dollar"),
        ("min_price=10.51", "USD", ""),
        ("max_price=9", "QQQ", ""),
    ] {
        let titles = app.get(&format!("/events?range=all&{price}&currency={currency}")).await.titles().join(",");
        assert_eq!(titles, expected, "{price} {currency}");
    }
}

async fn only_the_requested_members_are_returned(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let event = upcoming(&catalogue, "only", 1).await;
    let id = event.row.id;
    catalogue.insert([event]).await;
    let app = TestApp::new(&database).await;
    let page = app.get("/events?fields=title,id&fields=listed").await.json();
    assert_eq!(page["data"]["events"], json!([{ "id": id, "title": "only", "listed": true }]));
    let error = app.get("/events?fields=titel").await.problem(400, "invalid_parameter");
    assert!(error["detail"].as_str().unwrap().contains("must be members of an event: id, title,"), "{error:#}");
}

async fn contradictory_filters_are_reported(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for (query, message) in [
        ("range=all&starts_at=2027-01-01", "`range` `all` cannot be combined with `starts_at` and `ends_at`"),
        ("time_zone=Mars/Base", "`time_zone` must be an IANA time zone such as Europe/Madrid, or `venue`, got `Mars/Base`"),
        ("bbox=1,5,2,4", "`bbox` must be `west,south,east,north` in degrees"),
        ("bbox=1,2,3", "`bbox` must be `west,south,east,north` in degrees"),
        ("min_price=2&max_price=1", "`max_price` must not be less than `min_price`"),
        ("city=%20", "`city` must be names of at most 200 characters"),
        ("sort=distance", "`sort` `distance` requires `latitude`, `longitude` and `radius`"),
        ("performer=12", "`performer` must be UUIDs or ids as `provider:id`"),
        ("category=musik", "`category` must be categories such as music or music/jazz"),
    ] {
        let problem = app.get(&format!("/events?{query}")).await.problem(400, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().starts_with(message), "{query}: {problem:#}");
    }
}

async fn bounds_on_the_clock_of_the_venue_are_inclusive(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let on_clock = |title: &str, start: &str, end: Option<&str>| {
        let (start, end) = (start.to_owned(), end.map(str::to_owned));
        NewEvent::titled(title).starts("2027-06-30T12:00:00").with(|row| (row.local_start, row.local_end) = (start, end))
    };
    let events = [
        on_clock("midnight", "2027-06-30T00:00:00", None),
        on_clock("fraction", "2027-06-30T00:00:00.50", Some("2027-06-30T23:59:59.5")),
        on_clock("day", "2027-06-30", Some("2027-06-30")),
        on_clock("until midnight", "2027-06-30T20:00:00", Some("2027-07-01T00:00:00")),
    ];
    catalogue.insert(events).await;
    let app = TestApp::new(&database).await;
    let all = ["midnight", "fraction", "day", "until midnight"];
    for (query, left_out) in [
        ("starts_at=2027-06-30", &[][..]),
        ("starts_at=2027-06-30T00:00:00&ends_at=2027-07-01T00:00:00", &[]),
        ("starts_at=2027-06-30&ends_at=2027-06-30", &["until midnight"]),
        ("starts_at=2027-06-30T00:00:00.5", &["midnight", "day"]),
        ("starts_at=2027-06-30T00:00:00.500001", &["midnight", "day", "fraction"]),
        ("ends_at=2027-06-30T23:59:59.499999", &["fraction", "day", "until midnight"]),
        ("starts_at=2027-07-01T00:00:00&range=overlaps", &["midnight", "fraction", "day"]),
        ("ends_at=2027-06-30T00:00:00&range=overlaps", &["fraction", "until midnight"]),
    ] {
        let page = app.get(&format!("/events?{query}&time_zone=venue&fields=title")).await.json();
        let events = page["data"]["events"].as_array().unwrap_or_else(|| panic!("{query}: {page:#}"));
        let mut titles: Vec<&str> = events.iter().map(|event| event["title"].as_str().unwrap()).collect();
        let mut wanted: Vec<&str> = all.into_iter().filter(|title| !left_out.contains(title)).collect();
        titles.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(titles, wanted, "{query}");
    }
}
