//! The pages of feeds that are fetched in several, for conditional requests.

use sea_orm_migration::{prelude::*, schema::*};

/// Creates the table.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000015_feed_page"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("feed_page")
            .col(integer("provider_id"))
            .col(text("url"))
            .col(text("kind"))
            .col(text_null("etag"))
            .col(text_null("last_modified"))
            .col(text_null("next"))
            .col(blob("content"))
            .primary_key(Index::create().col("provider_id").col("url"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("feed_page").to_owned()).await
    }
}
