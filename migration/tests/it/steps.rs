//! Each migration can be applied, taken back and applied again.

use std::sync::Arc;

use entity::ConnectionRole;
use migration::{MigrationStatus, Migrator, MigratorTrait, on_every_backend, testing::TestDatabase};
use sea_orm_migration::{
    SchemaManager,
    sea_orm::{DatabaseConnection, EntityTrait},
};

on_every_backend!(every_step_goes_down_and_up_again, a_fresh_schema_holds_version_0, taking_all_back_leaves_no_table);

const TABLES: [&str; 11] = [
    "provider",
    "base_event",
    "event",
    "zone",
    "venue",
    "performer",
    "event_performer",
    "catalogue_version",
    "sync_run",
    "reject",
    "job",
];

async fn every_step_goes_down_and_up_again(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let migrations = Migrator::migrations().len();
    for taken_back in 1..=migrations {
        Migrator::down(&connection, Some(u32::try_from(taken_back).unwrap())).await.unwrap();
        assert_eq!(applied(&connection).await, migrations - taken_back);
        Migrator::up(&connection, None).await.unwrap();
        assert_eq!(applied(&connection).await, migrations);
    }
    assert_eq!(tables(&connection).await, TABLES);
}

async fn a_fresh_schema_holds_version_0(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    assert_eq!(entity::catalogue_version::fetch_version(&connection).await.unwrap(), 0);
    entity::catalogue_version::increment(&connection).await.unwrap();
    assert_eq!(entity::catalogue_version::fetch_version(&connection).await.unwrap(), 1);
    assert_eq!(entity::catalogue_version::Entity::find().all(&connection).await.unwrap().len(), 1);
}

async fn taking_all_back_leaves_no_table(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    Migrator::down(&connection, None).await.unwrap();
    assert_eq!(tables(&connection).await, [""; 0]);
}

async fn applied(connection: &DatabaseConnection) -> usize {
    let migrations = Migrator::get_migration_with_status_read_only(connection).await.unwrap();
    migrations.iter().filter(|migration| migration.status() == MigrationStatus::Applied).count()
}

async fn tables(connection: &DatabaseConnection) -> Vec<&'static str> {
    let manager = SchemaManager::new(connection);
    let mut found = Vec::new();
    for table in TABLES {
        if manager.has_table(table).await.unwrap() {
            found.push(table);
        }
    }
    found
}
