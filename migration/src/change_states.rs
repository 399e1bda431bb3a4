//! What filters select of an event before and after each change.

use sea_orm_migration::{prelude::*, schema::*};

const COLUMN: &str = "states";

/// Adds the column. Changes of an earlier release have none.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261127_000024_change_states"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("change").add_column(text_null(COLUMN)).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("change").drop_column(COLUMN).to_owned()).await
    }
}
