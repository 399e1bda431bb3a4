//! The list of batches, which has no filters.

use std::borrow::Cow;

use serde::Serialize;

use crate::{
    error::ApiError,
    query::{Filters, ListFilters, ListQuery, Parameters},
};

/// No filters.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BatchFilters {}

/// A request for batches.
pub(crate) type BatchesQuery = ListQuery<BatchFilters>;

impl Filters for BatchFilters {
    fn path(&self) -> Cow<'static, str> {
        "/rates/batches".into()
    }
}

impl ListFilters for BatchFilters {
    type SortKey = i64;
}

impl BatchesQuery {
    /// Reads the parameters of a request for batches.
    pub(crate) fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let query = Self::read(BatchFilters {}, &mut parameters);
        parameters.finish(query)
    }
}
