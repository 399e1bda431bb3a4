//! Queries of the probe's data.

use entity::{
    begin_write, database_now, datum,
    job::{DatumJob, queue},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::filters::DataQuery;
use crate::error::ApiError;

/// Queued data. With more, the deployment is failing, and accepting them would hide it.
const MAX_QUEUED: u64 = 10_000;

/// Inserts a datum and queues its job in one transaction. Returns its id.
pub(super) async fn queue(database: &DatabaseConnection, data: String) -> Result<i64, ApiError> {
    let transaction = begin_write(database).await?;
    if datum::Entity::find().filter(datum::Column::ProcessedAt.is_null()).count(&transaction).await? >= MAX_QUEUED {
        transaction.rollback().await?;
        return Err(ApiError::QueueFull);
    }
    let accepted_at = Set(database_now(&transaction).await?);
    let datum = datum::ActiveModel { data: Set(data), accepted_at, ..Default::default() };
    let datum = datum.insert(&transaction).await?;
    queue::enqueue(&transaction, &DatumJob { id: datum.id }).await?;
    transaction.commit().await?;
    Ok(datum.id)
}

/// The text of the latest processed datum.
pub(super) async fn latest(database: &DatabaseConnection) -> Result<Option<String>, DbErr> {
    let latest = datum::Entity::find().filter(datum::Column::ProcessedAt.is_not_null()).order_by_desc(datum::Column::Id);
    Ok(latest.one(database).await?.map(|datum| datum.data))
}

/// The data of a page and one more, newest first.
pub(super) async fn data(database: &DatabaseConnection, query: &DataQuery) -> Result<Vec<datum::Model>, DbErr> {
    let mut select = datum::Entity::find().order_by_desc(datum::Column::Id);
    if let Some(after) = query.page.after {
        select = select.filter(datum::COLUMN.id.lt(after.sort_key));
    }
    select.limit(query.page.rows() + 1).all(database).await
}
