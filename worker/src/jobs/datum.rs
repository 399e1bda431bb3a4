//! The kind `datum`: marks a datum as processed, which proves that a worker is running.

use entity::{
    begin_write, clock, datum, deadline,
    job::{self, Claim, DatumJob},
};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};

use super::{context::JobContext, outcome::JobOutcome, registry::Handler};

impl Handler<JobContext> for DatumJob {
    async fn run(self, context: &JobContext, claim: &Claim) -> JobOutcome {
        let processing = process(&context.database, claim, self.id);
        match deadline::within(deadline::SHORT, &context.database, processing).await {
            Ok(()) => JobOutcome::Committed,
            Err(error) => JobOutcome::database_failed(&error),
        }
    }
}

async fn process(database: &DatabaseConnection, claim: &Claim, id: i64) -> Result<(), DbErr> {
    let transaction = begin_write(database).await?;
    datum::Entity::update_many()
        .col_expr(datum::Column::ProcessedAt, clock::now(&transaction))
        .filter(datum::COLUMN.id.eq(id))
        .filter(datum::Column::ProcessedAt.is_null())
        .exec(&transaction)
        .await?;
    // If another worker holds the job, it does the same.
    if job::queue::finish(&transaction, claim).await? { transaction.commit().await } else { transaction.rollback().await }
}
