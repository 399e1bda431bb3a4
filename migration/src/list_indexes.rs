//! Indexes of what lists of events and their facets select.

use sea_orm_migration::prelude::*;

use crate::postgres;

/// Creates the indexes, and replaces one.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_000030_list_indexes"
    }
}

/// Names may be longer than an entry of a B-tree, so the index has their beginnings. The base events of an organizer may be too many for a
/// hash index.
const CREATE: [&str; 3] = [
    "CREATE INDEX venue_by_place ON venue (place_code) WHERE place_code IS NOT NULL",
    "CREATE INDEX base_event_by_organizer ON base_event (provider_id, substr(organizer_name, 1, 200)) \
     WHERE organizer_name IS NOT NULL",
    "CREATE INDEX base_event_by_organizer_company ON base_event (provider_id, organizer_company_id) \
     WHERE organizer_company_id IS NOT NULL",
];
const DROP: [&str; 3] =
    ["DROP INDEX venue_by_place", "DROP INDEX base_event_by_organizer", "DROP INDEX base_event_by_organizer_company"];

/// The columns of the filters that most requests have, and all by which facets count.
const INCLUDED: &str = " INCLUDE (ends_at, listed, status, provider_id, venue_id, category, country, currency)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in CREATE {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        replace_index(manager, INCLUDED).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in DROP {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        replace_index(manager, "").await
    }
}

/// So that PostgreSQL counts many events without reading their rows. SQLite has no included columns.
async fn replace_index(manager: &SchemaManager<'_>, included: &str) -> Result<(), DbErr> {
    let statements = format!(
        "CREATE INDEX listing_by_start_next ON listing (upcoming, starts_at, event_id){included}; DROP INDEX listing_by_start; \
         ALTER INDEX listing_by_start_next RENAME TO listing_by_start"
    );
    postgres::execute(manager, &statements).await
}
