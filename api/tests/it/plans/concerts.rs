//! Concert queries merge sorted index ranges: they read about one row per range and one per row of the response.

use std::sync::Arc;

use api::{
    query::Parameters,
    resources::concerts::{Arm, ConcertsQuery, statement},
};
use entity::{ConnectionRole, sphere::Direction};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, prelude::Uuid};
use serde_json::Value;

use super::{explain_postgres, explain_sqlite, nodes, rows_read};

on_every_backend!(concert_queries_read_few_extra_rows);

const CONCERTS: usize = 100_000;
const PERFORMERS: usize = 1_000;
const VENUES: usize = 500;
const PAGE: usize = 20;

/// The merged ranges of a query and their index.
struct QueryCase {
    name: &'static str,
    query: &'static str,
    arms: Vec<Arm>,
    index: &'static str,
    /// Whether the rows of the ranges are filtered by location.
    is_filtered: bool,
}

async fn concert_queries_read_few_extra_rows(database: Arc<TestDatabase>) {
    insert_concerts(&database.connect(ConnectionRole::Worker).await).await;
    let database = database.connect(ConnectionRole::Api).await;
    let performers = fetch_ids(&database, "performer").await;
    let venues = fetch_ids(&database, "venue").await;
    for QueryCase { name, query, arms, index, is_filtered } in cases(&performers, &venues) {
        let request = ConcertsQuery::parse(Parameters::parse(&format!("{query}&limit={PAGE}"))).unwrap();
        let near = request.filters.near.as_ref().filter(|_| is_filtered);
        let statement = statement(database.get_database_backend(), &request, &arms, near);
        let rows = database.query_all_raw(statement.clone()).await.unwrap().len();
        assert_eq!(rows, PAGE + 1, "{name}");
        // For each row the concert, its venue, performer, event, base event and provider; for each range its first row; the version twice.
        let most = 6 * (PAGE + 1) + arms.len() + 2;
        // Half of all venues are filtered out.
        let most = if is_filtered { 2 * most } else { most };
        if statement.db_backend == DbBackend::Sqlite {
            assert_sqlite_merges(&explain_sqlite(&database, statement).await, name, index, arms.len());
        } else {
            assert_postgres_reads_little(&explain_postgres(&database, statement).await, name, index, most);
        }
    }
}

fn cases(performers: &[Uuid], venues: &[Uuid]) -> Vec<QueryCase> {
    let of = |count: usize| performers[..count].iter().copied().map(Arm::OfPerformer).collect();
    let at = |count: usize| venues[..count].iter().copied().map(Arm::AtVenue).collect();
    let both = |of: usize, at: usize| {
        let pairs = performers[..of].iter().flat_map(|&of| venues[..at].iter().map(move |&at| Arm::OfPerformerAtVenue(of, at)));
        pairs.collect()
    };
    let case = |name, query, arms, index| QueryCase { name, query, arms, index, is_filtered: false };
    let filtered = |name, query, arms, index| QueryCase { name, query, arms, index, is_filtered: true };
    let (bands, place) = ("bandIds=1", "latitude=1&longitude=2&radius=3");
    vec![
        case("a band", bands, of(1), "concert_of_performer"),
        case("bands", bands, of(100), "concert_of_performer"),
        case("bands until a date", "bandIds=1&ends_at=2025-01-01", of(3), "concert_of_performer"),
        case("bands from a date on", "bandIds=1&starts_at=2021-01-01", of(3), "concert_of_performer"),
        case("a venue", place, at(1), "concert_of_venue"),
        case("an area", place, at(128), "concert_of_venue"),
        case("bands in an area", bands, both(4, 32), "concert_of_performer_at_venue"),
        case("bands, earliest first", "bandIds=1&sort=starts_at", of(100), "concert_of_performer"),
        case("an area, earliest first", "latitude=1&longitude=2&radius=3&sort=starts_at", at(128), "concert_of_venue"),
        filtered("bands in a large area", place, of(5), "concert_of_performer"),
        filtered("the latest in a large area", place, vec![Arm::First(2_000)], "concert_by_start"),
    ]
}

/// Inserts concerts spread evenly over three years, in another order than that of the rows.
async fn insert_concerts(database: &DatabaseConnection) {
    let is_sqlite = database.get_database_backend() == DbBackend::Sqlite;
    let id = if is_sqlite { "randomblob(16)" } else { "gen_random_uuid()" };
    let numbers = |count: usize| {
        format!(
            "(WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count} - 1) SELECT n FROM numbers) AS numbers"
        )
    };
    let base_event = "(SELECT id FROM base_event)";
    let Direction { x, y, z } = Direction::from_degrees(1.0, 2.0);
    // 100 venues per performer, 200 performers per venue.
    let (of, at) = ("(n % 100) * 10 + n / 10000", "n / 100 % 100 + n / 10000 % 5 * 100");
    let statements = [
        "INSERT INTO provider (id, slug, url, format, schedule, time_zone, currency, currency_digits, event_count, reject_count) \
         VALUES (1, 'fever', '', '', '', '', 'EUR', 2, 0, 0)"
            .to_owned(),
        format!("INSERT INTO base_event (id, provider_id, source_id, title, sell_mode) VALUES ({id}, 1, '1', 'title', 'online')"),
        format!("INSERT INTO performer (id, provider_id, source_id, name) SELECT {id}, 1, CAST(n AS TEXT), 'band' FROM {}", numbers(PERFORMERS)),
        // Every other venue is inside the requested area.
        format!(
            "INSERT INTO venue (id, provider_id, source_id, name, latitude, longitude, direction_x, direction_y, direction_z) \
             SELECT {id}, 1, CAST(n AS TEXT), 'hall', 1 + n % 2, 2, {x:?}, {y:?}, {z:?} + n % 2 FROM {}",
            numbers(VENUES)
        ),
        // Until the bills are inserted, the source id is the number of the performer, and the end that of the venue.
        format!(
            "INSERT INTO event (id, base_event_id, source_id, local_start, starts_at, ends_at, sold_out, shown, content_hash, first_seen_at) \
             SELECT {id}, {base_event}, CAST({of} AS TEXT), '', 1600000000000000 + CAST(n * 7919 % {CONCERTS} AS BIGINT) * 1000000000, {at}, false, true, 0, 0 \
             FROM {}",
            numbers(CONCERTS)
        ),
        "INSERT INTO event_performer (event_id, position, performer_id, venue_id, starts_at, shown) \
         SELECT event.id, 0, performer.id, venue.id, event.starts_at, true FROM event \
         JOIN performer ON performer.provider_id = 1 AND performer.source_id = event.source_id \
         JOIN venue ON venue.provider_id = 1 AND venue.source_id = CAST(event.ends_at AS TEXT)"
            .to_owned(),
        "UPDATE event SET ends_at = starts_at".to_owned(),
        "ANALYZE".to_owned(),
    ];
    for statement in statements {
        database.execute_unprepared(&statement).await.unwrap();
    }
}

async fn fetch_ids(database: &DatabaseConnection, table: &str) -> Vec<Uuid> {
    let text = format!("SELECT id FROM {table} ORDER BY CAST(source_id AS INTEGER)");
    let statement = sea_orm::Statement::from_string(database.get_database_backend(), text);
    let rows = database.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "id").unwrap()).collect()
}

fn assert_sqlite_merges(steps: &[String], name: &str, index: &str, arms: usize) {
    // SQLite may sort the rows of the page again after joining the names.
    let is_page_sort = |index: usize| index == steps.len() - 1 && steps.iter().any(|step| step == "SCAN concert");
    let sorts = steps.iter().enumerate().filter(|(_, step)| step.contains("TEMP B-TREE"));
    assert!(sorts.clone().all(|(index, _)| is_page_sort(index)), "{name} sorts: {steps:?}");
    let concert_steps: Vec<&String> = steps.iter().filter(|step| step.split(' ').nth(1) == Some("event_performer")).collect();
    assert_eq!(concert_steps.len(), arms.next_power_of_two(), "{name}: {steps:?}");
    assert!(
        concert_steps.iter().all(|step| step.contains(&format!("INDEX {index} ")) || step.ends_with(index)),
        "{name}: {steps:?}"
    );
    assert!(arms == 1 || steps.iter().any(|step| step.starts_with("MERGE (UNION ALL)")), "{name}: {steps:?}");
}

fn assert_postgres_reads_little(plan: &Value, name: &str, index: &str, most: usize) {
    for node in nodes(plan) {
        let kind = node["Node Type"].as_str().unwrap();
        assert!(!kind.contains("Sort") && !kind.contains("Hash"), "{name} reads all rows before the first result: {plan:#}");
        if node["Relation Name"] == "event_performer" {
            assert_eq!(node["Index Name"], index, "{name}: {plan:#}");
        }
    }
    let read = rows_read(plan);
    assert!(read <= most as f64, "{name} reads {read} rows, at most {most} expected: {plan:#}");
}
