//! PostgreSQL compresses the messages of webhooks with LZ4, which takes an eighth of the time of its default. A message is written once
//! and removed soon.

use sea_orm_migration::prelude::*;

use crate::postgres;

/// Changes the compression.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_000031_compression"
    }
}

/// Only rows that are written afterwards are affected. PostgreSQL 13, and servers that were built without LZ4, keep the default.
const USE_LZ4: &str = "\
    DO $$ BEGIN \
    IF current_setting('server_version_num')::int >= 140000 THEN \
    EXECUTE 'ALTER TABLE webhook ALTER COLUMN batch SET COMPRESSION lz4'; END IF; \
    EXCEPTION WHEN feature_not_supported THEN NULL; END $$";
const USE_DEFAULT: &str = "\
    DO $$ BEGIN \
    IF current_setting('server_version_num')::int >= 140000 THEN \
    EXECUTE 'ALTER TABLE webhook ALTER COLUMN batch SET COMPRESSION default'; END IF; END $$";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        postgres::execute(manager, USE_LZ4).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        postgres::execute(manager, USE_DEFAULT).await
    }
}
