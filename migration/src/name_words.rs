//! The parts of the names of performers and venues that begin with a later word.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{
    backfill,
    compatibility::require_of_workers,
    rates::{in_byte_order, keyed_by_primary_key},
};

const NAME: &str = "m20261127_000019_name_words";
const PREVIOUS_REQUIREMENT: &str = "m20261127_000018_words";
const JOB_KIND: &str = "name_backfill";

/// Creates the table, and enqueues the job that fills it.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        NAME
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let mut table = Table::create()
            .table("name_word")
            .col(uuid("item_id"))
            .col(in_byte_order(text("text"), backend))
            .col(text("kind"))
            .primary_key(Index::create().col("item_id").col("text"))
            .to_owned();
        manager.create_table(keyed_by_primary_key(&mut table, backend)).await?;
        let by_text =
            Index::create().name("name_word_by_text").table("name_word").col("kind").col("text").col("item_id").to_owned();
        manager.create_index(by_text).await?;
        backfill::enqueue(manager, JOB_KIND).await?;
        // A worker that does not write the table would hide names from searches.
        require_of_workers(manager, Some(NAME)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        require_of_workers(manager, Some(PREVIOUS_REQUIREMENT)).await?;
        backfill::remove(manager, JOB_KIND).await?;
        manager.drop_table(Table::drop().table("name_word").to_owned()).await
    }
}
