//! The parameters that ticket links of a provider get.

use sea_orm_migration::{prelude::*, schema::text_null};

/// Adds the column.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261127_000020_affiliate"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = text_null("affiliate").take();
        manager.alter_table(Table::alter().table("provider").add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("provider").drop_column("affiliate").to_owned()).await
    }
}
