//! Deletes a batch. Afterwards the sums are as if it had never been imported; only its idempotency key remains.

use entity::{
    database_now, rate, rate_batch,
    release::{self, Cause},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use crate::{
    BatchLimits,
    commit::{Sign, configure, update_sums},
};

/// Deletes a batch as a whole and returns it; `None` if it does not exist or was deleted before.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete_batch(database: &DatabaseConnection, batch_id: i64) -> Result<Option<rate_batch::Model>, DbErr> {
    let transaction = entity::begin_write(database).await?;
    // The batch may be as large as a file.
    configure(&transaction, &BatchLimits::FILE).await?;
    let batch = rate_batch::Entity::find_by_id(batch_id).lock_exclusive().one(&transaction).await?;
    let Some(batch) = batch.filter(|batch| batch.taken_back_at.is_none()) else {
        transaction.rollback().await?;
        return Ok(None);
    };
    // Sums of 0 remain: the corrected batch usually has prices for the same routes and days.
    update_sums(&transaction, batch_id, Sign::Minus).await?;
    rate::Entity::delete_many().filter(rate::COLUMN.batch_id.eq(batch_id)).exec(&transaction).await?;
    let mut batch = batch.into_active_model();
    batch.taken_back_at = Set(Some(database_now(&transaction).await?));
    let batch = batch.update(&transaction).await?;
    release::publish_rates(&transaction, Cause::DeletedRateBatch, batch_id).await?;
    transaction.commit().await?;
    Ok(Some(batch))
}
