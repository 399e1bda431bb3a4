//! The ledger: sync runs and their rejected items.

use sea_orm_migration::{prelude::*, schema::*};

use crate::catalogue::reference;

/// Creates the tables of the ledger.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261121_000002_ledger"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(sync_run()).await?;
        manager.create_table(reject()).await?;
        let newest_of_provider =
            Index::create().name("sync_run_of_provider").table("sync_run").col("provider_id").col("id").to_owned();
        manager.create_index(newest_of_provider).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("reject").to_owned()).await?;
        manager.drop_table(Table::drop().table("sync_run").to_owned()).await
    }
}

fn sync_run() -> TableCreateStatement {
    Table::create()
        .table("sync_run")
        .col(big_pk_auto("id"))
        .col(integer("provider_id"))
        .col(text("state"))
        .col(big_integer("started_at"))
        .col(big_integer_null("ended_at"))
        .col(small_integer_null("http_status"))
        .col(big_integer_null("bytes"))
        .col(integer("fetched"))
        .col(integer("inserted"))
        .col(integer("updated"))
        .col(integer("unchanged"))
        .col(integer("left"))
        .col(integer("rejected"))
        .col(text_null("reason_code"))
        .col(text_null("reason"))
        .foreign_key(&mut reference("sync_run", "provider_id", "provider"))
        .to_owned()
}

fn reject() -> TableCreateStatement {
    Table::create()
        .table("reject")
        .col(big_integer("sync_run_id"))
        .col(integer("position"))
        .col(big_integer("line"))
        .col(big_integer("column_number"))
        .col(text_null("base_event_source_id"))
        .col(text_null("event_source_id"))
        .col(text("reason"))
        .col(text("raw"))
        .primary_key(Index::create().col("sync_run_id").col("position"))
        // Old runs are purged, with their rejects.
        .foreign_key(reference("reject", "sync_run_id", "sync_run").on_delete(ForeignKeyAction::Cascade))
        .to_owned()
}
