//! Every migration can be applied, reverted and applied again.

use std::{collections::BTreeSet, sync::Arc};

use entity::ConnectionRole;
use migration::{MigrationStatus, Migrator, MigratorTrait, on_every_backend, testing::TestDatabase};
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityName, EntityTrait, Statement};

on_every_backend!(
    every_step_can_be_reverted_and_reapplied,
    a_new_schema_has_version_0,
    reverting_all_migrations_leaves_no_tables
);

/// The tables of the entities. The migrations must create exactly these.
fn entity_tables() -> BTreeSet<String> {
    let tables = [
        entity::alias::Entity.table_name(),
        entity::base_event::Entity.table_name(),
        entity::catalogue_version::Entity.table_name(),
        entity::change::Entity.table_name(),
        entity::change_retention::Entity.table_name(),
        entity::daily_total::Entity.table_name(),
        entity::datum::Entity.table_name(),
        entity::event::Entity.table_name(),
        entity::event_performer::Entity.table_name(),
        entity::feed_page::Entity.table_name(),
        entity::job::Entity.table_name(),
        entity::listing::Entity.table_name(),
        entity::name_word::Entity.table_name(),
        entity::performer::Entity.table_name(),
        entity::place::Entity.table_name(),
        entity::provider::Entity.table_name(),
        entity::pushed_feed::Entity.table_name(),
        entity::rate::Entity.table_name(),
        entity::rate_batch::Entity.table_name(),
        entity::rate_day::Entity.table_name(),
        entity::region::Entity.table_name(),
        entity::reject::Entity.table_name(),
        entity::release::Entity.table_name(),
        entity::schema_compatibility::Entity.table_name(),
        entity::show_text::Entity.table_name(),
        entity::sync_run::Entity.table_name(),
        entity::tombstone::Entity.table_name(),
        entity::undo::Entity.table_name(),
        entity::venue::Entity.table_name(),
        entity::webhook::Entity.table_name(),
        entity::word::Entity.table_name(),
        entity::zone::Entity.table_name(),
    ];
    tables.map(str::to_owned).into()
}

async fn every_step_can_be_reverted_and_reapplied(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let migrations = Migrator::migrations().len();
    for reverted in 1..=migrations {
        Migrator::down(&connection, Some(u32::try_from(reverted).unwrap())).await.unwrap();
        assert_eq!(count_applied(&connection).await, migrations - reverted);
        Migrator::up(&connection, None).await.unwrap();
        assert_eq!(count_applied(&connection).await, migrations);
        assert_eq!(list_tables(&connection).await, entity_tables());
    }
}

/// The programs compare this migration with the database.
#[test]
fn the_programs_need_the_newest_migration() {
    assert_eq!(Migrator::migrations().last().unwrap().name(), entity::NEWEST_MIGRATION);
}

async fn a_new_schema_has_version_0(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    assert_eq!(entity::catalogue_version::fetch_version(&connection).await.unwrap(), 0);
    entity::catalogue_version::increment(&connection).await.unwrap();
    assert_eq!(entity::catalogue_version::fetch_version(&connection).await.unwrap(), 1);
    assert_eq!(entity::catalogue_version::Entity::find().all(&connection).await.unwrap().len(), 1);
}

async fn reverting_all_migrations_leaves_no_tables(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    Migrator::down(&connection, None).await.unwrap();
    assert_eq!(list_tables(&connection).await, BTreeSet::new());
}

async fn count_applied(connection: &DatabaseConnection) -> usize {
    let migrations = Migrator::get_migration_with_status_read_only(connection).await.unwrap();
    migrations.iter().filter(|migration| migration.status() == MigrationStatus::Applied).count()
}

/// Lists the tables that exist in the database, except those of SQLite, of its index of words, and of the migrator.
async fn list_tables(connection: &DatabaseConnection) -> BTreeSet<String> {
    let backend = connection.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
        _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT GLOB 'show_word*'",
    };
    let rows = connection.query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
    let names = rows.iter().map(|row| row.try_get::<String>("", "name").unwrap());
    names.filter(|name| name != "seaql_migrations").collect()
}
