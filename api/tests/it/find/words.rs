//! Words that match many shows, texts that are refused, and the order `relevance`.

use std::sync::Arc;

use entity::{UtcInstant, database_now};
use migration::{on_every_backend, testing::TestDatabase};
use serde_json::{Value, json};

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::{TestApp, TestResponse},
};

on_every_backend!(many_shows_with_a_word_are_found_in_every_order, texts_that_are_too_long_are_refused, titles_are_ranked_first,);

const HOUR: i64 = 3_600 * 1_000_000;
const SHOWS: i64 = 5_010;

/// An event in a number of hours.
fn upcoming(now: UtcInstant, title: &str, hours: i64) -> NewEvent {
    let start = UtcInstant(now.0 + hours * HOUR);
    NewEvent::titled(title).with(|row| (row.starts_at, row.ends_at) = (start, start))
}

fn titles_of(page: &Value) -> Vec<&str> {
    let events = page["data"]["events"].as_array().unwrap_or_else(|| panic!("{page:#}"));
    events.iter().map(|event| event["title"].as_str().unwrap()).collect()
}

async fn many_shows_with_a_word_are_found_in_every_order(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let now = database_now(&catalogue.database).await.unwrap();
    let show = |number: i64| upcoming(now, &format!("Jazz {number}"), number).prices(&[number]);
    let silent = upcoming(now, "Silence", 1).prices(&[0]);
    catalogue.insert((1..=SHOWS).map(show).chain([silent])).await;
    let app = TestApp::new(&database).await;
    for (query, expected) in [
        ("q=jazz", &["Jazz 1", "Jazz 2"][..]),
        ("q=jaz&sort=-starts_at", &["Jazz 5010", "Jazz 5009"]),
        ("q=jazz&sort=price", &["Jazz 1", "Jazz 2"]),
        ("q=jazz&sort=-price&provider=fever", &["Jazz 5010", "Jazz 5009"]),
        // 1,111 shows begin with these words, and one has exactly these.
        ("q=jazz+1&sort=price", &["Jazz 1", "Jazz 10"]),
        ("q=17+jazz", &["Jazz 17"]),
        ("q=jazz+silence", &[]),
    ] {
        let page = app.get(&format!("/events?{query}&limit=2")).await.json();
        assert_eq!(titles_of(&page), expected, "{query}");
        assert_eq!(page["meta"]["complete"], true, "{query}");
    }
    // The links to the next pages have the same words.
    let pages = app.get_pages("/events?q=jazz+1&limit=1000").await;
    assert_eq!(pages.iter().map(|page| titles_of(&page.json()).len()).collect::<Vec<_>>(), [1_000, 111]);
    let search = app.get("/search?q=silence").await.json();
    assert_eq!(search["data"]["events"][0]["title"], "Silence", "{search:#}");

    let first = app.get("/events?q=jazz&sort=relevance&limit=400&total=true").await.json();
    assert_eq!((&first["meta"]["complete"], &first["meta"]["total"]), (&json!(false), &json!(SHOWS)));
    let pages = app.get_pages("/events?q=jazz&sort=relevance&limit=400").await;
    let bodies: Vec<Value> = pages.iter().map(TestResponse::json).collect();
    let titles: Vec<&str> = bodies.iter().flat_map(titles_of).collect();
    let expected: Vec<String> = (1..=1_000).map(|number| format!("Jazz {number}")).collect();
    assert_eq!(titles, expected);
}

async fn texts_that_are_too_long_are_refused(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for (text, message) in [
        ("word+".repeat(200), "`q` must have at most 200 characters"),
        ("a+b+c+d+e+f+g+".repeat(5) + "1+2+3+4+5+6+7+8+9+0+h+i+j+k+l+m+n+o+p+q+r+s+t+u+v+w", "`q` must have at most 32 words"),
        // A ligature of 18 letters.
        ("%EF%B7%BA".repeat(20), "`q` must have at most 200 characters"),
    ] {
        let problem = app.get(&format!("/events?q={text}")).await.problem(400, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().starts_with(message), "{problem:#}");
    }
    let problem = app.get("/events?sort=relevance&q=%20").await.problem(400, "invalid_parameter");
    assert!(problem["detail"].as_str().unwrap().starts_with("`sort` `relevance` requires `q`"), "{problem:#}");
}

async fn titles_are_ranked_first(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let now = database_now(&catalogue.database).await.unwrap();
    let events = [
        upcoming(now, "at the venue", 1).venue("Rock", (41.4, 2.2), None),
        upcoming(now, "Rocking", 2),
        upcoming(now, "plays", 3).performers(&["rock"]),
        upcoming(now, "The Rock", 4),
        upcoming(now, "Nothing", 5),
    ];
    catalogue.insert(events).await;
    let app = TestApp::new(&database).await;
    let page = app.get("/events?q=rock&sort=relevance").await.json();
    assert_eq!(titles_of(&page), ["The Rock", "plays", "at the venue", "Rocking"]);
}
