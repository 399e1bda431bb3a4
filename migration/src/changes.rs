//! The log of changes, and what undo, takedown and the changes that time makes need.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{backfill, compatibility::require_of_workers};

const NAME: &str = "m20261126_000013_changes";
/// All nullable without a default, so that no row is rewritten.
const NEW_NUMBERS: [(&str, &[&str]); 3] = [
    ("event", &["sale_starts_at", "sale_ends_at", "next_boundary_at"]),
    ("provider", &["last_release", "last_release_at", "reverted_body_hash", "purged_at"]),
    ("sync_run", &["release"]),
];
const NEW_TEXTS: [(&str, &str); 2] = [("sync_run", "changes"), ("release", "action")];
/// Without these, deleting a venue or a performer would read all events: the databases look for rows that refer to it.
const REFERENCES: [(&str, &str, &str); 2] =
    [("event_of_venue", "event", "venue_id"), ("event_performer_of_performer", "event_performer", "performer_id")];
/// An earlier release does not know them.
const NEW_JOB_KINDS: [&str; 2] = ["boundary", "boundary_backfill"];

/// Creates the tables, and adds the columns.
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
        create_change(manager).await?;
        create_other_tables(manager).await?;
        for (table, columns) in NEW_NUMBERS {
            for column in columns {
                let column = big_integer_null(*column).take();
                manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
            }
        }
        for (table, column) in NEW_TEXTS {
            manager.alter_table(Table::alter().table(table).add_column(text_null(column).take()).to_owned()).await?;
        }
        // Of all events, only those that time will still change.
        let boundary = Index::create()
            .name("event_next_boundary")
            .table("event")
            .col("next_boundary_at")
            .and_where(Expr::col("next_boundary_at").is_not_null())
            .to_owned();
        manager.create_index(boundary).await?;
        for (name, table, column) in REFERENCES {
            manager.create_index(Index::create().name(name).table(table).col(column).to_owned()).await?;
        }
        // It sets the new columns: local times must be converted with the time zones of their providers.
        backfill::enqueue(manager, NEW_JOB_KINDS[1]).await?;
        // A worker that does not log its changes would leave gaps that no consumer could detect.
        require_of_workers(manager, Some(NAME)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        require_of_workers(manager, None).await?;
        for (name, table, _) in REFERENCES {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        manager.execute(Query::delete().from_table("job").and_where(Expr::col("kind").is_in(NEW_JOB_KINDS)).to_owned()).await?;
        manager.drop_index(Index::drop().name("event_next_boundary").table("event").to_owned()).await?;
        for (table, column) in NEW_TEXTS {
            manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await?;
        }
        for (table, columns) in NEW_NUMBERS {
            for column in columns {
                manager.alter_table(Table::alter().table(table).drop_column(*column).to_owned()).await?;
            }
        }
        for table in ["tombstone", "undo", "change_retention", "change"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn create_change(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let change = Table::create()
        .table("change")
        .col(big_integer("version"))
        .col(integer("ordinal"))
        .col(big_integer("at"))
        .col(text("kind"))
        .col(integer("provider_id"))
        .col(uuid("event_id"))
        .col(text("changed"))
        .primary_key(Index::create().col("version").col("ordinal"))
        .to_owned();
    manager.create_table(change).await?;
    for (name, column) in [("change_kind", "kind"), ("change_provider", "provider_id"), ("change_event", "event_id")] {
        let index = Index::create().name(name).table("change").col(column).col("version").col("ordinal").to_owned();
        manager.create_index(index).await?;
    }
    Ok(())
}

async fn create_other_tables(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let retention =
        Table::create().table("change_retention").col(text("kind").primary_key()).col(big_integer("removed_through")).to_owned();
    manager.create_table(retention).await?;
    let undo = Table::create()
        .table("undo")
        .col(big_integer("sync_run_id"))
        .col(integer("part"))
        .col(integer("provider_id"))
        .col(blob("previous"))
        .primary_key(Index::create().col("sync_run_id").col("part"))
        .to_owned();
    manager.create_table(undo).await?;
    let undo_provider = Index::create().name("undo_provider").table("undo").col("provider_id").col("sync_run_id").to_owned();
    manager.create_index(undo_provider).await?;
    let tombstone = Table::create()
        .table("tombstone")
        .col(uuid("event_id").primary_key())
        .col(uuid("base_event_id"))
        .col(integer("provider_id"))
        .col(big_integer("removed_at"))
        .col(text("reason"))
        .to_owned();
    manager.create_table(tombstone).await?;
    let of_provider = Index::create().name("tombstone_provider").table("tombstone").col("provider_id").to_owned();
    manager.create_index(of_provider).await
}
