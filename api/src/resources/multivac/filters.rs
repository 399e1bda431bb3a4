//! The list of data, which has no filters.

use std::borrow::Cow;

use serde::Serialize;

use crate::{
    error::ApiError,
    query::{Filters, ListFilters, ListQuery, Parameters},
};

/// No filters.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DataFilters {}

/// A request for data.
pub(crate) type DataQuery = ListQuery<DataFilters>;

impl Filters for DataFilters {
    fn path(&self) -> Cow<'static, str> {
        "/zzz".into()
    }
}

impl ListFilters for DataFilters {
    type SortKey = i64;
}

impl DataQuery {
    /// Reads the parameters of a request for data.
    pub(crate) fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let query = Self::read(DataFilters {}, &mut parameters);
        parameters.finish(query)
    }
}
