//! `show_text`: the words of a show at a venue, by which its events are found ([ADR 46](../../../docs/adr/0046-words.md)).
//!
//! There is one row for each pair of a base event and a venue that has shown events, because their words are the same. The words are in a
//! column `words` of PostgreSQL (`tsvector`), and in the full-text table `show_word` of SQLite, with the id of the row. Nothing reads them
//! back: they are only matched.

mod document;
mod statement;

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{DbBackend, entity::prelude::*};

pub use self::statement::{is_match, match_text, select_first_matches, select_matches};
use self::{
    document::{Document, Pair},
    statement::{delete_words, insert_words, upsert},
};
use crate::{
    chunks::{chunks, has_any, key_chunks},
    word,
};

/// The venue of events without one.
pub const NO_VENUE: Uuid = Uuid::nil();

/// A show at a venue.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "show_text")]
pub struct Model {
    /// The key of its words.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The base event.
    pub base_event_id: Uuid,
    /// The venue, or [`NO_VENUE`].
    pub venue_id: Uuid,
    /// A hash of the words, so that those that are the same are not written again.
    pub content_hash: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// Writes the words of the events of some base events, and deletes those of pairs that no longer have events.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn refresh(transaction: &impl ConnectionTrait, base_events: &[Uuid]) -> Result<(), DbErr> {
    let mut documents = document::fetch(transaction, base_events).await?;
    let stored = fetch(transaction, base_events).await?;
    let (current, obsolete): (Vec<&Model>, Vec<&Model>) =
        stored.iter().partition(|row| documents.contains_key(&(row.base_event_id, row.venue_id)));
    delete(transaction, obsolete.iter().map(|row| row.id).collect()).await?;
    for row in current {
        let pair = (row.base_event_id, row.venue_id);
        if documents.get(&pair).is_some_and(|document| document.content_hash() == row.content_hash) {
            documents.remove(&pair);
        }
    }
    write(transaction, documents, stored).await
}

async fn fetch(transaction: &impl ConnectionTrait, base_events: &[Uuid]) -> Result<Vec<Model>, DbErr> {
    let of_base_events = has_any(transaction.get_database_backend(), Column::BaseEventId, base_events);
    Entity::find().filter(of_base_events).all(transaction).await
}

async fn delete(transaction: &impl ConnectionTrait, ids: Vec<i64>) -> Result<(), DbErr> {
    for ids in key_chunks(ids) {
        delete_words(transaction, ids.clone()).await?;
        Entity::delete_many().filter(COLUMN.id.is_in(ids)).exec(transaction).await?;
    }
    Ok(())
}

/// Writes documents that are new, or that have other words than the stored rows of their pairs.
async fn write(transaction: &impl ConnectionTrait, documents: BTreeMap<Pair, Document>, stored: Vec<Model>) -> Result<(), DbErr> {
    let mut words_of_provider: BTreeMap<i32, BTreeSet<&str>> = BTreeMap::new();
    for document in documents.values() {
        words_of_provider.entry(document.provider_id).or_default().extend(document.words.iter().map(String::as_str));
    }
    for (provider_id, words) in words_of_provider {
        word::insert(transaction, provider_id, words.into_iter()).await?;
    }
    let rows: Vec<(&Pair, &Document)> = documents.iter().collect();
    for rows in chunks(rows) {
        upsert(transaction, &rows).await?;
    }
    if transaction.get_database_backend() == DbBackend::Postgres {
        return Ok(());
    }
    let is_changed = |row: &&Model| documents.contains_key(&(row.base_event_id, row.venue_id));
    let previous: Vec<i64> = stored.iter().filter(is_changed).map(|row| row.id).collect();
    for ids in key_chunks(previous) {
        delete_words(transaction, ids).await?;
    }
    let base_events: BTreeSet<Uuid> = documents.keys().map(|(base_event, _)| *base_event).collect();
    let mut new_words = Vec::new();
    for base_events in key_chunks(base_events.into_iter().collect()) {
        for row in fetch(transaction, &base_events).await? {
            new_words.extend(documents.get(&(row.base_event_id, row.venue_id)).map(|document| (row.id, document.text())));
        }
    }
    for words in chunks(new_words) {
        insert_words(transaction, words).await?;
    }
    Ok(())
}
