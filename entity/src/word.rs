//! `word`: the words of each provider's events, from which the nearest ones to a mistyped word are found.
//!
//! A provider has its own rows, so that syncs of several providers never wait for each other. Rows remain when the last event with the word
//! is gone, unless it was removed for legal reasons: who uses them compares them with the events.

use std::collections::BTreeSet;

use sea_orm::{DbBackend, Statement, entity::prelude::*};

use crate::{
    show_text::{match_text, select_matches},
    words::Term,
};

/// Shorter words are not corrected.
const MIN_CHARACTERS: usize = 3;

/// One word of one provider.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "word")]
pub struct Model {
    /// The provider.
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider_id: i32,
    /// The word, as of [`split_words`](crate::words::split_words).
    #[sea_orm(primary_key, auto_increment = false)]
    pub word: String,
}

impl ActiveModelBehavior for ActiveModel {}

/// Adds words of a provider. Words that it has already, and short ones, are skipped.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn insert<'a>(
    transaction: &impl ConnectionTrait,
    provider_id: i32,
    words: impl Iterator<Item = &'a str>,
) -> Result<(), DbErr> {
    let words: Vec<&str> = words.filter(|word| word.chars().nth(MIN_CHARACTERS - 1).is_some()).collect();
    if words.is_empty() {
        return Ok(());
    }
    let backend = transaction.get_database_backend();
    let rows = match backend {
        DbBackend::Postgres => "SELECT $1, new.word FROM unnest(string_to_array($2, ' ')) AS new (word)",
        _ => "SELECT $1, new.value FROM json_each('[\"' || replace($2, ' ', '\",\"') || '\"]') AS new WHERE TRUE",
    };
    let text = format!("INSERT INTO word (provider_id, word) {rows} ON CONFLICT DO NOTHING");
    let statement = Statement::from_sql_and_values(backend, text, [provider_id.into(), words.join(" ").into()]);
    transaction.execute_raw(statement).await?;
    Ok(())
}

/// Deletes those of these words that no show of the provider has.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete_unused(transaction: &impl ConnectionTrait, provider_id: i32, words: BTreeSet<String>) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    let text = format!(
        "DELETE FROM word WHERE provider_id = $1 AND word = $2 AND NOT EXISTS (SELECT 1 FROM ({}) AS found \
         JOIN show_text ON show_text.id = found.id JOIN base_event ON base_event.id = show_text.base_event_id \
         WHERE base_event.provider_id = $1)",
        select_matches(backend, "$3"),
    );
    for word in words {
        let terms = match_text(backend, &[Term { word: word.clone(), is_prefix: false }]);
        let values = [provider_id.into(), word.into(), terms.into()];
        transaction.execute_raw(Statement::from_sql_and_values(backend, text.clone(), values)).await?;
    }
    Ok(())
}
