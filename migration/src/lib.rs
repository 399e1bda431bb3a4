//! The schema of Marquee's database, the same on SQLite and PostgreSQL, as a list of migrations.
//!
//! Migrations contain their own identifiers and never use the tables of `entity`: a released migration must not change. The schema changes
//! in two releases, expand then contract, so that the programs of the previous release continue to work during a deployment. A migration
//! that they cannot work with excludes them. Programs do not migrate when they start; `marquee-migrate up` is a step of the deployment.

mod affiliate;
mod backfill;
mod catalogue;
mod change_states;
mod changes;
mod clocks;
mod compatibility;
mod compression;
mod concerts;
mod daily_totals;
mod details;
mod elements;
mod id_from;
mod jobs;
mod ledger;
mod list_indexes;
mod listing;
mod loading;
mod name_words;
mod organizers;
mod pages;
mod postgres;
mod probe;
mod pushes;
mod rates;
mod releases;
#[cfg(feature = "testing")]
pub mod testing;
mod version;
mod webhooks;
mod word_search;
mod words;

pub use compatibility::{require_of_programs, require_of_workers};
use sea_orm_migration::prelude::*;
pub use sea_orm_migration::{
    MigratorTrait,
    migrator::{Migration, MigrationStatus},
};

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
            Box::new(clocks::Migration),
            Box::new(loading::Migration),
            Box::new(compatibility::Migration),
            Box::new(releases::Migration),
            Box::new(changes::Migration),
            Box::new(details::Migration),
            Box::new(pages::Migration),
            Box::new(id_from::Migration),
            Box::new(listing::Migration),
            Box::new(words::Migration),
            Box::new(name_words::Migration),
            Box::new(affiliate::Migration),
            Box::new(word_search::Migration),
            Box::new(change_states::Migration),
            Box::new(daily_totals::Migration),
            Box::new(webhooks::Migration),
            Box::new(organizers::Migration),
            Box::new(elements::Migration),
            Box::new(list_indexes::Migration),
            Box::new(compression::Migration),
        ]
    }
}
