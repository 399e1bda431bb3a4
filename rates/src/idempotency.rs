//! Idempotency keys: requests with the same key and the same body are one batch, however often they are sent
//! ([draft-ietf-httpapi-idempotency-key-header](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)).
//!
//! The key of a committed batch is a column of it, written in the same transaction. A key in use is locked twice, and both locks end with
//! the process: in the process from the first byte of the request, and in PostgreSQL by an advisory lock of the transaction.

use std::{
    collections::HashSet,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

/// The value of an `Idempotency-Key` header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The longest key: several UUIDs.
    pub const MAX_CHARACTERS: usize = 255;

    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if text.trim().is_empty() || text.len() > Self::MAX_CHARACTERS || !is_printable {
            return Err(format!(
                "must be 1 to {} printable ASCII characters, such as a new UUID for each request",
                Self::MAX_CHARACTERS
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The keys in use by requests of this process.
#[derive(Clone, Debug, Default)]
pub struct IdempotencyKeys(Arc<Mutex<HashSet<IdempotencyKey>>>);

/// The exclusive use of a key in this process, until it is dropped.
#[derive(Debug)]
pub struct KeyClaim {
    keys: IdempotencyKeys,
    key: IdempotencyKey,
}

impl IdempotencyKeys {
    /// Claims a key; `None` if another request is using it.
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
