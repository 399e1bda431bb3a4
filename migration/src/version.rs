//! When the catalogue version was last incremented. Number and instant together distinguish the versions of different databases, and of a
//! restored backup.

use std::time::{SystemTime, UNIX_EPOCH};

use sea_orm_migration::{prelude::*, schema::big_integer};

/// Adds the instant of the last increment.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261121_000004_version"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = big_integer("raised_at").default(0).take();
        manager.alter_table(Table::alter().table("catalogue_version").add_column(column).to_owned()).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let now: i64 = now.try_into().unwrap_or(i64::MAX);
        manager.execute(Query::update().table("catalogue_version").value("raised_at", now).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("catalogue_version").drop_column("raised_at").to_owned()).await
    }
}
