//! Which events a range selects: those that start at or after its start and end at or before its end.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(
    starts_at_is_inclusive_to_the_microsecond,
    ends_at_is_inclusive_to_the_microsecond,
    events_must_lie_entirely_within_the_range,
    an_event_without_an_end_ends_when_it_starts,
    a_missing_bound_is_unlimited,
    a_range_of_one_instant_matches_instantaneous_events,
    a_bare_date_covers_the_whole_day,
    a_time_without_an_offset_is_utc,
    offsets_are_applied,
    an_unescaped_plus_is_accepted,
    events_before_1970_and_in_the_far_future_are_found,
);

/// The titles that a search returns, joined by blanks.
async fn search_titles(app: &TestApp, query: &str) -> String {
    app.get(&format!("/search?{query}")).await.titles().join(" ")
}

async fn start_app_with(database: &TestDatabase, events: impl IntoIterator<Item = NewEvent>) -> TestApp {
    CatalogueFixture::new(database).await.insert(events).await;
    TestApp::new(database).await
}

async fn starts_at_is_inclusive_to_the_microsecond(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("show").starts("2021-06-30T21:00:00").ends("2021-06-30T22:00:00");
    let app = start_app_with(&database, [event]).await;

    assert_eq!(search_titles(&app, "starts_at=2021-06-30T20:59:59.999999Z").await, "show");
    assert_eq!(search_titles(&app, "starts_at=2021-06-30T21:00:00Z").await, "show");
    assert_eq!(search_titles(&app, "starts_at=2021-06-30T21:00:00.000001Z").await, "");
    // Bounds may be finer than a microsecond.
    assert_eq!(search_titles(&app, "starts_at=2021-06-30T21:00:00.000000001Z").await, "");
}

async fn ends_at_is_inclusive_to_the_microsecond(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("show").starts("2021-06-30T21:00:00").ends("2021-06-30T22:00:00");
    let app = start_app_with(&database, [event]).await;

    assert_eq!(search_titles(&app, "ends_at=2021-06-30T22:00:00.000001Z").await, "show");
    assert_eq!(search_titles(&app, "ends_at=2021-06-30T22:00:00Z").await, "show");
    assert_eq!(search_titles(&app, "ends_at=2021-06-30T21:59:59.999999Z").await, "");
    assert_eq!(search_titles(&app, "ends_at=2021-06-30T21:59:59.999999999Z").await, "");
}

async fn events_must_lie_entirely_within_the_range(database: Arc<TestDatabase>) {
    let events = [
        ("before", "2021-06-01T10:00:00", "2021-06-09T10:00:00"),
        ("into", "2021-06-09T10:00:00", "2021-06-11T10:00:00"),
        ("around", "2021-06-09T10:00:00", "2021-06-21T10:00:00"),
        ("exactly", "2021-06-10T00:00:00", "2021-06-20T00:00:00"),
        ("within", "2021-06-12T10:00:00", "2021-06-13T10:00:00"),
        ("out-of", "2021-06-19T10:00:00", "2021-06-21T10:00:00"),
        ("after", "2021-06-21T10:00:00", "2021-06-22T10:00:00"),
    ]
    .map(|(title, start, end)| NewEvent::titled(title).starts(start).ends(end));
    let app = start_app_with(&database, events).await;

    assert_eq!(search_titles(&app, "starts_at=2021-06-10T00:00:00Z&ends_at=2021-06-20T00:00:00Z").await, "exactly within");
}

async fn an_event_without_an_end_ends_when_it_starts(database: Arc<TestDatabase>) {
    let app = start_app_with(&database, [NewEvent::titled("show").starts("2021-06-30T21:00:00")]).await;

    assert_eq!(search_titles(&app, "ends_at=2021-06-30T21:00:00Z").await, "show");
    assert_eq!(search_titles(&app, "ends_at=2021-06-30T20:59:59.999999Z").await, "");
}

async fn a_missing_bound_is_unlimited(database: Arc<TestDatabase>) {
    let events = ["2001", "2021", "2041"].map(|year| NewEvent::titled(year).starts(&format!("{year}-07-01T00:00:00")));
    let app = start_app_with(&database, events).await;

    assert_eq!(search_titles(&app, "").await, "2001 2021 2041");
    assert_eq!(search_titles(&app, "starts_at=2021-01-01").await, "2021 2041");
    assert_eq!(search_titles(&app, "ends_at=2021-12-31").await, "2001 2021");
    assert_eq!(search_titles(&app, "starts_at=2021-01-01&ends_at=2021-12-31").await, "2021");
}

async fn a_range_of_one_instant_matches_instantaneous_events(database: Arc<TestDatabase>) {
    let events = [
        NewEvent::titled("instant").starts("2021-06-30T21:00:00"),
        NewEvent::titled("longer").starts("2021-06-30T21:00:00").ends("2021-06-30T21:00:01"),
    ];
    let app = start_app_with(&database, events).await;

    assert_eq!(search_titles(&app, "starts_at=2021-06-30T21:00:00Z&ends_at=2021-06-30T21:00:00Z").await, "instant");
}

async fn a_bare_date_covers_the_whole_day(database: Arc<TestDatabase>) {
    let events = [
        ("eve", "2021-02-27T23:59:59.999999"),
        ("first", "2021-02-28T00:00:00"),
        ("last", "2021-02-28T23:59:59.999999"),
        ("morrow", "2021-03-01T00:00:00"),
    ]
    .map(|(title, start)| NewEvent::titled(title).starts(start));
    let app = start_app_with(&database, events).await;

    assert_eq!(search_titles(&app, "starts_at=2021-02-28").await, "first last morrow");
    assert_eq!(search_titles(&app, "ends_at=2021-02-28").await, "eve first last");
    assert_eq!(search_titles(&app, "starts_at=2021-02-28&ends_at=2021-02-28").await, "first last");
}

async fn a_time_without_an_offset_is_utc(database: Arc<TestDatabase>) {
    let app = start_app_with(&database, [NewEvent::titled("show").starts("2021-06-30T21:00:00")]).await;

    assert_eq!(search_titles(&app, "starts_at=2021-06-30T21:00:00&ends_at=2021-06-30T21:00:00").await, "show");
    assert_eq!(search_titles(&app, "starts_at=2021-06-30T21:00:01").await, "");
    assert_eq!(search_titles(&app, "ends_at=2021-06-30T20:59:59").await, "");
}

async fn offsets_are_applied(database: Arc<TestDatabase>) {
    let app = start_app_with(&database, [NewEvent::titled("show").starts("2021-06-30T21:00:00")]).await;

    for offset in ["23:00:00%2B02:00", "17:30:00-03:30", "21:00:00%2B00:00", "21:00:00-00:00", "21%3A00%3A00%2E000Z"] {
        let at = format!("2021-06-30T{offset}");
        assert_eq!(search_titles(&app, &format!("starts_at={at}&ends_at={at}")).await, "show", "{offset}");
    }
    assert_eq!(search_titles(&app, "starts_at=2021-06-30T22:00:00-01:00").await, "");
    assert_eq!(search_titles(&app, "ends_at=2021-06-30T22:00:00%2B02:00").await, "");
}

async fn an_unescaped_plus_is_accepted(database: Arc<TestDatabase>) {
    let app = start_app_with(&database, [NewEvent::titled("show").starts("2021-06-30T21:00:00")]).await;

    let at = "2021-06-30T23:00:00+02:00";
    assert_eq!(search_titles(&app, &format!("starts_at={at}&ends_at={at}")).await, "show");
}

async fn events_before_1970_and_in_the_far_future_are_found(database: Arc<TestDatabase>) {
    let events = [("woodstock", "1969-08-15T17:07:00"), ("nineties", "0090-01-01"), ("last", "9999-12-31T23:59:59")]
        .map(|(title, start)| NewEvent::titled(title).starts(start));
    let app = start_app_with(&database, events).await;

    assert_eq!(search_titles(&app, "").await, "nineties woodstock last");
    assert_eq!(search_titles(&app, "starts_at=1969-08-15T17:07:00Z&ends_at=1969-08-15T17:07:00Z").await, "woodstock");
    assert_eq!(search_titles(&app, "starts_at=9999-12-31&ends_at=9999-12-31").await, "last");
    assert_eq!(search_titles(&app, "starts_at=0000-01-01&ends_at=0100-01-01").await, "nineties");
}
