//! What endpoints need not store any longer.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, QuerySelect, entity::prelude::*};

use super::{ActiveModel, COLUMN, Column, Entity, WebhookState, update};
use crate::UtcInstant;

/// How long the batch of a disabled endpoint is stored: as long as all changes are. Its position is before the batch, so an endpoint that
/// is enabled later gets the same changes from the log, or has to copy.
pub const BATCH_RETENTION: Duration = Duration::from_secs(14 * 24 * 3_600);

/// Deletes previous secrets that are no longer valid, and batches of endpoints that have been disabled for [`BATCH_RETENTION`]. Returns
/// how many.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete_expired(database: &impl ConnectionTrait, now: UtcInstant) -> Result<u64, DbErr> {
    let secrets = Entity::find().filter(COLUMN.previous_secret_until.lte(now));
    let no_secret =
        ActiveModel { previous_secret: Set(None), previous_secret_until: Set(None), ..<ActiveModel as Default>::default() };
    let batches = Entity::find()
        .filter(COLUMN.state.eq(WebhookState::Disabled))
        .filter(COLUMN.disabled_at.lt(now - BATCH_RETENTION))
        .filter(Column::BatchId.is_not_null());
    Ok(update_all(database, secrets, no_secret).await? + update_all(database, batches, ActiveModel::without_batch()).await?)
}

/// Updates rows, except those that something else has changed since they were read.
async fn update_all(database: &impl ConnectionTrait, rows: Select<Entity>, columns: ActiveModel) -> Result<u64, DbErr> {
    let rows: Vec<(Uuid, i64)> = rows.select_only().columns([Column::Id, Column::Revision]).into_tuple().all(database).await?;
    let mut updated = 0;
    for row in rows {
        updated += u64::from(update(database, row, columns.clone()).await?);
    }
    Ok(updated)
}
