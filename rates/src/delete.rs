//! Takes a batch back: as if it had never come, but for its key.

use entity::{UtcInstant, catalogue_version, rate, rate_batch};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use crate::{
    BatchLimits,
    commit::{Sign, add_to_sums, prepare},
};

/// Takes a batch back, whole or not at all, and says which it was; `None` if there is none, or it was taken back before.
///
/// # Errors
///
/// When the database is away.
pub async fn delete_batch(database: &DatabaseConnection, batch_id: i64) -> Result<Option<rate_batch::Model>, DbErr> {
    let transaction = entity::begin_write(database).await?;
    // It may have come in a file.
    prepare(&transaction, &BatchLimits::FILE).await?;
    let batch = rate_batch::Entity::find_by_id(batch_id).lock_exclusive().one(&transaction).await?;
    let Some(batch) = batch.filter(|batch| batch.taken_back_at.is_none()) else {
        transaction.rollback().await?;
        return Ok(None);
    };
    // Sums that become 0 stay: the right batch mostly comes for the same routes and days.
    add_to_sums(&transaction, batch_id, Sign::Minus).await?;
    rate::Entity::delete_many().filter(rate::COLUMN.batch_id.eq(batch_id)).exec(&transaction).await?;
    let mut batch = batch.into_active_model();
    batch.taken_back_at = Set(Some(UtcInstant::now()));
    let batch = batch.update(&transaction).await?;
    catalogue_version::increment(&transaction).await?;
    transaction.commit().await?;
    Ok(Some(batch))
}
