//! Which programs can work with the schema ([ADR 33](../../docs/adr/0033-schema-compatibility.md)).

use sea_orm_migration::{prelude::*, schema::*};

const TABLE: &str = "schema_compatibility";
const PROGRAMS: &str = "required_of_programs";
const WORKERS: &str = "required_of_workers";
/// The key of the only row.
const ONLY_ROW: i32 = 1;

/// Creates the table, without requirements.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000011_compatibility"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let compatibility = Table::create()
            .table(TABLE)
            .col(integer("id").primary_key())
            .col(text_null(PROGRAMS))
            .col(text_null(WORKERS))
            .to_owned();
        manager.create_table(compatibility).await?;
        let row = Query::insert().into_table(TABLE).columns(["id"]).values_panic([ONLY_ROW.into()]).to_owned();
        manager.execute(row).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}

/// Excludes all programs that do not know `migration`. To be called by a migration that removes something, with the name of the migration
/// after which programs no longer need it. Its `down` restores the previous requirement.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn require_of_programs(manager: &SchemaManager<'_>, migration: Option<&str>) -> Result<(), DbErr> {
    require(manager, PROGRAMS, migration).await
}

/// Excludes the workers that do not know `migration`. To be called by a migration that adds something that every writer of the copy must
/// write, with its own name. Its `down` restores the previous requirement.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn require_of_workers(manager: &SchemaManager<'_>, migration: Option<&str>) -> Result<(), DbErr> {
    require(manager, WORKERS, migration).await
}

async fn require(manager: &SchemaManager<'_>, column: &'static str, migration: Option<&str>) -> Result<(), DbErr> {
    let update = Query::update()
        .table(TABLE)
        .value(column, migration.map(str::to_owned))
        .and_where(Expr::col("id").eq(ONLY_ROW))
        .to_owned();
    manager.execute(update).await
}
