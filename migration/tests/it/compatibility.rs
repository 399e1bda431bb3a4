//! Which programs fit a schema.

use std::sync::Arc;

use entity::{
    ConnectionRole::{self, Api, Command, Migrate, Watch, Worker, Write},
    SchemaFit::{self, Fits, Outdated, TooNew},
    check_schema,
};
use migration::{
    Migrator, MigratorTrait, on_every_backend,
    testing::{Backend, EXPANSION, NextRelease, TestDatabase},
};
use sea_orm_migration::sea_orm::DatabaseConnection;

on_every_backend!(newer_migrations_exclude_workers_and_then_all_programs, a_schema_without_a_migration_is_outdated);

async fn assert_fit(database: &DatabaseConnection, roles: &[ConnectionRole], expected: &SchemaFit) {
    for role in roles {
        assert_eq!(&check_schema(database, *role).await.unwrap(), expected, "{role:?}");
    }
}

async fn newer_migrations_exclude_workers_and_then_all_programs(database: Arc<TestDatabase>) {
    let connection = database.connect(Migrate).await;
    let (workers, others) = ([Worker, Command], [Api, Write, Watch, Migrate]);
    let too_new = TooNew { required: EXPANSION.to_owned() };
    let assert_fits = async |of_workers: &SchemaFit, of_others: &SchemaFit| {
        assert_fit(&connection, &workers, of_workers).await;
        assert_fit(&connection, &others, of_others).await;
    };
    assert_fits(&Fits, &Fits).await;
    NextRelease::up(&connection, Some(1)).await.unwrap();
    assert_fits(&too_new, &Fits).await;
    NextRelease::up(&connection, Some(1)).await.unwrap();
    assert_fits(&too_new, &too_new).await;
    NextRelease::down(&connection, Some(1)).await.unwrap();
    assert_fits(&too_new, &Fits).await;
    NextRelease::down(&connection, Some(1)).await.unwrap();
    assert_fits(&Fits, &Fits).await;
    connection.close().await.unwrap();
}

/// The release before has no `schema_compatibility`.
async fn a_schema_without_a_migration_is_outdated(database: Arc<TestDatabase>) {
    let connection = database.connect(Migrate).await;
    for steps in [Some(1), Some(1), None] {
        Migrator::down(&connection, steps).await.unwrap();
        assert_fit(&connection, &[Worker, Api], &Outdated).await;
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_requirement_that_this_release_meets_excludes_nothing() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let connection = database.connect(Migrate).await;
    let manager = sea_orm_migration::SchemaManager::new(&connection);
    for required in ["m20261126_000010_loading", entity::NEWEST_MIGRATION] {
        migration::require_of_programs(&manager, Some(required)).await.unwrap();
        assert_fit(&connection, &[Worker, Api], &Fits).await;
    }
    connection.close().await.unwrap();
    database.remove().await;
}

/// Programs compare names to find out which migration is newer.
#[test]
fn names_of_migrations_increase() {
    let names: Vec<String> = NextRelease::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    assert!(names.is_sorted_by(|name, next| name < next), "{names:?}");
}
