//! Cache keys. They are built here and nowhere else.

use crate::{public_url::PublicUrl, response::ContentCoding};

/// The format of cached responses. To be incremented when the bytes or the meaning of a response change, so that programs of two releases
/// can share a Redis. A test compares the responses of a fixed catalogue with those that are recorded for this number.
pub const FORMAT: u32 = 8;

/// The beginning of the keys in a Redis that several databases and releases may share. `database` is the location of the primary.
#[must_use]
pub fn namespace(database: &str) -> String {
    format!("marquee:{FORMAT}:{database}:")
}

/// The key in each tier: the address of the service if the response contains it, the canonical form of the query, its corrected words, and
/// the coding of the response.
#[must_use]
pub(super) fn of(
    public_url: Option<&PublicUrl>,
    canonical_query: &str,
    corrected: Option<&str>,
    coding: ContentCoding,
) -> String {
    let mut key = public_url.map(PublicUrl::to_string).unwrap_or_default();
    key.reserve_exact(canonical_query.len() + corrected.map_or(0, str::len) + 10);
    key.push_str(canonical_query);
    key.push(' ');
    // A canonical query has no spaces, so this is part of none.
    if let Some(corrected) = corrected {
        key.push_str(corrected);
        key.push(' ');
    }
    key.push_str(coding.name());
    key
}
