//! The one query of a search: a range scan of the index of shown events, in the order of the answer, written into the answer row by
//! row.

use entity::{UtcInstant, base_event, catalogue_version, event, provider};
use futures_util::TryStreamExt;
use sea_orm::{
    ColumnTrait, DatabaseConnection, EntityTrait, ExprTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, RelationTrait, Select,
    prelude::Uuid,
    sea_query::{Expr, SimpleExpr, SubQueryStatement},
};

use super::{answer::SearchWriter, request::SearchRequest};
use crate::{
    cache::Found,
    error::ApiError,
    query::{Cursor, next_link},
};

/// Room is made at once for so many rows; for more it grows.
const EXPECTED_ROWS: u64 = 1_000;

/// What a search reads of an event.
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

/// The encoded page, and the link to what follows it.
pub(super) async fn find(database: &DatabaseConnection, search: &SearchRequest) -> Result<Found, ApiError> {
    let wanted = search.page.rows();
    let mut rows = select(search).limit(wanted + 1).into_model::<SearchRow>().stream(database).await?;
    let mut answer = SearchWriter::new(usize::try_from(Ord::min(wanted, EXPECTED_ROWS)).unwrap_or_default());
    let (mut snapshot, mut last, mut link) = (None, None, None);
    let mut written = 0;
    while let Some(row) = rows.try_next().await? {
        if written == wanted {
            // One more than wanted: there is a next page.
            link = last.map(|place| {
                let cursor = Cursor::behind(place, &search.filter_key());
                next_link("/search", &search.filters(), search.page.limit, &cursor)
            });
            break;
        }
        snapshot = Some((row.version, row.raised_at));
        last = Some((row.starts_at.0, row.id));
        answer.push(row).map_err(ApiError::Encoding)?;
        written += 1;
    }
    Ok(Found::page(snapshot, answer.end(), link))
}

/// The query without its limit.
#[must_use]
pub fn select(search: &SearchRequest) -> Select<event::Entity> {
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
        .column(provider::Column::CurrencyDigits)
        .expr_as(of_version(catalogue_version::Column::Version), "version")
        .expr_as(of_version(catalogue_version::Column::RaisedAt), "raised_at")
        .join(JoinType::InnerJoin, event::Relation::BaseEvent.def())
        .join(JoinType::InnerJoin, base_event::Relation::Provider.def())
        // The bare column, as the index has it: with `= ?` no planner could tell that the index fits.
        .filter(Expr::col((event::Entity, event::Column::Shown)))
        .order_by_asc(event::Column::StartsAt)
        .order_by_asc(event::Column::Id);
    if let Some(starts_at) = search.range.starts_at {
        select = select.filter(event::COLUMN.starts_at.gte(starts_at));
    }
    if let Some(ends_at) = search.range.ends_at {
        // No event ends before it starts, so the second condition follows from the first; it is what ends the scan.
        select = select.filter(event::COLUMN.ends_at.lte(ends_at)).filter(event::COLUMN.starts_at.lte(ends_at));
    }
    if let Some(Cursor { place: (key, id), .. }) = search.page.after {
        select = select.filter(key_of_row().gt(Expr::tuple([Expr::value(key), Expr::value(id)])));
    }
    select
}

/// What the snapshot of the rows says of the catalogue's version: read at another time it might belong to other rows.
fn of_version(column: catalogue_version::Column) -> SimpleExpr {
    let row = catalogue_version::Entity::find_by_id(catalogue_version::ONLY_ROW).select_only().column(column).into_query();
    SimpleExpr::SubQuery(None, Box::new(SubQueryStatement::SelectStatement(row)))
}

fn key_of_row() -> SimpleExpr {
    Expr::tuple([event::Column::StartsAt, event::Column::Id].map(|column| Expr::col((event::Entity, column))))
}
