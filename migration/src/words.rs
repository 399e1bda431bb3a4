//! The words by which events are found: one row for each show at a venue, and the vocabulary of each provider.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

use crate::{backfill, compatibility::require_of_workers};

const NAME: &str = "m20261127_000018_words";
const PREVIOUS_REQUIREMENT: &str = "m20261126_000017_listing";
/// An earlier release does not know it.
const JOB_KIND: &str = "words_backfill";
/// Words that were not yet moved to the index of PostgreSQL are read one by one: up to this many kilobytes, which take less than a
/// millisecond.
const MAX_PENDING_KB: u32 = 256;

/// Creates the tables, and enqueues the job that fills them.
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
        create_show_text(manager).await?;
        create_word(manager).await?;
        let show_text_id = big_integer_null("show_text_id").take();
        manager.alter_table(Table::alter().table("listing").add_column(show_text_id).to_owned()).await?;
        let of_show_text = Index::create()
            .name("listing_of_show_text")
            .table("listing")
            .col("show_text_id")
            .col("upcoming")
            .col("starts_at")
            .col("event_id")
            .to_owned();
        manager.create_index(of_show_text).await?;
        backfill::enqueue(manager, JOB_KIND).await?;
        // Events that a worker writes without their words would not be found.
        require_of_workers(manager, Some(NAME)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        require_of_workers(manager, Some(PREVIOUS_REQUIREMENT)).await?;
        backfill::remove(manager, JOB_KIND).await?;
        manager.drop_index(Index::drop().name("listing_of_show_text").table("listing").to_owned()).await?;
        manager.alter_table(Table::alter().table("listing").drop_column("show_text_id").to_owned()).await?;
        if manager.get_database_backend() == DbBackend::Sqlite {
            manager.drop_table(Table::drop().table("show_word").to_owned()).await?;
        }
        manager.drop_table(Table::drop().table("word").to_owned()).await?;
        manager.drop_table(Table::drop().table("show_text").to_owned()).await
    }
}

async fn create_show_text(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let show_text = Table::create()
        .table("show_text")
        .col(big_pk_auto("id"))
        .col(uuid("base_event_id"))
        .col(uuid("venue_id"))
        .col(big_integer("content_hash"))
        .to_owned();
    manager.create_table(show_text).await?;
    let of_pair =
        Index::create().name("show_text_of_pair").table("show_text").col("base_event_id").col("venue_id").unique().to_owned();
    manager.create_index(of_pair).await?;
    let words = match manager.get_database_backend() {
        DbBackend::Postgres => format!(
            "ALTER TABLE show_text ADD COLUMN words tsvector NOT NULL; \
             CREATE INDEX show_text_words ON show_text USING gin (words) WITH (gin_pending_list_limit = {MAX_PENDING_KB})"
        ),
        // It stores which documents have a word, and neither their texts nor the positions.
        _ => "CREATE VIRTUAL TABLE show_word USING fts5 \
              (words, tokenize = 'ascii', content = '', contentless_delete = 1, detail = 'none', prefix = '1 2 3')"
            .to_owned(),
    };
    manager.get_connection().execute_unprepared(&words).await.map(|_result| ())
}

async fn create_word(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let word = Table::create()
        .table("word")
        .col(integer("provider_id"))
        .col(text("word"))
        .primary_key(Index::create().col("provider_id").col("word"))
        .to_owned();
    manager.create_table(word).await
}
