//! The function with which PostgreSQL finds words.

use sea_orm_migration::prelude::*;

use crate::postgres;

/// Creates the function.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261127_000023_word_search"
    }
}

/// PostgreSQL reads an index of words only by a bitmap scan. The API turns these off, because they read all rows that match, also of the
/// lists that need a page. A function has its own settings.
const SHOW_TEXT_MATCHES: &str = "\
    CREATE FUNCTION show_text_matches(query tsquery, max_rows integer) RETURNS SETOF bigint \
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 500 SET enable_bitmapscan = on \
    AS 'BEGIN RETURN QUERY SELECT id FROM show_text WHERE words @@ query LIMIT max_rows; END'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        postgres::execute(manager, SHOW_TEXT_MATCHES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        postgres::execute(manager, "DROP FUNCTION show_text_matches(tsquery, integer)").await
    }
}
