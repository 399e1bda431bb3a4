//! Each filter of changes reads ranges of an index, in the order of the log.

use std::{collections::BTreeSet, sync::Arc};

use api::{
    query::Parameters,
    resources::{
        changes::{newest_statement, parse_changes, parse_history, statement},
        events::newest_changes_statement,
    },
};
use entity::{
    ConnectionRole, UtcInstant,
    change::{self, ChangeKind},
    change_log::ChangesQuery,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, IntoActiveModel, Statement, prelude::Uuid};

use super::{explain_postgres, explain_sqlite, nodes};
use crate::{changes::cursor, fixtures::CatalogueFixture};

on_every_backend!(changes_are_read_from_the_index_of_their_filter);

const CHANGES: usize = 50_000;
const PROVIDERS: usize = 20;
const CHANGES_PER_RELEASE: usize = 50;
/// One event has each of this many changes.
const CHANGES_PER_EVENT: usize = 1_000;
const EVENT: Uuid = Uuid::from_u128(u128::MAX);

async fn changes_are_read_from_the_index_of_their_filter(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    insert_changes(&catalogue).await;
    let after = cursor(500, 20, UtcInstant(0));
    let api = database.connect(ConnectionRole::Api).await;
    assert_reads_history(&api, &after).await;
    assert_reads_newest(&api, &after).await;
    assert_reads_pages(&api, &after, |query| query).await;
    // As deliveries of webhooks and their dispatcher read them.
    let worker = database.connect(ConnectionRole::Deliver).await;
    assert_reads_pages(&worker, &after, |query| ChangesQuery { has_states: true, ..query }).await;
    assert_reads_pages(&worker, &after, |query| ChangesQuery { has_states: true, has_fields: false, ..query }).await;
}

/// The pages of the log with filters, from its start and from a position.
async fn assert_reads_pages(database: &DatabaseConnection, after: &str, adapt: impl Fn(ChangesQuery) -> ChangesQuery) {
    for (filters, index, ranges) in [
        ("", None, 1),
        ("kind=left", Some("change_kind"), 1),
        ("kind=left,created,postponed", Some("change_kind"), 3),
        ("provider=p3", Some("change_provider"), 1),
        ("provider=p3,p4,p5", Some("change_provider"), 3),
        ("provider=p3,p4,p5&kind=updated", Some("change_provider"), 3),
        // Without changes.
        ("kind=postponed&provider=p3", Some("change_provider"), 0),
    ] {
        for query in [filters.to_owned(), format!("{filters}&after={after}")] {
            let changes = adapt(parse_changes(Parameters::parse(&query)).unwrap());
            let statement = statement(database.get_database_backend(), &changes);
            let rows = database.query_all_raw(statement.clone()).await.unwrap().len();
            assert_eq!(rows, if ranges == 0 { 0 } else { 101 }, "{query}");
            match statement.db_backend {
                DbBackend::Sqlite => assert_sqlite_reads(database, statement, &query, index).await,
                _ => assert_postgres_reads(database, statement, &query, (index, rows * ranges)).await,
            }
        }
    }
}

/// The newest changes of an event and of a kind, from the end of the log and from a position.
async fn assert_reads_newest(database: &DatabaseConnection, after: &str) {
    let backend = database.get_database_backend();
    let position = parse_changes(Parameters::parse(&format!("after={after}"))).unwrap().after;
    let event = |position| (newest_changes_statement(backend, EVENT, position), "change_event", CHANGES / CHANGES_PER_EVENT);
    let kind = |kind, before, most| (newest_statement(backend, kind, before), "change_kind", most);
    for (statement, index, most) in [
        event((i64::MAX, 0)),
        event((500, 20)),
        kind(ChangeKind::Created, None, 100),
        kind(ChangeKind::Created, position.as_ref(), 100),
        kind(ChangeKind::Updated, position.as_ref(), 100),
    ] {
        let text = statement.sql.clone();
        let rows = database.query_all_raw(statement.clone()).await.unwrap();
        let versions: Vec<i64> = rows.iter().map(|row| row.try_get("", "version").unwrap()).collect();
        assert!(
            !versions.is_empty() && versions.len() <= most && versions.is_sorted_by(|left, right| left >= right),
            "{versions:?}"
        );
        match statement.db_backend {
            DbBackend::Sqlite => assert_sqlite_reads(database, statement, &text, Some(index)).await,
            _ => assert_postgres_reads(database, statement, &text, (Some(index), most)).await,
        }
    }
}

/// The event has few of the changes, which are spread over the log.
async fn assert_reads_history(database: &DatabaseConnection, after: &str) {
    for query in [String::new(), "kind=left,created".to_owned(), format!("after={after}")] {
        let changes = parse_history(&EVENT.to_string(), Parameters::parse(&query)).unwrap();
        let statement = statement(database.get_database_backend(), &changes);
        let rows = database.query_all_raw(statement.clone()).await.unwrap().len();
        assert!(rows <= CHANGES / CHANGES_PER_EVENT, "{query}: {rows}");
        match statement.db_backend {
            DbBackend::Sqlite => assert_sqlite_reads(database, statement, &query, Some("change_event")).await,
            _ => assert_postgres_reads(database, statement, &query, (Some("change_event"), CHANGES / CHANGES_PER_EVENT)).await,
        }
    }
}

/// Most changes are updates, as in a real log, and those of each provider are spread over it.
async fn insert_changes(catalogue: &CatalogueFixture) {
    let mut providers = Vec::new();
    for number in 0..PROVIDERS {
        providers.push(catalogue.insert_provider(&format!("p{number}"), "EUR", 2).await.id);
    }
    let row = |number: usize| change::Model {
        version: i64::try_from(number / CHANGES_PER_RELEASE).unwrap(),
        ordinal: i32::try_from(number % CHANGES_PER_RELEASE).unwrap(),
        at: UtcInstant(0),
        kind: if number.is_multiple_of(10) { ChangeKind::ALL[number / 10 % 9] } else { ChangeKind::Updated },
        provider_id: providers[number * 7_919 % PROVIDERS],
        event_id: if number.is_multiple_of(CHANGES_PER_EVENT) { EVENT } else { Uuid::from_u128(number as u128) },
        changed: r#"{"min_price":{"old":30.0,"new":25.0}}"#.to_owned(),
        states: None,
    };
    let rows: Vec<_> = (0..CHANGES).map(row).map(IntoActiveModel::into_active_model).collect();
    for rows in rows.chunks(2_000) {
        change::Entity::insert_many(rows.to_vec()).exec_without_returning(&catalogue.database).await.unwrap();
    }
    catalogue.database.execute_unprepared("ANALYZE").await.unwrap();
}

async fn assert_sqlite_reads(database: &DatabaseConnection, statement: Statement, query: &str, index: Option<&str>) {
    let steps = explain_sqlite(database, statement).await;
    let of_change: Vec<&String> = steps.iter().filter(|step| step.split(' ').nth(1) == Some("change")).collect();
    let index = format!("USING INDEX {}", index.unwrap_or("sqlite_autoindex_change_1"));
    assert!(!of_change.is_empty() && of_change.iter().all(|step| step.contains(&index)), "{query}: {steps:#?}");
    let is_bounded = of_change.iter().all(|step| step.starts_with("SEARCH "));
    assert!(is_bounded, "{query}: {steps:#?}");
    // Of the rows of the page at most.
    let sorts = steps.iter().filter(|step| step.contains("TEMP B-TREE")).count();
    assert!(sorts <= 1, "{query} sorts: {steps:#?}");
}

async fn assert_postgres_reads(
    database: &DatabaseConnection,
    statement: Statement,
    query: &str,
    (index, most): (Option<&str>, usize),
) {
    let plan = explain_postgres(database, statement).await;
    let of_change: Vec<_> = nodes(&plan).into_iter().filter(|node| node["Relation Name"] == "change").collect();
    let indexes: BTreeSet<&str> = of_change.iter().filter_map(|node| node["Index Name"].as_str()).collect();
    assert_eq!(indexes, BTreeSet::from([index.unwrap_or("change_pkey")]), "{query}: {plan:#}");
    let read: f64 =
        of_change.iter().map(|node| node["Actual Rows"].as_f64().unwrap() * node["Actual Loops"].as_f64().unwrap()).sum();
    assert!(read <= most as f64, "{query} reads {read} rows, at most {most}: {plan:#}");
}
