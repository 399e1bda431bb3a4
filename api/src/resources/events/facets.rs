//! `GET /events/facets`: the number of events with each value of some filters.

use std::{borrow::Cow, collections::BTreeSet};

use entity::footprint::Selection;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::{Serialize, Serializer};

use super::facets_response::FacetList;
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{reader::ReadSize, sql::ReadConnection},
    error::ApiError,
    find::{EventFilters, Facet, FilterDefaults, Sort, count_facets},
    query::{Filters, ParameterKind, Parameters},
    response::encode_json,
    vocabulary::Vocabulary,
};

/// The facets of a request without `by`.
const DEFAULT: [Facet; 5] = [Facet::Category, Facet::City, Facet::Country, Facet::Provider, Facet::Status];

/// Which events, and by what they are counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FacetsQuery {
    #[serde(flatten)]
    filters: EventFilters,
    #[serde(serialize_with = "serialize_facets")]
    by: BTreeSet<Facet>,
}

/// Names of facets.
#[derive(Debug)]
pub(super) struct FacetNames;

impl FacetsQuery {
    /// Reads the parameters of a request for facets.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated, malformed or contradictory; the error lists all of them.
    pub fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let by = parameters.list_of("by", parse_facet);
        let by = if by.is_empty() { DEFAULT.into() } else { by.into_iter().collect() };
        let filters = EventFilters::read(&mut parameters, FilterDefaults::Upcoming);
        parameters.finish(Self { filters, by })
    }
}

impl Filters for FacetsQuery {
    fn path(&self) -> Cow<'static, str> {
        "/events/facets".into()
    }
}

impl CachedQuery for FacetsQuery {
    const RESOURCE: CachedResource = CachedResource::Facets;

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
        let (facets, snapshot) = count_facets(database, &self.filters, self.by.iter().copied()).await?;
        let body = encode_json(&FacetList::from(facets)).map_err(ApiError::Encoding)?;
        Ok(QueryOutput { snapshot, body: body.into(), link: None })
    }
}

fn parse_facet(text: &str) -> Result<Facet, String> {
    let names = || Facet::ALL.map(Facet::name).join(", ");
    Facet::ALL.into_iter().find(|facet| facet.name() == text.trim()).ok_or_else(|| format!("must be facets: {}", names()))
}

fn serialize_facets<S: Serializer>(facets: &BTreeSet<Facet>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&facets.iter().map(|facet| facet.name()).collect::<Vec<_>>().join(","))
}

impl ParameterKind for FacetNames {
    fn schema() -> MetaSchema {
        let name = MetaSchema { enum_items: Facet::ALL.map(Facet::name).map(Into::into).into(), ..MetaSchema::new("string") };
        MetaSchema { items: Some(Box::new(MetaSchemaRef::Inline(Box::new(name)))), ..MetaSchema::new("array") }
    }
}
