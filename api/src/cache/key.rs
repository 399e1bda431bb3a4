//! Cache keys. They are built here and nowhere else.

use std::fmt::Write;

use entity::UtcInstant;

use crate::response::ContentCoding;

/// To be incremented when the format or the meaning of cached bodies changes, so that bodies of older programs are never read.
const SCHEMA: u32 = 3;

/// The key in the process: the canonical form of the query, and the coding of the response.
#[must_use]
pub(super) fn in_process(canonical_query: &str, coding: ContentCoding) -> String {
    let mut key = String::with_capacity(canonical_query.len() + 9);
    key.push_str(canonical_query);
    key.push(' ');
    key.push_str(coding.name());
    key
}

/// The key in Redis, which several programs and databases may share. It contains the version, so that a late body is stored under a
/// key that is not read any more.
#[must_use]
pub(super) fn in_redis(version: i64, raised_at: UtcInstant, in_process: &str) -> String {
    let mut key = String::with_capacity(in_process.len() + 48);
    // Writing to a string cannot fail.
    let _written = write!(key, "marquee:{SCHEMA}:{version}-{}:{in_process}", raised_at.0);
    key
}
