//! The filters of performers.

use std::borrow::Cow;

use entity::footprint::{Scope, Selection};
use serde::Serialize;

use super::response::{PerformerList, PerformerRow};
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{
        reader::ReadSize,
        sql::{ReadConnection, Sql},
    },
    error::ApiError,
    query::{Filters, ListFilters, ListQuery, Parameters},
    resources::name_list::{NamePrefix, NameSortKey, NameTable, find_page},
};

pub(super) const TABLE: NameTable = NameTable {
    table: "performer",
    columns: "performer.source_id, performer.name, provider.slug",
    joins: "JOIN provider ON provider.id = performer.provider_id",
};

/// Which performers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PerformerFilters {
    #[serde(flatten)]
    name: NamePrefix,
}

/// A request for performers.
pub type PerformersQuery = ListQuery<PerformerFilters>;

impl Filters for PerformerFilters {
    fn path(&self) -> Cow<'static, str> {
        "/performers".into()
    }
}

impl ListFilters for PerformerFilters {
    type SortKey = NameSortKey;
}

impl PerformersQuery {
    /// Reads the parameters of a request for performers.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated or malformed; the error lists all of them.
    pub fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let filters = PerformerFilters { name: NamePrefix::read(&mut parameters) };
        let query = Self::read(filters, &mut parameters);
        parameters.finish(query)
    }
}

impl CachedQuery for PerformersQuery {
    const RESOURCE: CachedResource = CachedResource::Performers;

    fn selection(&self) -> Selection {
        Selection::all_of(&[Scope::Performers])
    }

    fn read_size(&self) -> ReadSize {
        self.page.read_size()
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let prefix = &self.filters.name;
        find_page::<_, PerformerRow, PerformerList>(self, prefix, database, &TABLE, Vec::new(), Sql::default()).await
    }
}
