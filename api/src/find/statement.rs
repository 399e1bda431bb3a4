//! The statements that find a page of events, from `listing` and what is joined with it.

use entity::UtcInstant;
use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

use super::{
    availability_filter::now_of_backend,
    conditions::Conditions,
    filters::EventFilters,
    plan::{MAX_PROBED, MAX_SORTED, Plan, Source},
    resolve::Resolved,
    rows::COLUMNS,
    sort::{Sort, SortKey, SortValue},
    when::{RangeKind, When},
};
use crate::database::sql::{Sql, VERSION_COLUMNS, pad};

/// What a statement finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) filters: &'a EventFilters,
    pub(super) resolved: &'a Resolved,
    pub(super) ids: &'a [Uuid],
    pub(super) sort: Sort,
    /// Only those with a price, or without one. A list by price has two parts.
    pub(super) has_price: Option<bool>,
    /// Whether all are upcoming, so that those that are not need not be read.
    pub(super) are_upcoming: bool,
    /// Only those that start between these instants.
    pub(super) starts: Option<(UtcInstant, UtcInstant)>,
    pub(super) columns: Columns<'a>,
}

/// What is read of each event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<'a> {
    pub(super) text: &'a str,
    /// Whether there are columns of `event`.
    pub(super) of_event: bool,
}

/// What is read of the events of a page, before it is known which they are.
pub(super) const SORTED_BY: Columns<'_> = Columns {
    text: "listing.event_id, listing.starts_at, listing.min_price, listing.updated_at, listing.first_seen_at",
    of_event: false,
};

/// How a list is sorted: columns of `listing`, all in one direction.
pub(super) struct Order {
    columns: &'static [&'static str],
    is_descending: bool,
}

impl Order {
    fn of(found: &Found<'_>) -> Self {
        let by_start: &[&str] = &["starts_at", "event_id"];
        let has_price = found.has_price == Some(true);
        let (columns, is_descending): (&[&str], bool) = match found.sort {
            Sort::StartsAt | Sort::Relevance => (by_start, false),
            Sort::StartsAtDescending => (by_start, true),
            Sort::Price if has_price => (&["min_price", "starts_at", "event_id"], false),
            Sort::PriceDescending if has_price => (&["min_price", "starts_at", "event_id"], true),
            Sort::Price => (by_start, false),
            Sort::PriceDescending => (by_start, true),
            Sort::Distance => (&["chord", "starts_at", "event_id"], false),
            Sort::UpdatedAtDescending => (&["updated_at", "event_id"], true),
            Sort::FirstSeenAtDescending => (&["first_seen_at", "event_id"], true),
        };
        Self { columns, is_descending }
    }

    fn clause(&self, table: &str) -> String {
        let direction = if self.is_descending { " DESC" } else { "" };
        let columns: Vec<String> = self.columns.iter().map(|column| format!("{table}.{column}{direction}")).collect();
        columns.join(", ")
    }

    /// The condition that a row follows a position.
    fn after(&self, table: &str, (value, starts_at, id): SortKey, sql: &mut Sql) -> String {
        let columns: Vec<String> = self.columns.iter().map(|column| format!("{table}.{column}")).collect();
        let bounds: Vec<String> = self
            .columns
            .iter()
            .map(|column| match *column {
                "starts_at" => sql.bind(starts_at),
                "event_id" => sql.bind(id),
                _ => match value {
                    SortValue::Integer(value) => sql.bind(value),
                    SortValue::Float(value) => sql.bind(value),
                    SortValue::Absent => sql.bind(None::<i64>),
                },
            })
            .collect();
        let operator = if self.is_descending { "<" } else { ">" };
        format!("({}) {operator} ({})", columns.join(", "), bounds.join(", "))
    }
}

/// The statement for a page of at most `limit` rows.
pub(super) fn page(backend: DbBackend, found: &Found<'_>, plan: &Plan, after: Option<SortKey>, limit: u64) -> Statement {
    let mut sql = Sql::default();
    let order = Order::of(found);
    let (with, rows, count) = match plan {
        Plan::InOrder(source) => {
            let ranges = ranges(backend, found, source, Some((&order, after)), &mut sql);
            (String::new(), format!("SELECT * FROM ({ranges}) AS listing"), "CAST(0 AS BIGINT)".to_owned())
        }
        Plan::Sorted(source) => {
            let ranges = ranges(backend, found, source, None, &mut sql);
            let after = after.map(|after| format!(" WHERE {}", order.after("listing", after, &mut sql))).unwrap_or_default();
            let in_order = index_order(source);
            let with = format!("WITH candidate AS MATERIALIZED ({ranges}{in_order} LIMIT {}) ", MAX_SORTED + 1);
            (with, format!("SELECT * FROM candidate AS listing{after}"), "(SELECT COUNT(*) FROM candidate)".to_owned())
        }
    };
    let (in_page, in_order) = (order.clause("listing"), order.clause("page"));
    let limit = sql.bind(limit);
    let text = format!("{with}{}", with_details(backend, &format!("{rows} ORDER BY {in_page} LIMIT {limit}"), &count, &in_order));
    sql.statement(backend, text)
}

/// The statement for a page of the first [`MAX_PROBED`] events of a source in the order of the list. A full page has the events of
/// [`Plan::InOrder`]; one that is not may lack some.
pub(super) fn probe(backend: DbBackend, found: &Found<'_>, source: &Source, after: Option<SortKey>, limit: u64) -> Statement {
    let mut sql = Sql::default();
    let order = Order::of(found);
    let clause = order.clause("listing");
    let bounds = bounds(found, (&order, after), &mut sql);
    let ranges: Vec<String> = conditions_of(found, source, found.sort.is_by_start(), &mut sql)
        .iter()
        .map(|range| format!("SELECT * FROM (SELECT * FROM listing WHERE {range}{bounds} ORDER BY {clause}) AS listing"))
        .collect();
    let ranges = ranges.join(" UNION ALL ");
    let probed = format!("(SELECT * FROM ({ranges}) AS listing ORDER BY {clause} LIMIT {MAX_PROBED}) AS listing");
    let Selected { columns, tables, conditions } = select(backend, found, source, &mut sql);
    let tables = tables.replacen("listing", &probed, 1);
    let limit = sql.bind(limit);
    let rows = format!("SELECT {columns} FROM {tables} WHERE {conditions} ORDER BY {clause} LIMIT {limit}");
    sql.statement(backend, with_details(backend, &rows, "CAST(0 AS BIGINT)", &order.clause("page")))
}

/// The conditions by which a range of an index is in the order of the list, and begins and ends where the list does. Each begins with `AND`.
fn bounds(found: &Found<'_>, (order, after): (&Order, Option<SortKey>), sql: &mut Sql) -> String {
    let mut bounds = String::new();
    if found.sort.is_by_start()
        && let When::Between(between) = found.filters.when()
    {
        let (first, last) = between.instants();
        if let Some(first) = first.filter(|_| between.kind != RangeKind::Overlaps) {
            bounds += &format!(" AND listing.starts_at >= {}", sql.bind(first));
        }
        if let Some(last) = last {
            bounds += &format!(" AND listing.starts_at <= {}", sql.bind(last));
        }
    }
    if found.has_price == Some(true) {
        if let Some((currency, _)) = &found.resolved.currency {
            bounds += &format!(" AND listing.currency = {}", sql.bind(currency.clone()));
        }
        bounds += " AND listing.min_price IS NOT NULL";
    }
    if let Some(after) = after {
        bounds += &format!(" AND {}", order.after("listing", after, sql));
    }
    bounds
}

/// A page of rows, with the details of each event.
fn with_details(backend: DbBackend, rows: &str, count: &str, order: &str) -> String {
    let (now, performers) = (now_of_backend(backend), performers(backend));
    format!(
        "SELECT {COLUMNS}, {performers} AS performers, {now} AS now, {count} AS candidates, {VERSION_COLUMNS} \
         FROM ({rows}) AS page CROSS JOIN event CROSS JOIN base_event CROSS JOIN provider \
         LEFT JOIN venue ON venue.id = event.venue_id \
         WHERE event.id = page.event_id AND base_event.id = event.base_event_id AND provider.id = base_event.provider_id \
         ORDER BY {order}"
    )
}

/// The statement for the number of events of a plan, up to a maximum.
pub(super) fn count(backend: DbBackend, found: &Found<'_>, plan: &Plan, max: u64) -> Statement {
    let mut sql = Sql::default();
    let (Plan::InOrder(source) | Plan::Sorted(source)) = plan;
    let ranges = ranges(backend, found, source, None, &mut sql);
    let text = format!("SELECT COUNT(*) AS count, {VERSION_COLUMNS} FROM ({ranges} LIMIT {max}) AS listing");
    sql.statement(backend, text)
}

/// An order that makes the databases read the index of a range, whatever they expect of its bounds.
fn index_order(source: &Source) -> &'static str {
    match source {
        Source::Prices => " ORDER BY listing.min_price",
        Source::Updated => " ORDER BY listing.updated_at",
        _ => "",
    }
}

/// What is selected from the tables of a list.
struct Selected {
    columns: String,
    /// They begin with `listing`.
    tables: String,
    conditions: String,
}

/// The filters, except for the ranges of the source and for the position.
fn select(backend: DbBackend, found: &Found<'_>, source: &Source, sql: &mut Sql) -> Selected {
    let now = now_of_backend(backend);
    let mut conditions = Conditions::of(found.filters, found.resolved, (backend, now), sql);
    let chord = found.filters.near.as_ref().map(|near| near.chord_squared(sql));
    if chord.is_some() {
        conditions.require_venue();
    }
    if found.columns.of_event {
        conditions.require_event();
    }
    let chord = chord.unwrap_or_else(|| "CAST(0 AS DOUBLE PRECISION)".to_owned());
    let (tables, joined) = conditions.joins();
    let mut common = conditions.texts;
    common.extend(joined);
    match found.has_price {
        Some(true) => common.push("listing.min_price IS NOT NULL".to_owned()),
        Some(false) => common.push("listing.min_price IS NULL".to_owned()),
        None => {}
    }
    if let Some(documents) = &found.resolved.documents {
        common.push(match source {
            Source::Words => documents.select(backend, sql),
            _ if documents.are_few() => format!("listing.show_text_id IN ({})", sql.bind_all(&documents.ids)),
            _ => documents.condition(backend, sql),
        });
    }
    if !found.ids.is_empty() {
        let ids = sql.bind_all(found.ids);
        common.push(format!(
            "listing.event_id IN (SELECT id FROM event WHERE id IN ({ids}) UNION SELECT target FROM alias WHERE id IN ({ids}))"
        ));
    }
    if let Some((first, last)) = found.starts {
        common.push(format!("listing.starts_at BETWEEN {} AND {}", sql.bind(first), sql.bind(last)));
    }
    Selected { columns: format!("{}, {chord} AS chord", found.columns.text), tables, conditions: common.join(" AND ") }
}

/// The union of the ranges of a source, each in an order if there is one.
pub(super) fn ranges(
    backend: DbBackend,
    found: &Found<'_>,
    source: &Source,
    order: Option<(&Order, Option<SortKey>)>,
    sql: &mut Sql,
) -> String {
    let Selected { columns, tables, mut conditions } = select(backend, found, source, sql);
    if let Some((order, Some(after))) = order {
        conditions += &format!(" AND {}", order.after("listing", after, sql));
    }
    let is_by_start = order.is_none() || found.sort.is_by_start();
    // If there are few countries, SQLite would read the dates of each, and sort.
    let index =
        if backend == DbBackend::Sqlite && is_by_start && *source == Source::All { " INDEXED BY listing_by_start" } else { "" };
    let tables = tables.replacen("listing", &format!("listing{index}"), 1);
    let in_order = order.map(|(order, _)| format!(" ORDER BY {}", order.clause("listing"))).unwrap_or_default();
    let range = |range: &str| {
        let run = format!("SELECT {columns} FROM {tables} WHERE {range} AND {conditions}");
        // SQLite propagates the outer order to each run and rejects an inner one; PostgreSQL needs it in each run.
        if backend == DbBackend::Sqlite || in_order.is_empty() {
            run
        } else {
            format!("SELECT * FROM ({run}{in_order}) AS listing")
        }
    };
    let runs: Vec<String> = conditions_of(found, source, is_by_start, sql).iter().map(|condition| range(condition)).collect();
    runs.join(" UNION ALL ")
}

/// The conditions of the ranges of a source.
fn conditions_of(found: &Found<'_>, source: &Source, is_by_start: bool, sql: &mut Sql) -> Vec<String> {
    // Indexes in the order of the starts have this column before it; others contain only upcoming events, and SQLite uses them only for
    // the condition with which they were created.
    let has_column = is_by_start && matches!(source, Source::All | Source::Values(..));
    let flags: &[&str] = match (found.are_upcoming, found.filters.have_left()) {
        (true, _) if has_column => &["listing.upcoming = TRUE"],
        (true, _) => &["listing.upcoming"],
        (false, true) => &["listing.upcoming = FALSE"],
        (false, false) if has_column => &["listing.upcoming = TRUE", "listing.upcoming = FALSE"],
        (false, false) => &["TRUE"],
    };
    let values: Vec<String> = match source {
        Source::Values(column, values) => pad(values.clone())
            .into_iter()
            .enumerate()
            .map(|(index, value)| range_of(column, (index, values.len()), value, sql))
            .collect(),
        // Their conditions are those of the filters.
        _ => vec!["TRUE".to_owned()],
    };
    flags.iter().flat_map(|flag| values.iter().map(move |value| format!("{value} AND {flag}"))).collect()
}

/// The condition of a range. Ranges beyond the number of values are empty: they only keep the number of statements small.
fn range_of(column: &str, (index, count): (usize, usize), value: Value, sql: &mut Sql) -> String {
    let value = sql.bind(value);
    if index < count { format!("listing.{column} = {value}") } else { format!("listing.{column} = {value} AND FALSE") }
}

/// The performers of an event as a JSON array of `[id, source_id, name]`.
fn performers(backend: DbBackend) -> String {
    let (aggregate, id) = match backend {
        DbBackend::Postgres => ("json_agg(json_build_array", "performer.id"),
        _ => ("json_group_array(json_array", "lower(hex(performer.id))"),
    };
    let text = format!(
        "(SELECT {aggregate}({id}, performer.source_id, performer.name) ORDER BY event_performer.position) \
         FROM event_performer CROSS JOIN performer \
         WHERE event_performer.event_id = event.id AND performer.id = event_performer.performer_id)"
    );
    if backend == DbBackend::Postgres { format!("CAST({text} AS TEXT)") } else { text }
}
