//! What is written and read of data.

use entity::{
    UtcInstant, begin_write, datum,
    job::{DatumJob, queue},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use crate::{
    error::ApiError,
    query::{Cursor, Page, Parameters, ValidationErrors},
};

/// Data that may wait for a worker: with more the deployment is not well, and taking them would hide it.
const MAX_WAITING: u64 = 10_000;
/// The list has no filters.
const LIST: &str = "zzz";

/// Accepts a datum, and queues it in the same transaction.
pub(super) async fn queue(database: &DatabaseConnection, data: String) -> Result<(), ApiError> {
    let transaction = begin_write(database).await?;
    if datum::Entity::find().filter(datum::Column::ProcessedAt.is_null()).count(&transaction).await? >= MAX_WAITING {
        transaction.rollback().await?;
        return Err(ApiError::QueueFull);
    }
    let datum = datum::ActiveModel { data: Set(data), accepted_at: Set(UtcInstant::now()), ..Default::default() };
    let datum = datum.insert(&transaction).await?;
    queue::enqueue(&transaction, &DatumJob { id: datum.id }).await?;
    transaction.commit().await?;
    Ok(())
}

/// What the latest processed datum says.
pub(super) async fn latest(database: &DatabaseConnection) -> Result<Option<String>, DbErr> {
    let latest = datum::Entity::find().filter(datum::Column::ProcessedAt.is_not_null()).order_by_desc(datum::Column::Id);
    Ok(latest.one(database).await?.map(|datum| datum.data))
}

/// Reads the query string of the list.
pub(super) fn page(query: &str) -> Result<Page<i64>, ApiError> {
    let mut errors = ValidationErrors::default();
    let parameters = Parameters::read(query, &["limit", "cursor"], &mut errors);
    let page = Page::read(&parameters, LIST, &mut errors);
    errors.or(page)
}

/// A page of data, newest first, and the place behind it if there are more.
pub(super) async fn data(
    database: &DatabaseConnection,
    page: &Page<i64>,
) -> Result<(Vec<datum::Model>, Option<Cursor<i64>>), DbErr> {
    let mut select = datum::Entity::find().order_by_desc(datum::Column::Id);
    if let Some(after) = page.after {
        select = select.filter(datum::COLUMN.id.lt(after.place));
    }
    let rows = select.limit(page.rows() + 1).all(database).await?;
    Ok(page.cut(rows, LIST, |datum| datum.id))
}
