//! Concerts by band and by place: columns of `event_performer` that repeat columns of the event, an index for each kind of query, and
//! columns to find venues and performers by name and by distance.
//!
//! Existing rows are filled with directions and lower-case names. The worker rewrites the rows that are in a feed.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, boolean, double, text, uuid_null},
    sea_orm::{DbBackend, Statement, prelude::Uuid},
};

/// Adds and fills the columns, and creates the indexes.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261121_000005_concerts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        for (table, column) in new_columns(backend) {
            // SQLite adds one column per statement.
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        for table in ["performer", "venue"] {
            let lower = Func::lower(Expr::col("name"));
            manager.execute(Query::update().table(table).value("folded_name", lower).to_owned()).await?;
        }
        fill_directions(manager).await?;
        fill_concerts(manager).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in indexes() {
            let name = index.get_index_spec().get_name().unwrap_or_default();
            manager.drop_index(Index::drop().name(name).to_owned()).await?;
        }
        for (table, mut column) in new_columns(manager.get_database_backend()).into_iter().rev() {
            let name = column.take().get_column_name().to_owned();
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}

fn new_columns(backend: DbBackend) -> Vec<(&'static str, ColumnDef)> {
    // A prefix search is a range of bytes. SQLite sorts text by bytes; PostgreSQL needs the collation for it.
    let folded_name = || {
        let mut column = text("folded_name").default("").take();
        if backend == DbBackend::Postgres {
            column.extra("COLLATE \"C\"");
        }
        column
    };
    let part = |name| double(name).default(0.0).take();
    vec![
        ("performer", folded_name()),
        ("venue", folded_name()),
        ("venue", part("direction_x")),
        ("venue", part("direction_y")),
        ("venue", part("direction_z")),
        ("event_performer", uuid_null("venue_id").take()),
        ("event_performer", big_integer("starts_at").default(0).take()),
        ("event_performer", boolean("shown").default(false).take()),
    ]
}

fn indexes() -> Vec<IndexCreateStatement> {
    let concerts = |name, keys: &[&'static str]| {
        let mut index = Index::create().name(name).table("event_performer").to_owned();
        for &key in keys {
            index.col(key);
        }
        // In response order, so that only the rows of a page are read.
        index.col("starts_at").col("event_id").col("position");
        index.and_where(Expr::col("shown")).and_where(Expr::col("venue_id").is_not_null()).to_owned()
    };
    let by_name = |name, table| Index::create().name(name).table(table).col("folded_name").col("id").to_owned();
    vec![
        concerts("concert_of_performer", &["performer_id"]),
        concerts("concert_of_venue", &["venue_id"]),
        concerts("concert_of_performer_at_venue", &["performer_id", "venue_id"]),
        concerts("concert_by_start", &[]),
        Index::create().name("performer_by_source_id").table("performer").col("source_id").to_owned(),
        by_name("performer_by_name", "performer"),
        by_name("venue_by_name", "venue"),
        Index::create().name("venue_by_latitude").table("venue").col("latitude").to_owned(),
    ]
}

/// Computes unit vectors from the centre of the Earth here, because SQLite may be built without trigonometric functions.
async fn fill_directions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let venues = Query::select().columns(["id", "latitude", "longitude"]).from("venue").to_owned();
    let connection = manager.get_connection();
    for row in connection.query_all(&venues).await? {
        let id: Uuid = row.try_get("", "id")?;
        let [latitude, longitude] =
            [row.try_get::<f64>("", "latitude")?, row.try_get::<f64>("", "longitude")?].map(f64::to_radians);
        let update = Query::update()
            .table("venue")
            .value("direction_x", latitude.cos() * longitude.cos())
            .value("direction_y", latitude.cos() * longitude.sin())
            .value("direction_z", latitude.sin())
            .and_where(Expr::col("id").eq(id))
            .to_owned();
        manager.execute(update).await?;
    }
    Ok(())
}

async fn fill_concerts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let of_event = |column| format!("(SELECT event.{column} FROM event WHERE event.id = event_performer.event_id)");
    let sql = format!(
        "UPDATE event_performer SET venue_id = {}, starts_at = {}, shown = {}",
        of_event("venue_id"),
        of_event("starts_at"),
        of_event("shown")
    );
    manager.get_connection().execute_raw(Statement::from_string(manager.get_database_backend(), sql)).await?;
    Ok(())
}
