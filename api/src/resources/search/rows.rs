//! The statement of a search: a range scan of the index of shown events, in the order of the response, encoded row by row.

use entity::{EventStatus, UtcInstant, base_event, catalogue_version, event, provider};
use futures_util::TryStreamExt;
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    RelationTrait, Select,
    prelude::Uuid,
    sea_query::{Expr, Func, SimpleExpr, SubQueryStatement},
};
use tokio::task::consume_budget;

use super::{filters::SearchQuery, response::EventListWriter};
use crate::{
    cache::QueryOutput,
    database::sql::ReadConnection,
    error::ApiError,
    find::{PageReader, Sort, SortValue},
    query::{Cursor, Page, StatusFilter, TimeRange},
};

/// The capacity of the body is at most that of this many rows; it grows for more.
const EXPECTED_ROWS: u64 = 1_000;

/// The columns of an event that a search reads.
#[derive(Debug, FromQueryResult)]
pub(super) struct SearchRow {
    pub(super) id: Uuid,
    pub(super) title: String,
    pub(super) local_start: String,
    pub(super) local_end: Option<String>,
    pub(super) min_price: Option<i64>,
    pub(super) max_price: Option<i64>,
    pub(super) currency_digits: i16,
    starts_at: UtcInstant,
    version: i64,
    raised_at: UtcInstant,
}

/// Reads and encodes a page.
pub(super) async fn find(database: &impl ReadConnection, query: &SearchQuery) -> Result<QueryOutput, ApiError> {
    match query.filters.events.as_time_range() {
        Some((range, status)) => find_in_range(database, query, (&range, status)).await,
        None => find_filtered(database, query).await,
    }
}

/// Reads a page with any filters.
async fn find_filtered(database: &impl ReadConnection, query: &SearchQuery) -> Result<QueryOutput, ApiError> {
    let reader = PageReader { database, filters: &query.filters.events, ids: &[], sort: Sort::StartsAt };
    let after = query.page.after.as_ref().map(|cursor| (SortValue::Absent, cursor.sort_key.0, cursor.sort_key.1));
    let (page, snapshot) = reader.read(after, query.page.rows() + 1, None).await?;
    let (rows, link) = query.paginate(page.rows, |row| (row.view.starts_at.0, row.view.id));
    let mut list = EventListWriter::new(rows.len());
    for row in rows {
        list.push(row.view).map_err(ApiError::Encoding)?;
    }
    Ok(QueryOutput { snapshot, body: list.finish().into(), link })
}

/// Reads a page of a range of time, encoded row by row.
async fn find_in_range(
    database: &impl ReadConnection,
    query: &SearchQuery,
    (range, status): (&TimeRange, &StatusFilter),
) -> Result<QueryOutput, ApiError> {
    let limit = query.page.rows();
    let mut rows = select((range, status), &query.page).limit(limit + 1).into_model::<SearchRow>().stream(database).await?;
    let mut list = EventListWriter::new(usize::try_from(Ord::min(limit, EXPECTED_ROWS)).unwrap_or_default());
    let (mut snapshot, mut last, mut link) = (None, None, None);
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        if count == limit {
            link = last.and_then(|sort_key| query.next_link(sort_key));
            break;
        }
        snapshot = Some((row.version, row.raised_at));
        last = Some((row.starts_at.0, row.id));
        list.push(row).map_err(ApiError::Encoding)?;
        count += 1;
        // The driver may have all rows ready, and other requests wait for this thread.
        consume_budget().await;
    }
    Ok(QueryOutput { snapshot, body: list.finish().into(), link })
}

/// The statement without its limit.
#[must_use]
pub fn select((range, status): (&TimeRange, &StatusFilter), page: &Page<(i64, Uuid)>) -> Select<event::Entity> {
    let currency_digits = Func::coalesce([
        Expr::col((event::Entity, event::Column::CurrencyDigits)),
        Expr::col((provider::Entity, provider::Column::CurrencyDigits)),
    ]);
    let mut select = event::Entity::find()
        .select_only()
        .columns([
            event::Column::Id,
            event::Column::LocalStart,
            event::Column::LocalEnd,
            event::Column::MinPrice,
            event::Column::MaxPrice,
            event::Column::StartsAt,
        ])
        .column(base_event::Column::Title)
        .expr_as(currency_digits, "currency_digits")
        .expr_as(version_column(catalogue_version::Column::Version), "version")
        .expr_as(version_column(catalogue_version::Column::RaisedAt), "raised_at")
        .join(JoinType::InnerJoin, event::Relation::BaseEvent.def())
        .join(JoinType::InnerJoin, base_event::Relation::Provider.def())
        // The bare column, as in the index's condition: with `= ?` the planner cannot prove that the index applies.
        .filter(Expr::col((event::Entity, event::Column::Shown)))
        .filter(provider::COLUMN.loading_since.is_null())
        .order_by_asc(event::Column::StartsAt)
        .order_by_asc(event::Column::Id);
    select = match status {
        StatusFilter::NotCancelled => select.filter(event::Column::Status.ne(EventStatus::Cancelled)),
        StatusFilter::Any => select,
        StatusFilter::Of(statuses) => select.filter(event::Column::Status.is_in(statuses.iter().copied())),
    };
    if let Some(starts_at) = range.starts_at {
        select = select.filter(event::COLUMN.starts_at.gte(starts_at));
    }
    if let Some(ends_at) = range.ends_at {
        // No event ends before it starts, so the second condition follows from the first; it bounds the scan.
        select = select.filter(event::COLUMN.ends_at.lte(ends_at)).filter(event::COLUMN.starts_at.lte(ends_at));
    }
    if let Some(Cursor { sort_key: (starts_at, id), .. }) = page.after {
        select = select.filter(sort_key().gt(Expr::tuple([Expr::value(starts_at), Expr::value(id)])));
    }
    select
}

/// A column of the catalogue's version in the snapshot of the rows. Read by another statement, it could belong to other rows.
fn version_column(column: catalogue_version::Column) -> SimpleExpr {
    let row = catalogue_version::Entity::find_by_id(catalogue_version::ONLY_ROW).select_only().column(column).into_query();
    SimpleExpr::SubQuery(None, Box::new(SubQueryStatement::SelectStatement(row)))
}

fn sort_key() -> SimpleExpr {
    Expr::tuple([event::Column::StartsAt, event::Column::Id].map(|column| Expr::col((event::Entity, column))))
}
