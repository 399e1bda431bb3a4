//! The statement for changes: a merge of sorted ranges of one index.

use std::iter::repeat_n;

use sea_orm::{DbBackend, Statement};

use super::ChangesQuery;
use crate::{
    change::ChangeKind,
    sql::{Sql, is_loaded},
    takedown::{NO_FIELDS, ONLY_LEFT},
};

/// The order of the log.
const IN_ORDER: &str = "ORDER BY version, ordinal";
const COLUMNS: &str = "version, ordinal, at, kind, provider_id, event_id";
const NO_CHANGED: &str = "CAST('{}' AS TEXT) AS changed";
const NO_STATES: &str = "CAST(NULL AS TEXT) AS states";
/// Before all changes.
const START: (i64, i32) = (-1, 0);

/// The changes with one value of a column, which an index contains in their order.
struct Range {
    column: &'static str,
    value: String,
    /// A condition on other columns.
    condition: String,
}

/// The statement for the rows of a page and one more.
#[must_use]
pub fn statement(backend: DbBackend, query: &ChangesQuery) -> Statement {
    let mut sql = Sql::default();
    let (version, ordinal) = query.after.as_ref().map_or(START, |cursor| (cursor.sort_key.version, cursor.sort_key.ordinal));
    let position = format!("{}, {}", sql.bind(version), sql.bind(ordinal));
    let limit = sql.bind(query.examined() + 1);
    let changed = if query.has_fields { "changed" } else { NO_CHANGED };
    let columns = format!("{COLUMNS}, {changed}, {}", if query.has_states { "states" } else { NO_STATES });
    // That an event has left is visible also while a purge hides its provider: a position may be after it when the purge ends.
    let left = ChangeKind::Left.name();
    let is_visible = format!("({} OR kind = '{left}' AND changed IN ('{NO_FIELDS}', '{ONLY_LEFT}'))", is_loaded("change"));
    let build = |range: Range| {
        let Range { column, value, condition } = range;
        let select = format!("SELECT {columns} FROM change WHERE {is_visible}{condition}");
        // SQLite propagates the outer order to each range. PostgreSQL may prefer the whole log to the index of a column, which takes
        // forever for a value that is rarer than the average: this order excludes that.
        match backend {
            DbBackend::Sqlite => format!("{select} AND {column} = {value} AND (version, ordinal) > ({position})"),
            _ => format!(
                "SELECT * FROM ({select} AND ({column}, version, ordinal) > ({value}, {position}) AND {column} <= {value} \
                 ORDER BY {column}, version, ordinal LIMIT {limit}) AS range"
            ),
        }
    };
    let ranges: Vec<String> = list_ranges(query, &mut sql).into_iter().map(build).collect();
    let changes = if ranges.is_empty() {
        format!("SELECT {columns} FROM change WHERE {is_visible} AND (version, ordinal) > ({position})")
    } else {
        ranges.join(" UNION ALL ")
    };
    let provider = "(SELECT slug FROM provider WHERE provider.id = page.provider_id) AS provider";
    let text = format!(
        "SELECT version, ordinal, at, kind, event_id, changed, states, {provider} FROM ({changes} {IN_ORDER} LIMIT {limit}) AS page {IN_ORDER}"
    );
    sql.statement(backend, text)
}

/// A range for the event, or else for each provider, or else for each kind; none if all changes are selected.
fn list_ranges(query: &ChangesQuery, sql: &mut Sql) -> Vec<Range> {
    let kinds: Vec<&str> = query.kinds.iter().map(|kind| kind.name()).collect();
    if let Some(event) = query.event {
        return vec![Range { column: "event_id", value: sql.bind(event), condition: condition_of(&kinds, sql) }];
    }
    if query.providers.is_empty() {
        let of_kind = |kind| Range { column: "kind", value: sql.bind(kind), condition: String::new() };
        return kinds.into_iter().map(of_kind).collect();
    }
    let condition = condition_of(&kinds, sql);
    // No provider has an empty slug. With a power of two, the database sees few distinct statements and can cache their plans.
    let missing = query.providers.len().next_power_of_two() - query.providers.len();
    let slugs = query.providers.iter().map(String::as_str).chain(repeat_n("", missing));
    let of_provider = |slug| Range {
        column: "provider_id",
        value: format!("(SELECT id FROM provider WHERE slug = {})", sql.bind(slug)),
        condition: condition.clone(),
    };
    slugs.map(of_provider).collect()
}

fn condition_of(kinds: &[&str], sql: &mut Sql) -> String {
    if kinds.is_empty() { String::new() } else { format!(" AND kind IN ({})", sql.bind_all(kinds)) }
}
