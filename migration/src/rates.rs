//! Regions, places, batches of prices, and the sums of the prices of each route and day.
//!
//! Prices refer to places without a foreign key: places are never deleted, and checking two foreign keys for each of a million prices would
//! take longer than writing them.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

/// Creates the tables.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261121_000006_rates"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        for table in [region(backend), place(backend), rate_batch(), rate(backend), rate_day(backend)] {
            manager.create_table(table).await?;
        }
        for index in [
            // Queries for a region include everything inside it.
            Index::create().name("region_of_region").table("region").col("parent_id").to_owned(),
            Index::create().name("place_of_region").table("place").col("region_id").to_owned(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["rate_day", "rate", "rate_batch", "place", "region"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn region(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("region")
        .col(pk_auto("id"))
        .col(in_byte_order(text_uniq("slug"), backend))
        .col(text("name"))
        .col(in_byte_order(text("folded_name"), backend))
        .col(integer_null("parent_id"))
        .foreign_key(ForeignKey::create().name("region_parent_id_fk").from("region", "parent_id").to("region", "id"))
        .to_owned()
}

fn place(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("place")
        .col(pk_auto("id"))
        .col(in_byte_order(text_uniq("code"), backend))
        .col(text("name"))
        .col(in_byte_order(text("folded_name"), backend))
        .col(integer_null("region_id"))
        .col(boolean("listed"))
        .foreign_key(ForeignKey::create().name("place_region_id_fk").from("place", "region_id").to("region", "id"))
        .to_owned()
}

fn rate_batch() -> TableCreateStatement {
    Table::create()
        .table("rate_batch")
        .col(big_pk_auto("id"))
        .col(text_null("idempotency_key").unique_key())
        .col(text("body_hash"))
        .col(big_integer("price_count"))
        .col(integer("day_count"))
        .col(big_integer("route_count"))
        .col(big_integer("taken_at"))
        .col(big_integer_null("taken_back_at"))
        .to_owned()
}

fn rate(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create()
        .table("rate")
        .col(big_integer("batch_id"))
        .col(integer("position"))
        .col(integer("orig_place_id"))
        .col(integer("dest_place_id"))
        .col(integer("day"))
        .col(big_integer("price"))
        .primary_key(Index::create().col("batch_id").col("position"))
        .to_owned();
    keyed_by_primary_key(&mut table, backend)
}

fn rate_day(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create()
        .table("rate_day")
        .col(integer("orig_place_id"))
        .col(integer("dest_place_id"))
        .col(integer("day"))
        .col(big_integer("price_count"))
        .col(big_integer("price_sum"))
        .primary_key(Index::create().col("orig_place_id").col("dest_place_id").col("day"))
        .to_owned();
    keyed_by_primary_key(&mut table, backend)
}

/// On SQLite the table is stored in the order of its primary key, without a separate index.
pub(crate) fn keyed_by_primary_key(table: &mut TableCreateStatement, backend: DbBackend) -> TableCreateStatement {
    if backend == DbBackend::Sqlite {
        table.extra("WITHOUT ROWID");
    }
    table.to_owned()
}

/// Lists continue from a cursor, so both databases must sort text in the same way: by bytes.
pub(crate) fn in_byte_order(mut column: ColumnDef, backend: DbBackend) -> ColumnDef {
    if backend == DbBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column.take()
}
