//! A query together with the form in which its response is needed.

use super::{CachedQuery, key};
use crate::{response::ContentCoding, vocabulary::Vocabulary};

/// A query, the content coding of its response, and the key of both.
#[derive(Clone, Debug)]
pub struct CacheRequest<Q> {
    pub(super) query: Q,
    pub(super) coding: ContentCoding,
    corrected: Option<String>,
    pub(super) key: String,
}

impl<Q: CachedQuery> CacheRequest<Q> {
    /// A request for the response to `query` in this coding, without corrected words.
    #[must_use]
    pub fn new(query: Q, coding: ContentCoding) -> Self {
        Self::with_corrected(query, None, coding)
    }

    /// The same, with the words that the vocabulary lacks corrected.
    #[must_use]
    pub(super) fn correct(mut query: Q, vocabulary: &Vocabulary, coding: ContentCoding) -> Self {
        let corrected = query.correct(vocabulary);
        Self::with_corrected(query, corrected, coding)
    }

    fn with_corrected(query: Q, corrected: Option<String>, coding: ContentCoding) -> Self {
        let key = key::of(query.public_url(), &query.canonical(), corrected.as_deref(), coding);
        Self { query, coding, corrected, key }
    }

    /// The same query without a coding.
    pub(super) fn identity(&self) -> Self {
        Self::with_corrected(self.query.clone(), self.corrected.clone(), ContentCoding::Identity)
    }
}
