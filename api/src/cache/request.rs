//! A query together with the form in which its response is needed.

use super::{CachedQuery, key};
use crate::response::ContentCoding;

/// A query, the content coding of its response, and the key of both.
#[derive(Clone, Debug)]
pub struct CacheRequest<Q> {
    pub(super) query: Q,
    pub(super) coding: ContentCoding,
    pub(super) key: String,
}

impl<Q: CachedQuery> CacheRequest<Q> {
    /// A request for the response to `query` in this coding.
    #[must_use]
    pub fn new(query: Q, coding: ContentCoding) -> Self {
        let key = key::of(&query.canonical(), coding);
        Self { query, coding, key }
    }

    /// The same query without a coding.
    pub(super) fn identity(&self) -> Self {
        Self::new(self.query.clone(), ContentCoding::Identity)
    }
}
