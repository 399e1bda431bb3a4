//! The one query of a search: a range scan of the index of shown events, in the order of the answer.

use entity::{UtcInstant, base_event, event, provider};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, ExprTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder,
    QuerySelect, RelationTrait, Select,
    prelude::Uuid,
    sea_query::{Expr, SimpleExpr},
};

use super::request::SearchRequest;
use crate::http::Cursor;

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
}

/// The rows of a page, and the place behind the last of them if there are more.
pub(super) async fn find(
    database: &DatabaseConnection,
    search: &SearchRequest,
) -> Result<(Vec<SearchRow>, Option<Cursor>), DbErr> {
    let rows = select(search).limit(search.page.rows() + 1).into_model().all(database).await?;
    Ok(search.page.cut(rows, &search.key(), |row: &SearchRow| (row.starts_at.0, row.id)))
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
        .join(JoinType::InnerJoin, event::Relation::BaseEvent.def())
        .join(JoinType::InnerJoin, base_event::Relation::Provider.def())
        // The bare column, as the index has it: with `= ?` no planner could tell that the index fits.
        .filter(Expr::col((event::Entity, event::Column::Shown)))
        .order_by_asc(event::Column::StartsAt)
        .order_by_asc(event::Column::Id);
    if let Some(starts_at) = search.starts_at {
        select = select.filter(event::COLUMN.starts_at.gte(starts_at));
    }
    if let Some(ends_at) = search.ends_at {
        // No event ends before it starts, so the second condition follows from the first; it is what ends the scan.
        select = select.filter(event::COLUMN.ends_at.lte(ends_at)).filter(event::COLUMN.starts_at.lte(ends_at));
    }
    if let Some(Cursor { key, id, .. }) = search.page.after {
        select = select.filter(key_of_row().gt(Expr::tuple([Expr::value(key), Expr::value(id)])));
    }
    select
}

fn key_of_row() -> SimpleExpr {
    Expr::tuple([event::Column::StartsAt, event::Column::Id].map(|column| Expr::col((event::Entity, column))))
}
