//! When rows that expire were stored, so that they expire although the clock was set back.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds the columns.
pub(crate) struct Migration;

const COLUMNS: [(&str, &str); 2] = [("job", "changed_at"), ("provider", "paused_at")];

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000009_clocks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COLUMNS {
            manager.alter_table(Table::alter().table(table).add_column(big_integer_null(column)).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COLUMNS {
            manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
