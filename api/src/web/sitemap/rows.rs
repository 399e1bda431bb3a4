//! The rows of sitemaps: upcoming events, and the venues and performers that have any.

use entity::UtcInstant;
use sea_orm::{ConnectionTrait, FromQueryResult, prelude::Uuid};

use super::part::{SitemapKind, SitemapPart};
use crate::{
    database::sql::{ReadConnection, Sql, is_loaded, read_rows},
    error::ApiError,
    resources::{item::Item, performers::PerformerItem, venues::VenueItem},
};

/// Rows are counted in one of 64 parts: of two million rows it has 31,000, give or take 200.
const SAMPLE_BITS: u8 = 6;

/// An event, a venue or a performer.
#[derive(Debug, FromQueryResult)]
pub(super) struct SitemapRow {
    pub(super) id: Uuid,
    /// When it changed last, if that is known.
    pub(super) updated_at: Option<UtcInstant>,
}

#[derive(Debug, FromQueryResult)]
struct CountRow {
    count: i64,
}

/// The rows of a part in the order of their ids, from the first one after `after`.
pub(super) async fn read(
    database: &impl ReadConnection,
    part: SitemapPart,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<SitemapRow>, ApiError> {
    let (table, key) = table_of(part.kind);
    let updated_at = if part.kind == SitemapKind::Events { "listing.updated_at" } else { "CAST(NULL AS BIGINT)" };
    let (mut sql, backend) = (Sql::default(), ConnectionTrait::get_database_backend(database));
    let condition = condition(part, after, &mut sql);
    let text = format!(
        "SELECT {table}.{key} AS id, {updated_at} AS updated_at FROM {table} WHERE {condition} ORDER BY {table}.{key} LIMIT {limit}"
    );
    Ok(read_rows(database, sql.statement(backend, text)).await?)
}

/// About how many rows a kind has.
pub(super) async fn estimate(database: &impl ReadConnection, kind: SitemapKind) -> Result<u64, ApiError> {
    Ok(count(database, SitemapPart::first(kind, SAMPLE_BITS)).await? << SAMPLE_BITS)
}

/// The number of rows of a part.
async fn count(database: &impl ReadConnection, part: SitemapPart) -> Result<u64, ApiError> {
    let (table, _) = table_of(part.kind);
    let (mut sql, backend) = (Sql::default(), ConnectionTrait::get_database_backend(database));
    let text = format!("SELECT COUNT(*) AS count FROM {table} WHERE {}", condition(part, None, &mut sql));
    let rows: Vec<CountRow> = read_rows(database, sql.statement(backend, text)).await?;
    Ok(rows.first().and_then(|row| u64::try_from(row.count).ok()).unwrap_or_default())
}

fn table_of(kind: SitemapKind) -> (&'static str, &'static str) {
    match kind {
        SitemapKind::Events => ("listing", "event_id"),
        SitemapKind::Venues => ("venue", "id"),
        SitemapKind::Performers => ("performer", "id"),
    }
}

/// The condition that a row is in the part, and has an upcoming event if it is none.
fn condition(part: SitemapPart, after: Option<Uuid>, sql: &mut Sql) -> String {
    let (table, key) = table_of(part.kind);
    let (first, last) = part.range();
    let begin = match after {
        Some(after) => format!("> {}", sql.bind(after)),
        None => format!(">= {}", sql.bind(first)),
    };
    let (end, is_loaded) = (sql.bind(last), is_loaded(table));
    let is_upcoming = match part.kind {
        SitemapKind::Events => "listing.upcoming = TRUE".to_owned(),
        SitemapKind::Venues => has_upcoming_event::<VenueItem>(),
        SitemapKind::Performers => has_upcoming_event::<PerformerItem>(),
    };
    format!("{table}.{key} {begin} AND {table}.{key} <= {end} AND {is_loaded} AND {is_upcoming}")
}

/// A scalar, which is read for each row by an index. The database could turn `EXISTS` into a join with all events.
fn has_upcoming_event<I: Item>() -> String {
    let (tables, of_item) = I::EVENTS;
    format!("(SELECT 1 FROM {tables} WHERE {of_item} AND listing.upcoming = TRUE LIMIT 1) IS NOT NULL")
}
