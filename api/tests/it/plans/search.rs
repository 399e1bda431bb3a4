//! Searches scan one range of the index of shown events, in the order of the response.

use std::sync::Arc;

use api::{
    query::{Cursor, Page, StatusFilter, TimeRange},
    resources::search::select,
};
use entity::UtcInstant;
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, PaginatorTrait, QuerySelect, QueryTrait, Statement,
    prelude::Uuid,
};
use serde_json::Value;

use super::{explain_postgres, explain_sqlite, nodes};
use crate::fixtures::{CatalogueFixture, NewEvent, instant};

on_every_backend!(searches_scan_a_range_of_the_start_index);

const SHOWN: usize = 20_000;
const HIDDEN: usize = 2_000;
/// The time between two starts: 22,000 events fill two years.
const STEP_MICROS: i64 = 48 * 60 * 1_000_000;
/// The rows that a scan may read per returned row, and a constant: a long event may start in the range and end after it.
const ROWS_READ_PER_ROW: f64 = 1.5;
const EXTRA_ROWS_READ: f64 = 10.0;

async fn searches_scan_a_range_of_the_start_index(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert((0..SHOWN + HIDDEN).map(numbered_event)).await;
    let database = &catalogue.database;
    database.execute_unprepared("ANALYZE").await.unwrap();
    assert_eq!(entity::event::Entity::find().count(database).await.unwrap(), 22_000);

    for (name, range, page) in searches() {
        let statement =
            select((&range, &StatusFilter::default()), &page).limit(page.rows() + 1).build(database.get_database_backend());
        let rows = database.query_all_raw(statement.clone()).await.unwrap().len();
        assert!(rows > 1, "{name} returns several rows");
        match statement.db_backend {
            DbBackend::Sqlite => assert_sqlite_reads_the_index(database, statement, name).await,
            _ => {
                let plan = explain_postgres(database, statement).await;
                assert_postgres_reads_the_index(&plan, name, rows);
                if page.limit.is_some() {
                    assert_postgres_stops_at_the_end_of_the_page(&plan, name);
                }
            }
        }
    }
}

/// Events spread over two years in another order than that of insertion, every eleventh hidden.
fn numbered_event(number: usize) -> NewEvent {
    let position = number * 7_919 % (SHOWN + HIDDEN);
    let starts_at = instant("2021-01-01").0 + i64::try_from(position).unwrap() * STEP_MICROS;
    let event = NewEvent::titled(&format!("event {number}")).prices(&[]).with(|row| {
        row.starts_at = UtcInstant(starts_at);
        row.ends_at = UtcInstant(starts_at + 2 * 3_600_000_000);
    });
    if number.is_multiple_of(11) { event.hidden() } else { event }
}

type SearchCase = (&'static str, TimeRange, Page<(i64, Uuid)>);

fn searches() -> Vec<SearchCase> {
    let month = TimeRange { starts_at: Some(instant("2022-03-01")), ends_at: Some(instant("2022-03-31")) };
    let from = TimeRange { ends_at: None, ..month };
    let until = TimeRange { starts_at: None, ..month };
    let all = TimeRange::default();
    let page = |limit| Page { limit: Some(limit), after: None };
    let later = |limit| {
        let sort_key = (instant("2022-03-15T20:00:00").0, Uuid::from_u128(u128::MAX / 2));
        Page { limit: Some(limit), after: Some(Cursor::new(sort_key, "/search")) }
    };
    vec![
        ("a month", month, Page::default()),
        ("a page of a month", month, page(20)),
        ("a later page of a month", month, later(20)),
        ("a page from a date on", from, page(50)),
        ("a later page from a date on", from, later(50)),
        ("a page until a date", until, page(50)),
        ("a later page until a date", until, later(50)),
        ("a page of all", all, page(50)),
        ("a later page of all", all, later(50)),
    ]
}

async fn assert_sqlite_reads_the_index(database: &DatabaseConnection, statement: Statement, name: &str) {
    let steps = explain_sqlite(database, statement).await;
    let event_steps: Vec<&String> = steps.iter().filter(|step| step.split(' ').nth(1) == Some("event")).collect();
    assert_eq!(event_steps.len(), 1, "{name}: {steps:?}");
    assert!(event_steps[0].contains("USING INDEX event_shown_by_start"), "{name}: {steps:?}");
    let is_bounded = event_steps[0].starts_with("SEARCH event ");
    assert!(is_bounded || name == "a page of all" || name == "a page until a date", "{name}: {steps:?}");
    assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{name} sorts: {steps:?}");
    let base_event_steps: Vec<&String> = steps.iter().filter(|step| step.split(' ').nth(1) == Some("base_event")).collect();
    assert!(base_event_steps.len() == 1 && base_event_steps[0].starts_with("SEARCH "), "{name}: {steps:?}");
}

/// A range may be sorted after it was read, which costs no more than its rows. The whole table is never read.
fn assert_postgres_reads_the_index(plan: &Value, name: &str, rows: usize) {
    let nodes = nodes(plan);
    let event_nodes: Vec<&&Value> = nodes.iter().filter(|node| node["Relation Name"] == "event").collect();
    assert_eq!(event_nodes.len(), 1, "{name}: {plan:#}");
    assert_ne!(event_nodes[0]["Node Type"], "Seq Scan", "{name}: {plan:#}");
    let index_nodes: Vec<&&Value> = nodes.iter().filter(|node| node["Index Name"] == "event_shown_by_start").collect();
    assert_eq!(index_nodes.len(), 1, "{name}: {plan:#}");
    assert!(index_nodes[0]["Index Cond"].is_string() || plan["Node Type"] == "Limit", "{name}: {plan:#}");

    let read = event_nodes[0]["Actual Rows"].as_f64().unwrap() + event_nodes[0]["Rows Removed by Filter"].as_f64().unwrap_or(0.0);
    let most = rows as f64 * ROWS_READ_PER_ROW + EXTRA_ROWS_READ;
    assert!(read <= most, "{name} reads {read} rows for {rows}: {plan:#}");
}

/// A page is read in index order, so that later rows are never read.
fn assert_postgres_stops_at_the_end_of_the_page(plan: &Value, name: &str) {
    for node in nodes(plan) {
        let kind = node["Node Type"].as_str().unwrap();
        assert!(!kind.contains("Sort") && !kind.contains("Hash"), "{name} reads all rows before the first result: {plan:#}");
        if let Some(table @ ("event" | "base_event")) = node["Relation Name"].as_str() {
            assert_eq!(kind, "Index Scan", "{name} reads {table} without an index: {plan:#}");
        }
    }
}
