//! The filters of a search.

use std::borrow::Cow;

use entity::footprint::{Scope, Selection};
use serde::Serialize;
use uuid::Uuid;

use super::rows;
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{reader::ReadSize, sql::ReadConnection},
    error::ApiError,
    query::{Filters, ListFilters, ListQuery, Parameters, StatusFilter, TimeRange},
};

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SearchFilters {
    /// When they take place.
    #[serde(flatten)]
    pub range: TimeRange,
    /// Which statuses they have.
    #[serde(skip_serializing_if = "StatusFilter::is_default")]
    pub status: StatusFilter,
}

/// A search.
pub type SearchQuery = ListQuery<SearchFilters>;

impl Filters for SearchFilters {
    fn path(&self) -> Cow<'static, str> {
        "/search".into()
    }
}

impl ListFilters for SearchFilters {
    type SortKey = (i64, Uuid);
}

impl SearchQuery {
    /// Reads the parameters of a search.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated, malformed or contradictory; the error lists all of them.
    pub fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let range = TimeRange::read(&mut parameters);
        let filters = SearchFilters { range, status: StatusFilter::read(&mut parameters) };
        let query = Self::read(filters, &mut parameters);
        parameters.finish(query)
    }
}

impl CachedQuery for SearchQuery {
    const RESOURCE: CachedResource = CachedResource::Search;

    fn selection(&self) -> Selection {
        Selection { days: self.filters.range.days(), ..Selection::all_of(&[Scope::Events]) }
    }

    fn read_size(&self) -> ReadSize {
        self.page.read_size()
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        rows::find(database, self).await
    }
}
