//! The days of a month beside the results.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::DatabaseConnection;

use super::{
    concert,
    html::{links, tags},
    open, start_app,
};
use crate::{fixtures::NewEvent, test_app::TestApp};

on_every_backend!(
    days_have_the_numbers_and_prices_of_the_calendar,
    a_day_selects_its_events_and_retains_the_other_filters,
    known_events_have_no_grid,
);

fn cell(html: &str, day: &str) -> String {
    let (_, after) = html.split_once(&format!("<time datetime=\"{day}\">")).expect("the day is in the grid");
    let (cell, _) = after.split_once("</td>").unwrap();
    cell.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
}

fn events() -> Vec<NewEvent> {
    let at_night = concert("At night").starts("2099-02-10T23:30:00").prices(&[1_250]);
    let elsewhere = concert("Elsewhere").venue_with("Hall", None, |venue| venue.city = Some("Madrid".to_owned()));
    vec![concert("Show"), at_night, concert("Tomorrow").starts("2099-02-11T20:00:00"), elsewhere]
}

async fn days_have_the_numbers_and_prices_of_the_calendar(database: Arc<TestDatabase>) {
    let app = start_app(&database, events()).await;
    let html = open(&app, "/?city=barcelona").await;
    assert!(html.contains(">February 2099</a></h2>"), "the month of the first event: {html}");
    assert_eq!(cell(&html, "2099-02-10"), "10 2 events from 12.50 EUR");
    assert_eq!(cell(&html, "2099-02-11"), "11 1 event from 30 EUR");
    assert_eq!(cell(&html, "2099-02-12"), "12");
    let calendar = app.get("/events/calendar?city=barcelona&starts_at=2099-02-01&ends_at=2099-02-28").await.json();
    assert_eq!((&calendar["data"]["days"][9]["count"], &calendar["data"]["days"][10]["count"]), (&2.into(), &1.into()));
    assert_eq!(html.matches("<td").count(), 5 * 7, "February 2099 begins on a Sunday");
}

async fn a_day_selects_its_events_and_retains_the_other_filters(database: Arc<TestDatabase>) {
    let app = start_app(&database, events()).await;
    let html = open(&app, "/?city=barcelona&sort=price").await;
    let month = links("/", &html).into_iter().find(|link| link.contains("starts_at=") && link.contains("range=starts")).unwrap();
    assert!(month.contains("city=barcelona&sort=price"), "{month}");
    let html = open(&app, "/?city=barcelona&starts_at=2099-02-01&ends_at=2099-02-28").await;
    let day = links("/", &html).into_iter().find(|link| link.contains("starts_at=2099-02-10&ends_at=2099-02-10")).unwrap();
    let html = open(&app, &day).await;
    assert!(html.contains("<h2 id=\"results\">2 events</h2>"), "{day}: {html}");
    assert!(html.contains("<bdi>At night</bdi>") && !html.contains("<bdi>Elsewhere</bdi>"));
    let selected: Vec<_> = tags(&html).into_iter().filter(|tag| tag.get("aria-current") == Some("date")).collect();
    assert_eq!(selected.len(), 1);
    assert_eq!(selected[0].get("href").map(|href| format!("/{href}")), Some(day));
    assert_eq!(cell(&html, "2099-02-11"), "11 1 event from 30 EUR", "the other days can still be selected");
}

async fn known_events_have_no_grid(database: Arc<TestDatabase>) {
    let show = concert("Show");
    let page = format!("/?ids={}", show.row.id);
    let app = start_app(&database, [show]).await;
    let html = open(&app, &page).await;
    assert!(html.contains("1 event<") && !html.contains("id=\"month\""), "{html}");
}

#[tokio::test]
async fn dates_without_a_month_are_errors_of_the_form() {
    let app = TestApp::with_connection(DatabaseConnection::default());
    for query in ["starts_at=2099-02-30", "starts_at=%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9x", "ends_at=soon"] {
        assert_eq!(app.get(&format!("/?{query}")).await.status, 400, "{query}");
    }
}
