//! Pushed feeds, and jobs that run in the order in which they were enqueued.

use sea_orm_migration::{prelude::*, schema::*};

/// Creates the table and the column.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261121_000008_pushes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let in_order = boolean("in_order").default(false).take();
        manager.alter_table(Table::alter().table("job").add_column(in_order).to_owned()).await?;
        manager.create_table(pushed_feed()).await?;
        for index in [
            Index::create().unique().name("pushed_feed_of_job").table("pushed_feed").col("job_id").to_owned(),
            Index::create()
                .unique()
                .name("pushed_feed_by_key")
                .table("pushed_feed")
                .col("provider_id")
                .col("idempotency_key")
                .to_owned(),
            // Before a feed is accepted, the waiting ones are counted.
            Index::create()
                .name("pushed_feed_waiting")
                .table("pushed_feed")
                .col("provider_id")
                .and_where(Expr::col("settled_at").is_null())
                .to_owned(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("pushed_feed").to_owned()).await?;
        manager.alter_table(Table::alter().table("job").drop_column("in_order").to_owned()).await
    }
}

fn pushed_feed() -> TableCreateStatement {
    Table::create()
        .table("pushed_feed")
        .col(big_pk_auto("id"))
        .col(integer("provider_id"))
        .col(big_integer("job_id"))
        .col(big_integer_null("sync_run_id"))
        .col(text("mode"))
        .col(text("coding"))
        .col(blob_null("body"))
        .col(text("body_hash"))
        .col(text_null("idempotency_key"))
        .col(big_integer("accepted_at"))
        .col(big_integer_null("settled_at"))
        .col(text_null("outcome"))
        .foreign_key(
            ForeignKey::create().name("pushed_feed_provider_id_fk").from("pushed_feed", "provider_id").to("provider", "id"),
        )
        .to_owned()
}
