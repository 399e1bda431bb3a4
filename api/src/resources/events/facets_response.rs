//! The response of a request for facets.

use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};

use crate::{
    find::{CountedFacets, FacetCount},
    response::{AlwaysNull, Nullable},
};

/// The values of facets.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(example)]
pub struct FacetList {
    /// The result.
    pub data: Facets,
    /// What describes all facets.
    pub meta: FacetsMeta,
    /// Always null.
    #[serde(skip_deserializing)]
    pub error: AlwaysNull,
}

/// Facets.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct Facets {
    /// One for each name of `by`.
    pub facets: Vec<FacetValues>,
}

/// The values of a facet.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct FacetValues {
    /// The name of the facet, which is the name of a filter.
    pub by: String,
    /// The values, most frequent first: at most 100.
    pub values: Vec<FacetValue>,
}

/// A value of a facet.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct FacetValue {
    /// The value, which the filter accepts.
    pub value: String,
    /// The name of the city, venue, performer or provider.
    pub name: Nullable<String>,
    /// The number of events with this value. A category includes its second level.
    #[oai(validator(minimum(value = "1")))]
    pub count: i64,
}

/// What describes all facets.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct FacetsMeta {
    /// The number of events that were counted, at most 100,000.
    #[oai(validator(minimum(value = "0")))]
    pub total: i64,
    /// Whether all events that meet the filters were counted.
    pub complete: bool,
    /// The words that were searched instead of those of `q`; null if they are the same.
    pub corrected: Nullable<String>,
}

impl From<CountedFacets> for FacetList {
    fn from(counted: CountedFacets) -> Self {
        let values = |counts: Vec<FacetCount>| counts.into_iter().map(FacetValue::from).collect();
        let facets =
            counted.values.into_iter().map(|(facet, counts)| FacetValues { by: facet.name().to_owned(), values: values(counts) });
        Self {
            data: Facets { facets: facets.collect() },
            meta: FacetsMeta { total: counted.total, complete: counted.is_complete, corrected: counted.corrected.into() },
            error: AlwaysNull,
        }
    }
}

impl From<FacetCount> for FacetValue {
    fn from(FacetCount { value, name, count }: FacetCount) -> Self {
        Self { value, name: name.into(), count }
    }
}

impl Example for FacetList {
    fn example() -> Self {
        let value = |value: &str, count| FacetValue { value: value.to_owned(), name: Nullable(None), count };
        let barcelona = FacetValue { name: Nullable(Some("Barcelona".to_owned())), ..value("barcelona", 40) };
        let facet = |by: &str, values| FacetValues { by: by.to_owned(), values };
        let facets = vec![facet("category", vec![value("music", 42), value("music/jazz", 7)]), facet("city", vec![barcelona])];
        let meta = FacetsMeta { total: 58, complete: true, corrected: Nullable(None) };
        Self { data: Facets { facets }, meta, error: AlwaysNull }
    }
}
