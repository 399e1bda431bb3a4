//! What only PostgreSQL has.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Executes statements on PostgreSQL.
pub(crate) async fn execute(manager: &SchemaManager<'_>, statements: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.get_connection().execute_unprepared(statements).await?;
    }
    Ok(())
}
