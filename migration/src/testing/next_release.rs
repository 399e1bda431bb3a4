//! The migrations of an imaginary next release, which exclude programs of this one.

use sea_orm_migration::prelude::*;

use crate::{Migrator, require_of_programs, require_of_workers};

/// Adds a column that workers must write.
pub const EXPANSION: &str = "m20991231_000001_expansion";

/// All migrations of this release, then [`EXPANSION`], and one that renames a column that programs of this release use.
#[derive(Debug)]
pub struct NextRelease;

#[async_trait::async_trait]
impl MigratorTrait for NextRelease {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = Migrator::migrations();
        migrations.push(Box::new(Expansion));
        migrations.push(Box::new(Contraction));
        migrations
    }
}

struct Expansion;

impl MigrationName for Expansion {
    fn name(&self) -> &'static str {
        EXPANSION
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Expansion {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("subtitle").text().take();
        manager.alter_table(Table::alter().table("event").add_column(column).to_owned()).await?;
        require_of_workers(manager, Some(EXPANSION)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("event").drop_column("subtitle").to_owned()).await?;
        require_of_workers(manager, None).await
    }
}

struct Contraction;

impl MigrationName for Contraction {
    fn name(&self) -> &'static str {
        "m20991231_000002_contraction"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Contraction {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("datum").rename_column("data", "content").to_owned()).await?;
        require_of_programs(manager, Some(EXPANSION)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("datum").rename_column("content", "data").to_owned()).await?;
        require_of_programs(manager, None).await
    }
}
