//! Queries of batches.

use entity::rate_batch;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::filters::BatchesQuery;

/// The batches of a page and one more, newest first.
pub(super) async fn batches(database: &DatabaseConnection, query: &BatchesQuery) -> Result<Vec<rate_batch::Model>, DbErr> {
    let mut select =
        rate_batch::Entity::find().filter(rate_batch::Column::TakenBackAt.is_null()).order_by_desc(rate_batch::Column::Id);
    if let Some(after) = query.page.after {
        select = select.filter(rate_batch::COLUMN.id.lt(after.sort_key));
    }
    select.limit(query.page.rows() + 1).all(database).await
}

/// A batch that was not deleted.
pub(super) async fn batch(database: &DatabaseConnection, id: i64) -> Result<Option<rate_batch::Model>, DbErr> {
    rate_batch::Entity::find_by_id(id).filter(rate_batch::Column::TakenBackAt.is_null()).one(database).await
}
