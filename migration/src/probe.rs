//! The data of the deployment probe.

use sea_orm_migration::{prelude::*, schema::*};

/// Creates the table.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261121_000007_probe"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let datum = Table::create()
            .table("datum")
            .col(big_pk_auto("id"))
            .col(text("data"))
            .col(big_integer("accepted_at"))
            .col(big_integer_null("processed_at"))
            .to_owned();
        manager.create_table(datum).await?;
        // Before a datum is accepted, the waiting ones are counted.
        let waiting = Index::create()
            .name("datum_waiting")
            .table("datum")
            .col("id")
            .and_where(Expr::col("processed_at").is_null())
            .to_owned();
        manager.create_index(waiting).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("datum").to_owned()).await
    }
}
