//! The kind `datum`: a worker acquires what the probe was given, and so proves that it works.

use entity::{
    UtcInstant, begin_write, datum,
    job::{self, Claim},
};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};

use super::runner::Ended;

/// Acquires a datum.
pub(super) async fn acquire(database: &DatabaseConnection, claim: &Claim) -> Ended {
    let Ok(id) = claim.payload.parse() else {
        return Ended::Failed { reason: "its payload is no number of a datum".to_owned() };
    };
    match acquired(database, claim, id).await {
        Ok(()) => Ended::Settled,
        Err(error) => Ended::Failed { reason: error.to_string() },
    }
}

async fn acquired(database: &DatabaseConnection, claim: &Claim, id: i64) -> Result<(), DbErr> {
    let transaction = begin_write(database).await?;
    datum::Entity::update_many()
        .col_expr(datum::Column::ProcessedAt, UtcInstant::now().into())
        .filter(datum::COLUMN.id.eq(id))
        .filter(datum::Column::ProcessedAt.is_null())
        .exec(&transaction)
        .await?;
    // If it is another worker's by now, that one does the same.
    if job::queue::finish(&transaction, claim).await? { transaction.commit().await } else { transaction.rollback().await }
}
