//! Durable jobs: the queue, and columns of runs and providers that refer to it.

use sea_orm_migration::{prelude::*, schema::*};

/// Creates the queue, and adds the columns of runs and providers.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261121_000003_jobs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(job()).await?;
        for (table, column) in new_columns() {
            // SQLite adds one column per statement.
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        for index in [
            // Guarantees that at most one job of a lane runs at a time.
            Index::create()
                .unique()
                .name("job_running_in_lane")
                .table("job")
                .col("lane")
                .and_where(Expr::col("state").eq("running"))
                .to_owned(),
            // The next jobs to claim, in their order.
            Index::create()
                .name("job_queued_by_due")
                .table("job")
                .col("run_at")
                .col("id")
                .and_where(Expr::col("state").eq("queued"))
                .to_owned(),
            Index::create().name("job_of_lane").table("job").col("lane").to_owned(),
            // Runs that have not ended: waiting, running, or abandoned by a dead worker.
            Index::create()
                .name("sync_run_open")
                .table("sync_run")
                .col("provider_id")
                .and_where(Expr::col("state").is_in(["queued", "running"]))
                .to_owned(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("sync_run_open").table("sync_run").to_owned()).await?;
        for (table, mut column) in new_columns().into_iter().rev() {
            let name = column.take().get_column_name().to_owned();
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        manager.drop_table(Table::drop().table("job").to_owned()).await
    }
}

fn job() -> TableCreateStatement {
    Table::create()
        .table("job")
        .col(big_pk_auto("id"))
        .col(text("kind"))
        .col(text_uniq("key"))
        .col(text("lane"))
        .col(text("payload"))
        .col(text("state"))
        .col(big_integer("run_at"))
        .col(integer("attempt"))
        .col(integer("max_attempts"))
        .col(big_integer("epoch"))
        .col(text_null("worker"))
        .col(big_integer_null("lease_until"))
        .col(text_null("reason"))
        .col(big_integer("created_at"))
        .to_owned()
}

/// `job_id` is not a foreign key, because a job is deleted once it is done.
fn new_columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("sync_run", big_integer_null("job_id")),
        ("sync_run", big_integer_null("tick_at")),
        ("sync_run", integer_null("parse_ms")),
        ("sync_run", integer_null("diff_ms")),
        ("sync_run", integer_null("write_ms")),
        ("provider", big_integer_null("last_tick_at")),
        ("provider", integer("failures").default(0).take()),
        ("provider", big_integer_null("pause_until")),
        ("provider", text_null("pause_reason")),
    ]
}
