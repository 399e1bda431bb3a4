//! Which filter to remove from a search without results, and how many events that finds, as `/events/facets` counts them.

use std::cmp::Reverse;

use super::{
    active_filters::{ActiveFilter, label_of_value},
    search_form::{SearchForm, SearchLink},
};
use crate::{
    error::ApiError,
    find::Facet,
    query::Parameters,
    resources::events::{FacetList, FacetValue, FacetsQuery},
    state::State,
};

/// Filters that are tried: each is a query.
const MAX_FILTERS: usize = 6;
/// Values of a filter that are suggested as replacements.
const MAX_VALUES: usize = 3;

/// The search without one of its filters.
#[derive(Debug)]
pub(super) struct LooserSearch {
    pub(super) without: SearchLink,
    /// The number of its events; `None` if they could not be counted.
    pub(super) count: Option<i64>,
    /// Searches with another value of the filter.
    pub(super) instead: Vec<(SearchLink, i64)>,
}

/// The searches that have results, those with the most first.
pub(super) async fn suggest(
    state: &State,
    form: &SearchForm,
    active: &[ActiveFilter<'_>],
) -> Result<Vec<LooserSearch>, ApiError> {
    let mut searches = Vec::new();
    for ActiveFilter { names, without } in active.iter().take(MAX_FILTERS) {
        let facet = Facet::ALL.into_iter().map(Facet::name).find(|facet| *names == [*facet]);
        let search = LooserSearch { without: without.clone(), count: None, instead: Vec::new() };
        searches.push(match count(state, form, names, facet).await {
            Ok(counted) => {
                LooserSearch { count: Some(counted.meta.total), instead: alternatives(form, facet, counted), ..search }
            }
            Err(error) if error.retry_after().is_some() => search,
            Err(error) => return Err(error),
        });
    }
    searches.retain(|search| search.count != Some(0));
    searches.sort_by_key(|search| Reverse(search.count));
    Ok(searches)
}

async fn count(state: &State, form: &SearchForm, removed: &[&str], facet: Option<&str>) -> Result<FacetList, ApiError> {
    // The status is the cheapest facet.
    let query = form.filters(removed, &[("by", facet.unwrap_or(Facet::Status.name()))]);
    let (counted, _) = state.cache.read(FacetsQuery::parse(Parameters::parse(&query))?).await?;
    Ok(counted)
}

fn alternatives(form: &SearchForm, facet: Option<&'static str>, counted: FacetList) -> Vec<(SearchLink, i64)> {
    let Some(name) = facet else { return Vec::new() };
    let values = counted.data.facets.into_iter().flat_map(|facet| facet.values).take(MAX_VALUES);
    let link = |value: FacetValue| {
        let label = value.name.0.unwrap_or_else(|| label_of_value(form.language, name, &value.value));
        let href = form.link(&[name], &[(name, &value.value)]);
        (SearchLink { label, href, is_current: false }, value.count)
    };
    values.map(link).collect()
}
