//! What lists of events are filtered and sorted by, in one row for each event that readers can see.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{backfill, compatibility::require_of_workers};

const NAME: &str = "m20261126_000017_listing";
const PREVIOUS_REQUIREMENT: &str = "m20261126_000014_details";
/// An earlier release does not know it.
const JOB_KIND: &str = "listing_backfill";
/// The columns by which a list is restricted to one value, each with an index in the order of the starts.
const KEYS: [&str; 6] = ["provider_id", "venue_id", "category", "city", "country", "area"];
/// The columns of other indexes. They contain no events of the past, which would be in the way of every reader.
const SORTED_UPCOMING: [(&str, &[&str]); 2] = [
    ("listing_by_price", &["currency", "min_price", "starts_at", "event_id"]),
    ("listing_by_first_seen", &["first_seen_at", "event_id"]),
];

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
        let folded_city = text_null("folded_city").take();
        manager.alter_table(Table::alter().table("venue").add_column(folded_city).to_owned()).await?;
        create_listing(manager).await?;
        create_indexes(manager).await?;
        backfill::enqueue(manager, JOB_KIND).await?;
        // A worker that does not write the table would hide its events from every list.
        require_of_workers(manager, Some(NAME)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        require_of_workers(manager, Some(PREVIOUS_REQUIREMENT)).await?;
        backfill::remove(manager, JOB_KIND).await?;
        manager.drop_table(Table::drop().table("listing").to_owned()).await?;
        manager.alter_table(Table::alter().table("venue").drop_column("folded_city").to_owned()).await
    }
}

async fn create_listing(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let listing = Table::create()
        .table("listing")
        .col(uuid("event_id").primary_key())
        .col(uuid("base_event_id"))
        .col(integer("provider_id"))
        .col(uuid_null("venue_id"))
        .col(big_integer("starts_at"))
        .col(big_integer("ends_at"))
        .col(boolean("upcoming"))
        .col(boolean("listed"))
        .col(text("status"))
        .col(text_null("category"))
        .col(text_null("city"))
        .col(text_null("country"))
        .col(integer_null("area"))
        .col(text("currency"))
        .col(big_integer_null("min_price"))
        .col(big_integer_null("max_price"))
        .col(big_integer("first_seen_at"))
        .col(big_integer("updated_at"))
        .to_owned();
    manager.create_table(listing).await
}

async fn create_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let in_order =
        |mut index: IndexCreateStatement| index.table("listing").col("upcoming").col("starts_at").col("event_id").to_owned();
    manager.create_index(in_order(Index::create().name("listing_by_start").to_owned())).await?;
    for key in KEYS {
        let index = Index::create().name(format!("listing_of_{}", key.trim_end_matches("_id"))).col(key).to_owned();
        manager.create_index(in_order(index)).await?;
    }
    for (name, columns) in SORTED_UPCOMING {
        let mut index = Index::create().name(name).table("listing").and_where(Expr::col("upcoming")).to_owned();
        columns.iter().for_each(|column| {
            index.col(*column);
        });
        manager.create_index(index).await?;
    }
    let by_update = Index::create().name("listing_by_update").table("listing").col("updated_at").col("event_id").to_owned();
    manager.create_index(by_update).await?;
    let of_base_event = Index::create().name("listing_of_base_event").table("listing").col("base_event_id").to_owned();
    manager.create_index(of_base_event).await
}
