//! The request of the search page for the clusters of its map.

use std::borrow::Cow;

use entity::footprint::Selection;
use serde::Serialize;

use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{reader::ReadSize, sql::ReadConnection},
    error::ApiError,
    find::{EventFilters, FilterDefaults, Sort, count_clusters},
    query::{Filters, Parameters},
    response::encode_json,
    vocabulary::Vocabulary,
};

/// Which events.
#[derive(Clone, Debug, Serialize)]
pub(super) struct MapQuery {
    #[serde(flatten)]
    filters: EventFilters,
}

impl MapQuery {
    /// Reads the filters of a query string.
    pub(super) fn parse(query: &str) -> Result<Self, ApiError> {
        let mut parameters = Parameters::parse(query);
        let filters = EventFilters::read(&mut parameters, FilterDefaults::Upcoming);
        parameters.finish(Self { filters })
    }

    /// West, south, east and north of the rectangle of the filters.
    pub(super) fn bounds(&self) -> Option<[f64; 4]> {
        self.filters.bbox.map(|bbox| bbox.bounds())
    }
}

impl Filters for MapQuery {
    /// The beginning of its cache key. The service has no such path.
    fn path(&self) -> Cow<'static, str> {
        "/map".into()
    }
}

impl CachedQuery for MapQuery {
    const RESOURCE: CachedResource = CachedResource::Map;

    fn selection(&self) -> Selection {
        self.filters.selection(Sort::StartsAt)
    }

    fn needs_snapshot(&self) -> bool {
        self.filters.need_snapshot_to_count()
    }

    fn correct(&mut self, vocabulary: &Vocabulary) -> Option<String> {
        self.filters.correct(vocabulary)
    }

    fn read_size(&self) -> ReadSize {
        ReadSize::Large
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let (clusters, snapshot) = count_clusters(database, &self.filters).await?;
        let body = encode_json(&clusters).map_err(ApiError::Encoding)?;
        Ok(QueryOutput { snapshot, body: body.into(), link: None })
    }
}
