//! An index of the events with another organizer than their base event.

use sea_orm_migration::prelude::*;

/// Creates the index.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261127_000028_organizers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Few: most events have the organizer of their base event.
        let by_organizer = Index::create()
            .name("event_by_organizer")
            .table("event")
            .col("organizer_name")
            // Names may be longer than an entry of a B-tree.
            .index_type(IndexType::Hash)
            .and_where(Expr::col("organizer_name").is_not_null())
            .to_owned();
        manager.create_index(by_organizer).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("event_by_organizer").table("event").to_owned()).await
    }
}
