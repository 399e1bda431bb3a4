//! Cursors: the position in a list after which the next page begins.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use xxhash_rust::xxh3::xxh3_64;

/// To be incremented when the meaning of a cursor's content changes.
const VERSION: u8 = 2;

/// The values by which a list is sorted, with ids that break ties.
pub trait SortKey: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<K: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static> SortKey for K {}

/// A position in the list of one query: resuming another query from it would skip or repeat rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor<K> {
    /// The sort key of the last row of the page before.
    pub sort_key: K,
    query_hash: u64,
}

impl<K: SortKey> Cursor<K> {
    /// The position after a row in the list of a query in canonical form.
    #[must_use]
    pub fn new(sort_key: K, canonical_query: &str) -> Self {
        Self { sort_key, query_hash: xxh3_64(canonical_query.as_bytes()) }
    }

    /// Whether it belongs to the list of a query.
    #[must_use]
    pub fn belongs_to(&self, canonical_query: &str) -> bool {
        self.query_hash == xxh3_64(canonical_query.as_bytes())
    }

    /// The opaque text that clients send back.
    #[must_use]
    pub fn encode(&self) -> String {
        let content = serde_json::to_vec(&(VERSION, self.query_hash, &self.sort_key));
        // Numbers, texts and ids always serialize.
        URL_SAFE_NO_PAD.encode(content.unwrap_or_default())
    }
}

impl<K: SortKey> FromStr for Cursor<K> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let decode = || {
            let content = URL_SAFE_NO_PAD.decode(text).ok()?;
            let (version, query_hash, sort_key): (u8, u64, K) = serde_json::from_slice(&content).ok()?;
            (version == VERSION).then_some(Self { sort_key, query_hash })
        };
        decode().ok_or_else(|| "must be a cursor from the `Link` header of a previous page".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::prelude::Uuid;

    use super::*;

    fn assert_round_trip<K: SortKey>(sort_key: K) {
        let cursor = Cursor::new(sort_key, "/search");
        let decoded: Cursor<K> = cursor.encode().parse().unwrap();
        assert_eq!(decoded, cursor);
        assert!(decoded.belongs_to("/search") && !decoded.belongs_to("/search?limit=1"));
    }

    #[test]
    fn encoding_round_trips() {
        assert_round_trip((-1_i64, Uuid::max()));
        assert_round_trip((i64::MIN, Uuid::nil(), 7));
        assert_round_trip(("Ænima \"live\"".to_owned(), "NOOSL".to_owned()));
        assert_round_trip(-1_i64);
    }

    #[test]
    fn rejects_texts_that_are_not_cursors() {
        let valid = Cursor::new((0_i64, Uuid::nil()), "").encode();
        let other_version = URL_SAFE_NO_PAD.encode(r#"[1,0,[0,"00000000000000000000000000000000"]]"#);
        for text in ["", "x", "!!!!", &valid[1..], &format!("{valid}AAAA"), &other_version] {
            assert!(text.parse::<Cursor<(i64, Uuid)>>().is_err(), "{text}");
        }
        assert!(valid.parse::<Cursor<(i64, Uuid, i32)>>().is_err(), "the cursor of another list");
    }
}
