//! The number of events and the lowest prices of each day.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{
    backfill,
    rates::{in_byte_order, keyed_by_primary_key},
};

const JOB_KIND: &str = "totals_backfill";

/// Creates the table. A worker enqueues the job that fills it. Until then, events are counted as before.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261127_000026_daily_totals"
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
            .table("daily_total")
            .col(in_byte_order(text("day"), backend))
            .col(integer("provider_id"))
            .col(text("currency"))
            .col(small_integer("currency_digits"))
            .col(big_integer("event_count"))
            .col(big_integer_null("min_price"))
            .primary_key(Index::create().col("day").col("provider_id").col("currency").col("currency_digits"))
            .to_owned();
        manager.create_table(keyed_by_primary_key(&mut table, backend)).await?;
        // SQLite adds one column in a statement.
        for column in [big_integer_null("totals_release").take(), text_null("totals_through").take()] {
            manager.alter_table(Table::alter().table("provider").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        backfill::remove(manager, JOB_KIND).await?;
        for column in ["totals_release", "totals_through"] {
            manager.alter_table(Table::alter().table("provider").drop_column(column).to_owned()).await?;
        }
        manager.drop_table(Table::drop().table("daily_total").to_owned()).await
    }
}
