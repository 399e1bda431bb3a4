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
    find::{EventFilters, FilterDefaults, Sort},
    query::{Filters, ListFilters, ListQuery, Parameters},
    vocabulary::Vocabulary,
};

/// Which events.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchFilters {
    /// The filters.
    #[serde(flatten)]
    pub(super) events: EventFilters,
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
        let filters = SearchFilters { events: EventFilters::read(&mut parameters, FilterDefaults::All) };
        let query = Self::read(filters, &mut parameters);
        parameters.finish(query)
    }
}

impl CachedQuery for SearchQuery {
    const RESOURCE: CachedResource = CachedResource::Search;

    fn selection(&self) -> Selection {
        let selection = self.filters.events.selection(Sort::StartsAt);
        match self.filters.events.as_time_range() {
            // The names of performers and venues are neither shown nor filtered by.
            Some(_) => Selection { scopes: &[Scope::Events], ..selection },
            None => selection,
        }
    }

    fn needs_snapshot(&self) -> bool {
        self.filters.events.need_snapshot(Sort::StartsAt)
    }

    fn correct(&mut self, vocabulary: &Vocabulary) -> Option<String> {
        self.filters.events.correct(vocabulary)
    }

    fn read_size(&self) -> ReadSize {
        self.page.read_size()
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        rows::find(database, self).await
    }
}
