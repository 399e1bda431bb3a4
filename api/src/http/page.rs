//! Pages of long lists: `limit`, `cursor` and the link to what follows.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::{Mistakes, Parameters};

/// Rows of one answer, with or without a `limit`: about 8 MB, which a client and a cache can still hold.
pub const MAX_ROWS: u64 = 50_000;

/// To be changed when the meaning of a cursor's bytes does.
const CURSOR_VERSION: u8 = 1;
const CURSOR_BYTES: usize = 1 + 8 + 8 + 16;

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Rows, if the client set a number.
    pub limit: Option<u64>,
    /// The row after which the page begins.
    pub after: Option<Cursor>,
}

/// A place in a list that is ordered by a number and an id. It belongs to one query: continuing another one from it would skip rows or
/// show them twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the last row seen: microseconds, or whatever orders the list.
    pub key: i64,
    /// Its id; nil where the number alone orders the list.
    pub id: Uuid,
    query: u64,
}

impl Page {
    /// Reads `limit` and `cursor` of a list whose filters are `query` (in one fixed form).
    #[must_use]
    pub fn read(parameters: &Parameters<'_>, query: &str, mistakes: &mut Mistakes) -> Self {
        let limit = parameters.get("limit", mistakes, parse_limit);
        let after = parameters.get("cursor", mistakes, str::parse::<Cursor>);
        // Filters that cannot be understood are no other filters.
        if mistakes.is_empty() && after.is_some_and(|cursor| cursor.query != xxh3_64(query.as_bytes())) {
            mistakes.add("cursor", "belongs to a list with other filters");
        }
        Self { limit, after }
    }

    /// How many rows to answer. One more is to be read, by which [`cut`](Self::cut) knows whether there is a next page.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.limit.unwrap_or(MAX_ROWS)
    }

    /// Takes away the row that is one too many; if there is one, the place behind the last row that is left.
    pub fn cut<Row>(&self, mut rows: Vec<Row>, query: &str, place: impl Fn(&Row) -> (i64, Uuid)) -> (Vec<Row>, Option<Cursor>) {
        let has_more = u64::try_from(rows.len()).is_ok_and(|found| found > self.rows());
        if !has_more {
            return (rows, None);
        }
        rows.pop();
        let next = rows.last().map(place).map(|(key, id)| Cursor::behind(key, id, query));
        (rows, next)
    }
}

impl Cursor {
    /// The place behind a row of the list that `query` asks for.
    #[must_use]
    pub fn behind(key: i64, id: Uuid, query: &str) -> Self {
        Self { key, id, query: xxh3_64(query.as_bytes()) }
    }

    /// The form in which clients hand it back.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(CURSOR_BYTES);
        bytes.push(CURSOR_VERSION);
        bytes.extend(self.query.to_be_bytes());
        bytes.extend(self.key.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn parse_limit(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(limit @ 1..=MAX_ROWS) => Ok(limit),
        _ => Err(format!("want a whole number from 1 to {MAX_ROWS}")),
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || -> Option<Self> {
            let bytes: [u8; CURSOR_BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
            let (version, bytes) = bytes.split_first()?;
            let (query, bytes) = bytes.split_first_chunk::<8>()?;
            let (key, id) = bytes.split_first_chunk::<8>()?;
            (*version == CURSOR_VERSION).then_some(Self {
                key: i64::from_be_bytes(*key),
                id: Uuid::from_slice(id).ok()?,
                query: u64::from_be_bytes(*query),
            })
        };
        read().ok_or_else(|| "is no cursor of ours: take it from the Link header of the page before".to_owned())
    }
}

/// The value of a `Link` header that names the next page: a path with the query of this one and the cursor.
#[must_use]
pub fn next_link(path: &str, filters: &[(&str, String)], limit: Option<u64>, cursor: &Cursor) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(filters);
    if let Some(limit) = limit {
        query.append_pair("limit", &limit.to_string());
    }
    query.append_pair("cursor", &cursor.encode());
    format!("<{path}?{}>; rel=\"next\"", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_to_the_client_and_back() {
        let cursor = Cursor::behind(-1, Uuid::max(), "query");
        assert_eq!(cursor.encode().parse(), Ok(cursor));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let valid = Cursor::behind(0, Uuid::nil(), "").encode();
        let other_version = URL_SAFE_NO_PAD.encode([2; CURSOR_BYTES]);
        for text in ["", "x", "!!!!", &valid[1..], &format!("{valid}AAAA"), &other_version] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
