//! Lists of events read ranges of the index of one filter: little more than what they return, whatever the other filters are.

mod cases;
mod catalogue;
mod meter;

use std::sync::Arc;

use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::DbBackend;

use self::{cases::cases, catalogue::EventCatalogue, meter::Meter};

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
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Events of a page.
async fn ids(meter: &Meter) -> Vec<String> {
    let (page, _) = meter.get(&format!("/events?limit={LIMIT}")).await;
    let page = page.json();
    page["data"]["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}
