//! Lists of events read ranges of the index of one filter: little more than what they return, whatever the other filters are. So do lists of
//! names, and calendars without filters.

mod cases;
mod meter;

use std::sync::Arc;

use entity::{ConnectionRole, UtcInstant};
use migration::{
    on_every_backend,
    testing::{TestDatabase, event_catalogue::EventCatalogue},
};
use sea_orm::DbBackend;

use self::{cases::cases, meter::Meter};

on_every_backend!(lists_of_events_read_few_extra_rows);

const EVENTS: u64 = 100_000;
const LIMIT: usize = 20;

#[expect(clippy::print_stdout, reason = "docs/SCALE.md refers to the numbers")]
async fn lists_of_events_read_few_extra_rows(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Migrate).await;
    let catalogue = EventCatalogue::insert(&connection, EVENTS).await.unwrap();
    let meter = match connection.get_database_backend() {
        DbBackend::Sqlite => Meter::sqlite(&database).await,
        _ => Meter::postgres(&database).await,
    };
    let ids = ids(&meter).await;
    let mut failures = Vec::new();
    for case in cases(catalogue.now, &ids) {
        let (response, read) = meter.get(&format!("/events?limit={LIMIT}&{}", case.query)).await;
        let page = response.json();
        let rows = page["data"]["events"].as_array().unwrap_or_else(|| panic!("{}: {page:#}", case.query)).len();
        println!("{read} rows read for {rows} events, at most {}: {}", case.most, case.query);
        if rows == 0 || read > case.most {
            failures.push(format!("{}: {rows} rows, {read} read, at most {} expected", case.query, case.most));
        }
    }
    for (path, most) in other_lists(catalogue.now) {
        let (response, read) = meter.get(&path).await;
        println!("{read} rows read, at most {most}: {path}");
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        if read > most {
            failures.push(format!("{path}: {read} read, at most {most} expected"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Requests for other lists, and how much they may read.
fn other_lists(now: UtcInstant) -> Vec<(String, usize)> {
    let days = [0, 30].map(|days| UtcInstant(now.0 + days * 86_400_000_000).to_utc().unwrap().date_naive());
    vec![
        // The totals of 20 providers on 31 days, and without bounds the events of two days.
        (format!("/events/calendar?starts_at={}&ends_at={}", days[0], days[1]), 1_500),
        ("/events/calendar".to_owned(), 4_000),
        // Names that begin with the text, and the eleventh part of all names, which have a later word that does.
        (format!("/performers?limit={LIMIT}&q=band"), 400),
        (format!("/performers?limit={LIMIT}&q=1"), 400),
        (format!("/venues?limit={LIMIT}&q=1"), 400),
    ]
}

/// Events of a page.
async fn ids(meter: &Meter) -> Vec<String> {
    let (page, _) = meter.get(&format!("/events?limit={LIMIT}")).await;
    let page = page.json();
    page["data"]["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}
