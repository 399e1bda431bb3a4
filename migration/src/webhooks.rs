//! The endpoints to which changes are delivered.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

const TABLE: &str = "webhook";

/// Default privileges of `roles.sql` would let operators read the secrets until it is run again.
const REVOKE_FROM_OPERATORS: &str = "\
    DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'marquee_operator') THEN \
    REVOKE SELECT ON webhook FROM marquee_operator; END IF; END $$";

/// Creates the table. Programs of an earlier release do not use it.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261127_000027_webhooks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(TABLE)
            .col(uuid("id").primary_key())
            .col(text("owner"))
            .col(text("url"))
            .col(text("query"))
            .col(text("selection"))
            .col(text("secret"))
            .col(text_null("previous_secret"))
            .col(big_integer_null("previous_secret_until"))
            .col(text("state"))
            .col(text_null("disabled_reason"))
            .col(big_integer_null("disabled_at"))
            .col(big_integer("created_at"))
            .col(big_integer("version"))
            .col(integer("ordinal"))
            .col(big_integer("at"))
            .col(text_null("batch_id"))
            .col(big_integer_null("batch_version"))
            .col(integer_null("batch_ordinal"))
            .col(big_integer_null("batch_at"))
            .col(integer_null("batch_changes"))
            .col(big_integer_null("frozen_at"))
            .col(integer("failures").default(0))
            .col(big_integer("failing_micros").default(0))
            .col(big_integer_null("attempted_at"))
            .col(big_integer_null("next_attempt_at"))
            .col(big_integer_null("delivered_at"))
            .col(text("attempts"))
            .col(big_integer("revision").default(0))
            .col(text_null("batch"))
            .to_owned();
        manager.create_table(table).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(REVOKE_FROM_OPERATORS).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
