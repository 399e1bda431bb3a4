//! The ledger of releases.

use sea_orm_migration::{prelude::*, schema::*};

/// Creates the table.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000012_releases"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let release = Table::create()
            .table("release")
            .col(big_integer("version").primary_key())
            .col(big_integer("raised_at"))
            .col(text("cause"))
            .col(big_integer_null("cause_id"))
            .col(text("footprint"))
            .to_owned();
        manager.create_table(release).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("release").to_owned()).await
    }
}
