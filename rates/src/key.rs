//! Keys of requests: the same key and the same body are one batch, however often they come
//! ([draft-ietf-httpapi-idempotency-key-header](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)).
//!
//! The key of a batch that was taken in is a column of it, written in its transaction. A key under way is a lock, so that a process
//! that is killed holds none: on PostgreSQL one of the transaction that will write the batch, on SQLite, which has one machine, one of the
//! process.

use std::{
    collections::HashSet,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use entity::begin_write;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement, TransactionTrait};

/// Characters of a key: four UUIDs.
const MAX_CHARACTERS: usize = 255;

/// The key of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if text.trim().is_empty() || text.len() > MAX_CHARACTERS || !is_printable {
            return Err(format!("want 1 to {MAX_CHARACTERS} printable ASCII characters, such as a new UUID for each batch"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The keys that requests of this process use now.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<Mutex<HashSet<Key>>>);

/// Why a key cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another request uses it now.
    #[error("another batch with this key is under way")]
    Running,
    /// The database is away.
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// The right to bring a batch in, with its key if it has one. It ends when it is dropped.
#[derive(Debug)]
pub struct Claim {
    pub(crate) key: Option<Key>,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Nothing,
    Transaction(DatabaseTransaction),
    InProcess(InProcess),
}

impl Claim {
    /// Claims a key before its batch is read.
    ///
    /// # Errors
    ///
    /// When another request holds it, or the database is away.
    pub async fn new(database: &DatabaseConnection, keys: &Keys, key: Option<Key>) -> Result<Self, ClaimError> {
        let held = match &key {
            None => Held::Nothing,
            Some(key) if database.get_database_backend() == DbBackend::Postgres => {
                Held::Transaction(lock(database, key).await?.ok_or(ClaimError::Running)?)
            }
            Some(key) => Held::InProcess(InProcess::take(keys, key).ok_or(ClaimError::Running)?),
        };
        Ok(Self { key, held })
    }

    /// Gives the key up at once; a claim that is only dropped gives it up a moment later.
    ///
    /// # Errors
    ///
    /// When the database is away, and with it the claim.
    pub async fn release(self) -> Result<(), DbErr> {
        match self.held {
            Held::Transaction(transaction) => transaction.rollback().await,
            Held::Nothing | Held::InProcess(_) => Ok(()),
        }
    }

    /// The transaction that is to write the batch, and the rest of the claim, which is to be kept until it has ended.
    pub(crate) async fn begin(self, database: &DatabaseConnection) -> Result<(DatabaseTransaction, impl Drop), DbErr> {
        match self.held {
            Held::Transaction(transaction) => Ok((transaction, InProcess::default())),
            Held::Nothing => Ok((begin_write(database).await?, InProcess::default())),
            Held::InProcess(held) => Ok((begin_write(database).await?, held)),
        }
    }
}

/// A transaction that holds the lock of the key and nothing else: it has no snapshot that would keep the server from cleaning up.
async fn lock(database: &DatabaseConnection, key: &Key) -> Result<Option<DatabaseTransaction>, DbErr> {
    let transaction = database.begin().await?;
    // Two keys with one hash would wait for each other, and nothing worse.
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended('rate_batch ' || $1, 0)) AS is_free";
    let lock = Statement::from_sql_and_values(DbBackend::Postgres, sql, [key.as_str().into()]);
    let is_free = match transaction.query_one_raw(lock).await? {
        Some(row) => row.try_get("", "is_free")?,
        None => false,
    };
    Ok(is_free.then_some(transaction))
}

/// A key in the set of the process.
#[derive(Debug, Default)]
struct InProcess(Option<(Keys, Key)>);

impl InProcess {
    fn take(keys: &Keys, key: &Key) -> Option<Self> {
        let mut used = keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(key.clone()).then(|| Self(Some((keys.clone(), key.clone()))))
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Some((keys, key)) = self.0.take() {
            keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
    }
}
