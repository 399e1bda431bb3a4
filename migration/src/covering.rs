//! The index of lists by their start contains what facets and clusters read, so that PostgreSQL counts many events without reading their
//! rows.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Replaces the index.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_000030_covering"
    }
}

/// The columns of the filters that most requests have, and all by which facets count.
const INCLUDED: &str = " INCLUDE (ends_at, listed, status, provider_id, venue_id, category, country, currency)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        replace_index(manager, INCLUDED).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        replace_index(manager, "").await
    }
}

/// SQLite has no included columns.
async fn replace_index(manager: &SchemaManager<'_>, included: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let statements = format!(
        "CREATE INDEX listing_by_start_next ON listing (upcoming, starts_at, event_id){included}; DROP INDEX listing_by_start; \
         ALTER INDEX listing_by_start_next RENAME TO listing_by_start"
    );
    manager.get_connection().execute_unprepared(&statements).await.map(|_result| ())
}
