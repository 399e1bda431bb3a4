//! The filters of venues.

use std::borrow::Cow;

use entity::footprint::{Scope, Selection};
use serde::Serialize;

use super::response::{VenueList, VenueRow};
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{
        reader::ReadSize,
        sql::{ReadConnection, Sql},
    },
    error::ApiError,
    find::Near,
    query::{Filters, ListFilters, ListQuery, Parameters},
    resources::name_list::{NamePrefix, NameSortKey, NameTable, find_page},
};

pub(super) const TABLE: NameTable = NameTable {
    table: "venue",
    columns: "venue.source_id, venue.name, venue.latitude, venue.longitude, venue.place_code, venue.located, venue.city, \
              venue.country, provider.slug",
    joins: "JOIN provider ON provider.id = venue.provider_id",
};

/// Which venues.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VenueFilters {
    #[serde(flatten)]
    name: NamePrefix,
    #[serde(flatten)]
    near: Option<Near>,
}

/// A request for venues.
pub type VenuesQuery = ListQuery<VenueFilters>;

impl Filters for VenueFilters {
    fn path(&self) -> Cow<'static, str> {
        "/venues".into()
    }
}

impl ListFilters for VenueFilters {
    type SortKey = NameSortKey;
}

impl VenuesQuery {
    /// Reads the parameters of a request for venues.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated, malformed or missing; the error lists all of them.
    pub fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let filters = VenueFilters { name: NamePrefix::read(&mut parameters), near: Near::read(&mut parameters) };
        let query = Self::read(filters, &mut parameters);
        parameters.finish(query)
    }
}

impl CachedQuery for VenuesQuery {
    const RESOURCE: CachedResource = CachedResource::Venues;

    fn selection(&self) -> Selection {
        Selection { area: self.filters.near.map(|near| near.area()), ..Selection::all_of(&[Scope::Venues]) }
    }

    fn read_size(&self) -> ReadSize {
        self.page.read_size()
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let mut sql = Sql::default();
        let conditions = Vec::from_iter(self.filters.near.map(|near| near.condition(&mut sql)));
        let prefix = &self.filters.name;
        find_page::<_, VenueRow, VenueList>(self, prefix, database, &TABLE, conditions, sql).await
    }
}
