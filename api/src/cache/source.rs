//! A response from which something else was made, to find out later whether that is current.

use std::sync::Arc;

use entity::footprint::Selection;
use serde::de::DeserializeOwned;

use super::{Cache, CacheResponse, CachedQuery, Freshness};
use crate::error::ApiError;

/// A response, and what it was selected from.
#[derive(Clone, Debug)]
pub(crate) struct CacheSource {
    pub(crate) response: CacheResponse,
    selection: Selection,
}

impl CacheSource {
    /// Whether it was current when it was read.
    pub(crate) fn is_fresh(&self) -> bool {
        self.response.freshness == Freshness::Fresh
    }
}

impl Cache {
    /// The same as [`read`](Self::read), for something that is stored. Not for words, because other ones may be corrected later.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub(crate) async fn read_source<Q: CachedQuery, T: DeserializeOwned>(
        self: &Arc<Self>,
        query: Q,
    ) -> Result<(T, CacheSource), ApiError> {
        let selection = query.selection();
        let (value, response) = self.read(query).await?;
        Ok((value, CacheSource { response, selection }))
    }

    /// Whether the database responds, and no release may have changed the response.
    pub(crate) fn is_current(&self, source: &CacheSource) -> bool {
        self.freshness_of(&source.response.body, || source.selection.clone()) == Some(Freshness::Fresh)
    }
}
