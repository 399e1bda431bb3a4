//! IdempotencyKeys of requests: the same key and the same body are one batch, however often they come
//! ([draft-ietf-httpapi-idempotency-key-header](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)).
//!
//! The key of a batch that was taken in is a column of it, written in its transaction. A key under way is held twice, and both end with
//! the process that holds it: in the process from the first byte on, and in PostgreSQL by a lock of the transaction that writes the batch.

use std::{
    collections::HashSet,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

/// Characters of a key: several UUIDs.
const MAX_CHARACTERS: usize = 255;

/// The key of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
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
pub struct IdempotencyKeys(Arc<Mutex<HashSet<IdempotencyKey>>>);

/// A key that nobody else in this process uses until this is dropped.
#[derive(Debug)]
pub struct KeyClaim {
    keys: IdempotencyKeys,
    key: IdempotencyKey,
}

impl IdempotencyKeys {
    /// Claims a key before its batch is read; `None` if another request uses it.
    #[must_use]
    pub fn claim(&self, key: IdempotencyKey) -> Option<KeyClaim> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(key.clone()).then(|| KeyClaim { keys: self.clone(), key })
    }
}

impl KeyClaim {
    pub(crate) fn key(&self) -> &IdempotencyKey {
        &self.key
    }
}

impl Drop for KeyClaim {
    fn drop(&mut self) {
        self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
