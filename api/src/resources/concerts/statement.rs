//! The statement for concerts: a merge of sorted runs of one index.

use entity::EventStatus;
use sea_orm::{DbBackend, Statement, prelude::Uuid};

use super::{
    filters::{ConcertFilters, ConcertsQuery},
    sort::ConcertSort,
};
use crate::{
    database::sql::{Sql, VERSION_COLUMNS, is_loaded},
    find::Near,
    query::{Cursor, ListQuery, StatusFilter},
};

/// What is shown of a concert.
const COLUMNS: &str = "concert.starts_at, concert.event_id, concert.position, performer.name AS band, venue.name AS location, \
    venue.latitude, venue.longitude, base_event.title, event.min_price, event.status, \
    COALESCE(event.currency, provider.currency) AS currency, \
    COALESCE(event.currency_digits, provider.currency_digits) AS currency_digits";
/// The tables beside the concerts. CROSS JOIN fixes the order of SQLite's loops: it looks them up for each concert, whatever its statistics
/// say, and those of the conditions first.
const TABLES: &str = "venue CROSS JOIN performer CROSS JOIN event CROSS JOIN provider CROSS JOIN base_event";
const JOINED: &str = "venue.id = concert.venue_id AND performer.id = concert.performer_id AND event.id = concert.event_id \
    AND provider.id = performer.provider_id AND base_event.id = event.base_event_id";
/// Ten-thousandths in a minor unit, to compare prices of all currencies in one unit.
const UNITS_OF_PRICE: &str = "CASE COALESCE(event.currency_digits, provider.currency_digits) WHEN 0 THEN 10000 WHEN 1 THEN 1000 WHEN 2 THEN 100 WHEN 3 THEN 10 ELSE 1 END";

/// A sorted run of concerts: a range of one index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// All concerts of a performer.
    OfPerformer(Uuid),
    /// All concerts at a venue.
    AtVenue(Uuid),
    /// All concerts of a performer at a venue.
    OfPerformerAtVenue(Uuid, Uuid),
    /// This many of the first concerts in the order of the response.
    First(u64),
}

/// The statement that merges arms: the rows of a page and one more, in the order of the response, restricted to venues within `near`.
#[must_use]
pub fn statement(backend: DbBackend, query: &ConcertsQuery, arms: &[Arm], near: Option<&Near>) -> Statement {
    let ListQuery { filters: ConcertFilters { range, max_price, status, sort, .. }, page } = query;
    let mut sql = Sql::default();
    let mut in_range = String::from("venue_id IS NOT NULL");
    let mut conditions = vec![JOINED.to_owned()];
    if let Some(near) = near {
        conditions.push(near.condition(&mut sql));
        // The performers and venues of other arms were already restricted.
        conditions.push(is_loaded("venue"));
    }
    if let Some(starts_at) = range.starts_at {
        in_range += &format!(" AND starts_at >= {}", sql.bind(starts_at));
    }
    if let Some(ends_at) = range.ends_at {
        // No event ends before it starts, so this follows from the condition on its end; it bounds the runs.
        let ends_at = sql.bind(ends_at);
        in_range += &format!(" AND starts_at <= {ends_at}");
        conditions.push(format!("event.ends_at <= {ends_at}"));
    }
    if let Some(max_price) = max_price {
        let max_price = sql.bind(*max_price);
        conditions.push(format!("event.min_price * {UNITS_OF_PRICE} <= {max_price}"));
    }
    let statuses = list_statuses(status, &mut sql);
    conditions.extend(statuses.as_ref().map(|statuses| format!("event.status IN ({statuses})")));
    if let Some(Cursor { sort_key: (starts_at, event_id, position), .. }) = page.after {
        let [starts_at, event_id, position] = [sql.bind(starts_at), sql.bind(event_id), sql.bind(position)];
        let follows = sort.follows();
        in_range += &format!(" AND (starts_at, event_id, position) {follows} ({starts_at}, {event_id}, {position})");
    }
    let mut runs = Vec::new();
    for arm in pad(arms) {
        for flag in flags_of(status) {
            runs.push(build_run(backend, arm, (&format!("{flag} AND {in_range}"), *sort), &mut sql));
        }
    }
    let (mut concerts, limit) = (runs.join(" UNION ALL "), sql.bind(page.rows() + 1));
    // If the joins exclude no concert, only the rows of the page are joined.
    if near.is_none() && range.ends_at.is_none() && max_price.is_none() && statuses.is_none() {
        concerts += &format!(" {} LIMIT {limit}", order_by("", *sort));
    }
    let text = format!(
        "SELECT {COLUMNS}, {VERSION_COLUMNS} FROM ({concerts}) AS concert CROSS JOIN {TABLES} WHERE {} {} LIMIT {limit}",
        conditions.join(" AND "),
        order_by("concert.", *sort)
    );
    sql.statement(backend, text)
}

/// The columns that are true for concerts with these statuses. Each has its own indexes.
fn flags_of(status: &StatusFilter) -> &'static [&'static str] {
    match status {
        StatusFilter::NotCancelled => &["shown"],
        StatusFilter::Any => &["shown", "cancelled"],
        StatusFilter::Of(statuses) if !statuses.contains(&EventStatus::Cancelled) => &["shown"],
        StatusFilter::Of(statuses) if statuses.len() == 1 => &["cancelled"],
        StatusFilter::Of(_) => &["shown", "cancelled"],
    }
}

/// The statuses that events must be checked for, because no column is true for exactly these.
fn list_statuses(status: &StatusFilter, sql: &mut Sql) -> Option<String> {
    match status {
        StatusFilter::Of(statuses) if flags_of(status) != ["cancelled"] => {
            let names: Vec<String> = statuses.iter().map(|status| status.name().to_owned()).collect();
            Some(sql.bind_all(&names))
        }
        _ => None,
    }
}

/// Adds empty arms up to a power of two, so that the database sees few distinct statements and can cache their plans.
fn pad(arms: &[Arm]) -> Vec<Arm> {
    let empty = match arms.first() {
        Some(Arm::OfPerformerAtVenue(..)) => Arm::OfPerformerAtVenue(Uuid::nil(), Uuid::nil()),
        Some(Arm::AtVenue(_)) => Arm::AtVenue(Uuid::nil()),
        _ => Arm::OfPerformer(Uuid::nil()),
    };
    let mut padded = arms.to_vec();
    padded.resize(arms.len().next_power_of_two(), empty);
    padded
}

/// The order of the response and of each run.
fn order_by(table: &str, sort: ConcertSort) -> String {
    let direction = sort.direction();
    format!("ORDER BY {table}starts_at {direction}, {table}event_id {direction}, {table}position {direction}")
}

fn build_run(backend: DbBackend, arm: Arm, (in_range, sort): (&str, ConcertSort), sql: &mut Sql) -> String {
    let in_order = order_by("", sort);
    let mut run = format!("SELECT event_id, position, performer_id, venue_id, starts_at FROM event_performer WHERE {in_range}");
    run += &match arm {
        Arm::OfPerformer(performer) => format!(" AND performer_id = {}", sql.bind(performer)),
        Arm::AtVenue(venue) => format!(" AND venue_id = {}", sql.bind(venue)),
        Arm::OfPerformerAtVenue(performer, venue) => {
            format!(" AND performer_id = {} AND venue_id = {}", sql.bind(performer), sql.bind(venue))
        }
        // A subquery, because `ORDER BY` and `LIMIT` may not precede `UNION ALL`.
        Arm::First(count) => return format!("SELECT * FROM ({run} {in_order} LIMIT {}) AS first", sql.bind(count)),
    };
    // SQLite propagates the outer order to each run and rejects an inner one; PostgreSQL needs it in each run.
    if backend == DbBackend::Sqlite { run } else { format!("SELECT * FROM ({run} {in_order}) AS run") }
}
