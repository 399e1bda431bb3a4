//! What is read of batches.

use entity::rate_batch;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    error::ApiError,
    query::{Cursor, Page, Parameters, ValidationErrors},
};

/// The list has no filters.
const LIST: &str = "rate-batches";

/// Reads the query string of the list.
pub(super) fn page(query: &str) -> Result<Page<i64>, ApiError> {
    let mut errors = ValidationErrors::default();
    let parameters = Parameters::read(query, &["limit", "cursor"], &mut errors);
    let page = Page::read(&parameters, LIST, &mut errors);
    errors.or(page)
}

/// Reads the number of a batch.
pub(super) fn batch_id(text: &str) -> Result<i64, ApiError> {
    text.parse().map_err(|_| ApiError::parameter("id", "want the number of a batch"))
}

/// A page of batches, newest first, and the place behind it if there are more.
pub(super) async fn batches(
    database: &DatabaseConnection,
    page: &Page<i64>,
) -> Result<(Vec<rate_batch::Model>, Option<Cursor<i64>>), DbErr> {
    let mut select =
        rate_batch::Entity::find().filter(rate_batch::Column::TakenBackAt.is_null()).order_by_desc(rate_batch::Column::Id);
    if let Some(after) = page.after {
        select = select.filter(rate_batch::COLUMN.id.lt(after.place));
    }
    let rows = select.limit(page.rows() + 1).all(database).await?;
    Ok(page.cut(rows, LIST, |batch| batch.id))
}

/// One batch.
pub(super) async fn batch(database: &DatabaseConnection, id: i64) -> Result<Option<rate_batch::Model>, DbErr> {
    rate_batch::Entity::find_by_id(id).filter(rate_batch::Column::TakenBackAt.is_null()).one(database).await
}
