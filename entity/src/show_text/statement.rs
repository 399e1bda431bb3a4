//! The statements that write and match words, which differ between the databases.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

use super::document::{Document, Pair};
use crate::words::Term;

/// The words of a query, for [`is_match`] and [`select_matches`]: all of them must match.
#[must_use]
pub fn match_text(backend: DbBackend, terms: &[Term]) -> String {
    let (quote, and, prefix) = match backend {
        DbBackend::Postgres => ('\'', " & ", ":*"),
        _ => ('"', " AND ", "*"),
    };
    let terms =
        terms.iter().map(|Term { word, is_prefix }| format!("{quote}{word}{quote}{}", if *is_prefix { prefix } else { "" }));
    terms.collect::<Vec<_>>().join(and)
}

/// The ids of the documents that match the [`match_text`] of a placeholder.
#[must_use]
pub fn select_matches(backend: DbBackend, placeholder: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("SELECT id FROM show_text WHERE words @@ CAST({placeholder} AS tsquery)"),
        _ => format!("SELECT rowid AS id FROM show_word WHERE show_word MATCH {placeholder}"),
    }
}

/// The first of them, also on connections that must not scan bitmaps.
#[must_use]
pub fn select_first_matches(backend: DbBackend, placeholder: &str, max: usize) -> String {
    match backend {
        DbBackend::Postgres => format!("SELECT show_text_matches(CAST({placeholder} AS tsquery), {max}) AS id"),
        _ => format!("{} LIMIT {max}", select_matches(backend, placeholder)),
    }
}

/// The condition that the document with the id of a column matches the [`match_text`] of a placeholder. It reads the documents one by one
/// on PostgreSQL, and all that match once on SQLite.
#[must_use]
pub fn is_match(backend: DbBackend, column: &str, placeholder: &str) -> String {
    match backend {
        // As a scalar, which the planner cannot make a join.
        DbBackend::Postgres => {
            format!("(SELECT words @@ CAST({placeholder} AS tsquery) FROM show_text WHERE show_text.id = {column})")
        }
        // The sign keeps SQLite from reading the index of the column instead of the one in the order of the list.
        _ => format!("+{column} IN ({})", select_matches(backend, placeholder)),
    }
}

/// Inserts documents or replaces those of the same pairs. On SQLite, without their words.
pub(super) async fn upsert(transaction: &impl ConnectionTrait, rows: &[(&Pair, &Document)]) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    let is_postgres = backend == DbBackend::Postgres;
    let mut values: Vec<Value> = Vec::new();
    let mut text = "INSERT INTO show_text (base_event_id, venue_id, content_hash".to_owned();
    text += if is_postgres { ", words) VALUES " } else { ") VALUES " };
    for (index, ((base_event, venue), document)) in rows.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let first = values.len() + 1;
        let _ = write!(text, "{separator}(${first}, ${}, ${}", first + 1, first + 2);
        values.extend([(*base_event).into(), (*venue).into(), document.content_hash().into()]);
        if is_postgres {
            values.push(document.text().into());
            let _ = write!(text, ", array_to_tsvector(string_to_array(${}, ' '))", first + 3);
        }
        text.push(')');
    }
    text += " ON CONFLICT (base_event_id, venue_id) DO UPDATE SET content_hash = excluded.content_hash";
    text += if is_postgres { ", words = excluded.words" } else { "" };
    transaction.execute_raw(Statement::from_sql_and_values(backend, text, values)).await?;
    Ok(())
}

/// Deletes the words of documents. PostgreSQL has them in the same rows.
pub(super) async fn delete_words(transaction: &impl ConnectionTrait, ids: Vec<i64>) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    if backend == DbBackend::Postgres {
        return Ok(());
    }
    let placeholders: Vec<String> = (1..=ids.len()).map(|number| format!("${number}")).collect();
    let text = format!("DELETE FROM show_word WHERE rowid IN ({})", placeholders.join(", "));
    transaction.execute_raw(Statement::from_sql_and_values(backend, text, ids.into_iter().map(Value::from))).await?;
    Ok(())
}

/// Inserts the words of documents on SQLite.
pub(super) async fn insert_words(transaction: &impl ConnectionTrait, rows: Vec<(i64, String)>) -> Result<(), DbErr> {
    let placeholders: Vec<String> = (1..=rows.len()).map(|number| format!("(${}, ${})", 2 * number - 1, 2 * number)).collect();
    let text = format!("INSERT INTO show_word (rowid, words) VALUES {}", placeholders.join(", "));
    let values: Vec<Value> = rows.into_iter().flat_map(|(id, words)| [id.into(), words.into()]).collect();
    let statement = Statement::from_sql_and_values(transaction.get_database_backend(), text, values);
    transaction.execute_raw(statement).await?;
    Ok(())
}
