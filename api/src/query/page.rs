//! Pages of long lists: `limit`, `cursor` and the link to what follows.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::{Parameters, ValidationErrors};

/// Rows of one answer, with or without a `limit`: about 8 MB, which a client and a cache can still hold.
pub const MAX_ROWS: u64 = 50_000;

/// To be changed when the meaning of a cursor's bytes does.
const CURSOR_VERSION: u8 = 1;

/// Where a row stands in a list: what the list is ordered by, with ids that break ties.
pub trait Place: Clone + fmt::Debug + Eq {
    /// Appends its bytes.
    fn write(&self, bytes: &mut Vec<u8>);

    /// Reads what [`write`](Self::write) wrote, if nothing follows.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<P> {
    /// Rows, if the client set a number.
    pub limit: Option<u64>,
    /// The row after which the page begins.
    pub after: Option<Cursor<P>>,
}

/// A place in a list. It belongs to one query: continuing another one from it would skip rows or show them twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor<P> {
    /// That of the last row seen.
    pub place: P,
    query: u64,
}

impl<P> Default for Page<P> {
    /// The whole list.
    fn default() -> Self {
        Self { limit: None, after: None }
    }
}

impl<P: Place> Page<P> {
    /// Reads `limit` and `cursor` of a list whose filters are `query` (in one fixed form).
    #[must_use]
    pub fn read(parameters: &Parameters<'_>, query: &str, errors: &mut ValidationErrors) -> Self {
        let limit = parameters.get("limit", errors, parse_limit);
        let after = parameters.get("cursor", errors, str::parse::<Cursor<P>>);
        // Filters that cannot be understood are no other filters.
        if errors.is_empty() && after.as_ref().is_some_and(|cursor| cursor.query != xxh3_64(query.as_bytes())) {
            errors.add("cursor", "belongs to a list with other filters");
        }
        Self { limit, after }
    }

    /// How many rows to answer. One more is to be read, by which [`cut`](Self::cut) knows whether there is a next page.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.limit.unwrap_or(MAX_ROWS)
    }

    /// Takes away the row that is one too many; if there is one, the place behind the last row that is left.
    pub fn cut<Row>(&self, mut rows: Vec<Row>, query: &str, place: impl Fn(&Row) -> P) -> (Vec<Row>, Option<Cursor<P>>) {
        let has_more = u64::try_from(rows.len()).is_ok_and(|found| found > self.rows());
        if !has_more {
            return (rows, None);
        }
        rows.pop();
        let next = rows.last().map(place).map(|place| Cursor::behind(place, query));
        (rows, next)
    }

    /// The part as a text that is equal for equal parts.
    #[must_use]
    pub fn key(&self) -> String {
        let limit = self.limit.map(|limit| limit.to_string()).unwrap_or_default();
        let after = self.after.as_ref().map(Cursor::encode).unwrap_or_default();
        format!("{limit} {after}")
    }
}

impl<P: Place> Cursor<P> {
    /// The place behind a row of the list that `query` asks for.
    #[must_use]
    pub fn behind(place: P, query: &str) -> Self {
        Self { place, query: xxh3_64(query.as_bytes()) }
    }

    /// The form in which clients hand it back.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = vec![CURSOR_VERSION];
        bytes.extend(self.query.to_be_bytes());
        self.place.write(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

impl<P: Place> FromStr for Cursor<P> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || -> Option<Self> {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let (version, bytes) = bytes.split_first()?;
            let (query, place) = bytes.split_first_chunk::<8>()?;
            let place = P::read(place).filter(|_| *version == CURSOR_VERSION)?;
            Some(Self { place, query: u64::from_be_bytes(*query) })
        };
        read().ok_or_else(|| "is no cursor of ours: take it from the Link header of the page before".to_owned())
    }
}

/// A number, and an id among those that have the same.
impl Place for (i64, Uuid) {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.0.to_be_bytes());
        bytes.extend(self.1.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (number, id) = bytes.split_first_chunk::<8>()?;
        Some((i64::from_be_bytes(*number), Uuid::from_slice(id).ok()?))
    }
}

/// A number, an id among those that have the same, and a number again.
impl Place for (i64, Uuid, i32) {
    fn write(&self, bytes: &mut Vec<u8>) {
        (self.0, self.1).write(bytes);
        bytes.extend(self.2.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (place, last) = bytes.split_last_chunk::<4>()?;
        let (number, id) = Place::read(place)?;
        Some((number, id, i32::from_be_bytes(*last)))
    }
}

/// A text, and an id among those that have the same.
impl Place for (String, Uuid) {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.1.as_bytes());
        bytes.extend(self.0.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (id, text) = bytes.split_first_chunk::<16>()?;
        Some((str::from_utf8(text).ok()?.to_owned(), Uuid::from_bytes(*id)))
    }
}

/// A text, and another one among those that have the same.
impl Place for (String, String) {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend((self.0.len() as u64).to_be_bytes());
        bytes.extend(self.0.as_bytes());
        bytes.extend(self.1.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (length, texts) = bytes.split_first_chunk::<8>()?;
        let (first, second) = texts.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
        Some((str::from_utf8(first).ok()?.to_owned(), str::from_utf8(second).ok()?.to_owned()))
    }
}

/// A number alone.
impl Place for i64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_be_bytes(bytes.try_into().ok()?))
    }
}

fn parse_limit(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(limit @ 1..=MAX_ROWS) => Ok(limit),
        _ => Err(format!("want a whole number from 1 to {MAX_ROWS}")),
    }
}

/// The value of a `Link` header that names the next page: a path with the query of this one and the cursor.
#[must_use]
pub fn next_link<P: Place>(path: &str, filters: &[(&str, String)], limit: Option<u64>, cursor: &Cursor<P>) -> String {
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
        let cursor = Cursor::behind((-1, Uuid::max()), "query");
        assert_eq!(cursor.encode().parse(), Ok(cursor));
        let cursor = Cursor::behind((i64::MIN, Uuid::nil(), 7), "query");
        assert_eq!(cursor.encode().parse(), Ok(cursor));
        let cursor = Cursor::behind(("Oslo".to_owned(), "NOOSL".to_owned()), "query");
        assert_eq!(cursor.encode().parse(), Ok(cursor));
        let cursor = Cursor::behind(-1, "query");
        assert_eq!(cursor.encode().parse(), Ok(cursor));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let valid = Cursor::behind((0, Uuid::nil()), "").encode();
        let other_version = URL_SAFE_NO_PAD.encode([2; 33]);
        for text in ["", "x", "!!!!", &valid[1..], &format!("{valid}AAAA"), &other_version] {
            assert!(text.parse::<Cursor<(i64, Uuid)>>().is_err(), "{text}");
        }
        assert!(valid.parse::<Cursor<(i64, Uuid, i32)>>().is_err(), "that of another list");
    }
}
