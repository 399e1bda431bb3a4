//! The schema of Marquee's database, the same on SQLite and PostgreSQL, as a list of migrations.
//!
//! Migrations keep identifiers of their own and never use `entity`'s tables: what once ran must mean the same for ever. A
//! schema changes in two releases, expand then contract, so that the programs of the release before go on working meanwhile.
//! Nothing migrates by itself when a program starts; `marquee-migrate up` is a step of the deployment.

mod catalogue;
mod concerts;
mod jobs;
mod ledger;
mod probe;
mod pushes;
mod rates;
#[cfg(feature = "testing")]
pub mod testing;
mod version;

use sea_orm_migration::prelude::*;
pub use sea_orm_migration::{MigratorTrait, migrator::MigrationStatus};

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(catalogue::Migration),
            Box::new(ledger::Migration),
            Box::new(jobs::Migration),
            Box::new(version::Migration),
            Box::new(concerts::Migration),
            Box::new(rates::Migration),
            Box::new(probe::Migration),
            Box::new(pushes::Migration),
        ]
    }
}
