//! What describes events and venues, warnings about feeds, and the ids that events had before.

use sea_orm_migration::{prelude::*, schema::*};

use crate::compatibility::require_of_workers;

const NAME: &str = "m20261126_000014_details";
/// Texts that not every row has, in the order of the columns: short ones first, because SQLite reads a row from its beginning.
const NEW_TEXTS: [(&str, &[&str]); 5] = [
    ("event", &["currency", "category", "time_zone", "name", "organizer_name", "url", "image_url", "description"]),
    ("base_event", &["category", "organizer_name", "url", "image_url", "description"]),
    ("venue", &["country", "city", "region", "postal_code", "address", "time_zone"]),
    ("provider", &["name", "home_page", "licence", "attribution", "identity_slug"]),
    ("zone", &["currency"]),
];
const NEW_NUMBERS: [(&str, &[&str]); 2] = [("event", &["previous_start_at", "cell"]), ("venue", &["cell"])];
const NEW_DIGITS: [(&str, &str); 2] = [("event", "currency_digits"), ("zone", "currency_digits")];
/// Constant defaults, with which no row is rewritten.
const NEW_FLAGS: [(&str, &str, bool); 2] = [("venue", "located", true), ("event_performer", "cancelled", false)];
/// The concerts that are cancelled, which are few.
const CANCELLED_CONCERTS: [(&str, &[&str]); 3] =
    [("cancelled_of_performer", &["performer_id"]), ("cancelled_of_venue", &["venue_id"]), ("cancelled_by_start", &[])];

/// Adds the columns and the table.
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
        for (table, column) in columns() {
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        for (name, keys) in CANCELLED_CONCERTS {
            let mut index = Index::create().name(name).table("event_performer").to_owned();
            for &key in keys {
                index.col(key);
            }
            index.col("starts_at").col("event_id").col("position").and_where(Expr::col("cancelled"));
            manager.create_index(index).await?;
        }
        let alias = Table::create()
            .table("alias")
            .col(uuid("id").primary_key())
            .col(integer("provider_id"))
            .col(text("kind"))
            .col(uuid("target"))
            .to_owned();
        manager.create_table(alias).await?;
        let of_provider = Index::create().name("alias_provider").table("alias").col("provider_id").to_owned();
        manager.create_index(of_provider).await?;
        // A worker of the release before would store events without their status, and count a cancelled one as shown.
        require_of_workers(manager, Some(NAME)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        require_of_workers(manager, Some("m20261126_000013_changes")).await?;
        manager.drop_table(Table::drop().table("alias").to_owned()).await?;
        for (name, _) in CANCELLED_CONCERTS {
            manager.drop_index(Index::drop().name(name).table("event_performer").to_owned()).await?;
        }
        for (table, column) in columns() {
            let drop = Table::alter().table(table).drop_column(column.get_column_name()).to_owned();
            manager.alter_table(drop).await?;
        }
        Ok(())
    }
}

/// All new columns with their tables.
fn columns() -> Vec<(&'static str, ColumnDef)> {
    let mut columns = vec![
        ("event", text("status").default("scheduled").take()),
        ("reject", text("severity").default("error").take()),
        ("sync_run", integer("warned").default(0).take()),
    ];
    columns.extend(NEW_DIGITS.map(|(table, column)| (table, small_integer_null(column).take())));
    columns.extend(NEW_FLAGS.map(|(table, column, default)| (table, boolean(column).default(default).take())));
    for (table, names) in NEW_NUMBERS {
        columns.extend(names.iter().map(|name| (table, big_integer_null(*name).take())));
    }
    for (table, names) in NEW_TEXTS {
        columns.extend(names.iter().map(|name| (table, text_null(*name).take())));
    }
    columns
}
