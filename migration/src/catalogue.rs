//! The catalogue: providers, base events, events, zones, performers, venues and the catalogue version.
//!
//! Instants are `BIGINT` microseconds and money is `BIGINT` minor units (ADR 1), so that both databases return the same values.

use sea_orm_migration::{prelude::*, schema::*};

/// Creates the tables of the catalogue and the index of searches.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261121_000001_catalogue"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [provider(), base_event(), venue(), performer(), event(), zone(), event_performer(), catalogue_version()] {
            manager.create_table(table).await?;
        }
        for index in [
            // The base events of a provider. Unique, so that no base event is stored twice.
            unique_by_source("base_event"),
            unique_by_source("venue"),
            unique_by_source("performer"),
            Index::create().name("event_of_base_event").table("event").col("base_event_id").to_owned(),
            // The range scan of every search: shown events only, in response order.
            Index::create()
                .name("event_shown_by_start")
                .table("event")
                .col("starts_at")
                .col("id")
                .and_where(Expr::col("shown"))
                .to_owned(),
        ] {
            manager.create_index(index).await?;
        }
        let first_version = Query::insert()
            .into_table("catalogue_version")
            .columns(["id", "version"])
            .values_panic([1.into(), 0.into()])
            .to_owned();
        manager.execute(first_version).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["catalogue_version", "event_performer", "zone", "event", "performer", "venue", "base_event", "provider"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn provider() -> TableCreateStatement {
    Table::create()
        .table("provider")
        .col(pk_auto("id"))
        .col(text_uniq("slug"))
        .col(text("url"))
        .col(text("format"))
        .col(text("schedule"))
        .col(text("time_zone"))
        .col(text("currency"))
        .col(small_integer("currency_digits"))
        .col(big_integer_null("last_success_at"))
        .col(integer("event_count"))
        .col(integer("reject_count"))
        .col(text_null("etag"))
        .col(text_null("last_modified"))
        .col(big_integer_null("body_hash"))
        .col(big_integer_null("reading_hash"))
        .col(big_integer_null("retired_at"))
        .to_owned()
}

fn base_event() -> TableCreateStatement {
    Table::create()
        .table("base_event")
        .col(pk_uuid("id"))
        .col(integer("provider_id"))
        .col(text("source_id"))
        .col(text("title"))
        .col(text("sell_mode"))
        .col(text_null("organizer_company_id"))
        .col(big_integer_null("first_online_at"))
        .col(big_integer_null("content_hash"))
        .foreign_key(&mut reference("base_event", "provider_id", "provider"))
        .to_owned()
}

fn venue() -> TableCreateStatement {
    Table::create()
        .table("venue")
        .col(pk_uuid("id"))
        .col(integer("provider_id"))
        .col(text("source_id"))
        .col(text("name"))
        .col(double("latitude"))
        .col(double("longitude"))
        .col(text_null("place_code"))
        .foreign_key(&mut reference("venue", "provider_id", "provider"))
        .to_owned()
}

fn performer() -> TableCreateStatement {
    Table::create()
        .table("performer")
        .col(pk_uuid("id"))
        .col(integer("provider_id"))
        .col(text("source_id"))
        .col(text("name"))
        .foreign_key(&mut reference("performer", "provider_id", "provider"))
        .to_owned()
}

fn event() -> TableCreateStatement {
    Table::create()
        .table("event")
        .col(pk_uuid("id"))
        .col(uuid("base_event_id"))
        .col(text("source_id"))
        .col(text("local_start"))
        .col(text_null("local_end"))
        .col(big_integer("starts_at"))
        .col(big_integer("ends_at"))
        .col(text_null("sell_from"))
        .col(text_null("sell_to"))
        .col(boolean("sold_out"))
        .col(big_integer_null("min_price"))
        .col(big_integer_null("max_price"))
        .col(uuid_null("venue_id"))
        .col(boolean("shown"))
        .col(big_integer("content_hash"))
        .col(big_integer("first_seen_at"))
        .col(big_integer_null("last_seen_at"))
        .col(big_integer_null("left_at"))
        .col(big_integer_null("came_back_at"))
        .foreign_key(&mut reference("event", "base_event_id", "base_event"))
        .foreign_key(&mut reference("event", "venue_id", "venue"))
        .to_owned()
}

fn zone() -> TableCreateStatement {
    Table::create()
        .table("zone")
        .col(uuid("event_id"))
        .col(integer("position"))
        .col(text("source_id"))
        .col(text_null("name"))
        .col(big_integer_null("capacity"))
        .col(big_integer("price"))
        .col(boolean_null("numbered"))
        .primary_key(Index::create().col("event_id").col("position"))
        .foreign_key(&mut reference("zone", "event_id", "event"))
        .to_owned()
}

fn event_performer() -> TableCreateStatement {
    Table::create()
        .table("event_performer")
        .col(uuid("event_id"))
        .col(integer("position"))
        .col(uuid("performer_id"))
        .primary_key(Index::create().col("event_id").col("position"))
        .foreign_key(&mut reference("event_performer", "event_id", "event"))
        .foreign_key(&mut reference("event_performer", "performer_id", "performer"))
        .to_owned()
}

fn catalogue_version() -> TableCreateStatement {
    Table::create().table("catalogue_version").col(integer("id").primary_key()).col(big_integer("version")).to_owned()
}

fn unique_by_source(table: &'static str) -> IndexCreateStatement {
    Index::create().unique().name(format!("{table}_by_source")).table(table).col("provider_id").col("source_id").to_owned()
}

/// A foreign key to the `id` of another table.
pub(crate) fn reference(table: &'static str, column: &'static str, target: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().name(format!("{table}_{column}")).from(table, column).to(target, "id").to_owned()
}
