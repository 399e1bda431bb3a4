//! The parts of names by which performers and venues are found, on both databases.

use std::{collections::BTreeSet, sync::Arc};

use entity::{
    job::{JobKind, queue},
    name_word::{self, NameKind},
    venue,
};
use migration::{Migrator, MigratorTrait, on_every_backend, testing::TestDatabase};
use sea_orm::{DatabaseConnection, EntityTrait, prelude::Uuid};
use worker::{
    backfill::{self, names::Names},
    jobs::backfill::BackfillJob,
};

use super::{Copying, Tables};
use crate::feeds::{event, feed, online};

on_every_backend!(a_renamed_venue_is_found_by_its_new_words, names_of_an_earlier_release_are_filled);

/// Compares the table with the names.
pub(super) async fn assert_words(database: &DatabaseConnection, tables: &Tables) {
    let performers = tables.performers.iter().map(|performer| (NameKind::Performer, performer.id, &performer.folded_name));
    let venues = tables.venues.iter().map(|venue| (NameKind::Venue, venue.id, &venue.folded_name));
    let mut expected: BTreeSet<(Uuid, String, &str)> = BTreeSet::new();
    for (kind, id, name) in performers.chain(venues) {
        let kind = if kind == NameKind::Performer { "performer" } else { "venue" };
        let later = name.match_indices(' ').map(|(space, _)| &name[space + 1..]);
        expected.extend(later.take(15).map(|text| (id, text.chars().take(200).collect(), kind)));
    }
    let rows = name_word::Entity::find().all(database).await.unwrap();
    let words = rows.into_iter().map(|row| {
        let kind = if row.kind == NameKind::Performer { "performer" } else { "venue" };
        (row.item_id, row.text, kind)
    });
    assert_eq!(words.collect::<BTreeSet<_>>(), expected);
}

fn at(venue: &str) -> String {
    let venue = format!("<venue venue_id=\"7\" name=\"{venue}\" latitude=\"41.374\" longitude=\"2.169\"/></event>");
    feed(&[online("1", &[event("1", &["5.00"]).replace("</event>", &venue)])])
}

async fn words(copying: &Copying) -> Vec<String> {
    // Comparing the tables also compares the words.
    copying.tables().await;
    let mut words: Vec<String> =
        name_word::Entity::find().all(&copying.database).await.unwrap().into_iter().map(|word| word.text).collect();
    words.sort_unstable();
    words
}

async fn a_renamed_venue_is_found_by_its_new_words(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(at("Sala del Órgano")).await;
    assert_eq!(words(&copying).await, ["del organo", "organo"]);
    copying.accept(at("Sala Nueva")).await;
    assert_eq!(words(&copying).await, ["nueva"]);
    copying.accept(at("Sala")).await;
    assert_eq!(words(&copying).await, [""; 0]);
}

async fn names_of_an_earlier_release_are_filled(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(at("Sala del Órgano")).await;
    let database = &copying.database;
    let migrations = Migrator::migrations();
    let before = migrations.iter().position(|migration| migration.name().ends_with("name_words")).unwrap();
    Migrator::down(database, u32::try_from(migrations.len() - before).ok()).await.unwrap();
    Migrator::up(database, None).await.unwrap();
    venue::Entity::update_many().col_expr(venue::Column::FoldedName, "sala".into()).exec(database).await.unwrap();

    let claim =
        queue::claim(database, &[BackfillJob::<Names>::KIND], "w", std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    BackfillJob::<Names>::decode(&claim.payload).unwrap();
    let version = copying.version().await;
    assert_eq!(backfill::run::<Names>(database).await.unwrap(), 1);
    assert!(copying.version().await > version, "cached lists lack the names");
    assert_eq!(words(&copying).await, ["del organo", "organo"]);
    assert_eq!(backfill::run::<Names>(database).await.unwrap(), 1, "it can be repeated");
    assert_eq!(words(&copying).await, ["del organo", "organo"]);
}
