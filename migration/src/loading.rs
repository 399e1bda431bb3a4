//! First loads in parts: the rows of a provider are hidden until its first load is complete.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds the column and its index.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000010_loading"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let loading_since = big_integer_null("loading_since").take();
        manager.alter_table(Table::alter().table("provider").add_column(loading_since).to_owned()).await?;
        // Every read looks for such a provider. Usually there is none.
        let index = Index::create()
            .name("provider_loading")
            .table("provider")
            .col("id")
            .and_where(Expr::col("loading_since").is_not_null())
            .to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("provider_loading").table("provider").to_owned()).await?;
        manager.alter_table(Table::alter().table("provider").drop_column("loading_since").to_owned()).await
    }
}
