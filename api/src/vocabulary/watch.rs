//! Reads the words in the background.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use metrics::gauge;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::Vocabulary;
use crate::{
    cache::version::VersionWatch,
    database::{
        reader::{ReadSize, Reader},
        sql::{ReadConnection, Sql, is_loaded, read_rows},
    },
    error::ApiError,
};

/// How often the words are read again, if the catalogue has changed: a new word is a correction after this time.
const REFRESH_INTERVAL: Duration = Duration::from_secs(120);
/// The same while they could not be read.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);
/// Words of the catalogue. Reading them takes about 60 MB, and the automaton some megabytes. With more, no word is corrected.
const MAX_WORDS: usize = 1_000_000;

/// The newest vocabulary that this process has read.
#[derive(Debug)]
pub struct VocabularyWatch {
    max_words: usize,
    current: RwLock<Option<Arc<Vocabulary>>>,
}

#[derive(FromQueryResult)]
struct WordRow {
    word: String,
}

impl Default for VocabularyWatch {
    fn default() -> Self {
        Self::new(MAX_WORDS)
    }
}

impl VocabularyWatch {
    /// A watch that has read no words. `max_words` is `MAX_WORDS` except in tests.
    #[must_use]
    pub fn new(max_words: usize) -> Self {
        Self { max_words, current: RwLock::default() }
    }

    /// The words, if they were read.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Vocabulary>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the words.
    ///
    /// # Errors
    ///
    /// When the database is unavailable or overloaded. The words that were read before are used until the next attempt.
    pub async fn refresh(&self, reader: &Reader, version: &VersionWatch) -> Result<(), ApiError> {
        let source = reader.with_version(version.current(), version.newest_takedown());
        let read = fetch_words(&source.connection, self.max_words as u64 + 1);
        let words = reader.read(source, ReadSize::Large, read).await?;
        if words.len() > self.max_words {
            tracing::warn!(words.max = self.max_words, "the catalogue has too many words: mistyped words are not corrected");
            self.set(None);
            return Ok(());
        }
        let build = tokio::task::spawn_blocking(|| Vocabulary::build(words));
        match build.await.map_err(|_| ApiError::TaskPanicked)? {
            Ok(vocabulary) => self.set(Some(vocabulary)),
            Err(error) => tracing::error!(error = %error, "the automaton of the words was not built"),
        }
        Ok(())
    }

    /// Reads the words when the catalogue has changed.
    pub async fn run(&self, reader: &Reader, version: &VersionWatch) {
        let mut read = None;
        loop {
            let known = version.known();
            let mut pause = REFRESH_INTERVAL;
            if known.is_none() || known != read {
                match self.refresh(reader, version).await {
                    Ok(()) => read = known,
                    Err(error) => {
                        tracing::debug!(error = %error, "the words of the catalogue were not read");
                        pause = RETRY_INTERVAL;
                    }
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn set(&self, vocabulary: Option<Vocabulary>) {
        gauge!("marquee_vocabulary_words").set(vocabulary.as_ref().map_or(0, Vocabulary::len) as f64);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = vocabulary.map(Arc::new);
    }
}

async fn fetch_words(database: &impl ReadConnection, limit: u64) -> Result<Vec<String>, DbErr> {
    let mut sql = Sql::default();
    let text = format!("SELECT DISTINCT word FROM word WHERE {} LIMIT {}", is_loaded("word"), sql.bind(limit));
    let rows: Vec<WordRow> = read_rows(database, sql.statement(ConnectionTrait::get_database_backend(database), text)).await?;
    Ok(rows.into_iter().map(|row| row.word).collect())
}
