//! Finding events: the filters, the sorts and the statements that every list of events shares.
//!
//! `filters` reads a query string. `plan` chooses how its events are found, `statement` writes that as SQL over the table `listing`,
//! and `rows` reads them with all details ([ADR 44](../../../docs/adr/0044-listing.md)). `words` finds the shows with the words of a query
//! ([ADR 46](../../../docs/adr/0046-words.md)).

mod availability_filter;
mod bounding_box;
mod calendar;
mod clusters;
mod conditions;
mod currency;
mod documented;
mod event_view;
mod facets;
mod filters;
mod item_ref;
mod listed_filter;
mod near;
mod plan;
mod price_filter;
mod relevance;
mod resolve;
mod rows;
mod sort;
mod state_filter;
mod statement;
mod summary;
mod upcoming;
mod value_list;
mod when;
mod words;

pub(crate) use self::{
    calendar::{CountedDays, count_days, select_totals},
    clusters::{Cluster, CountedClusters, count_clusters},
    documented::AllFilters,
    event_view::{EventPerformerView, EventVenueView, EventView},
    facets::{CountedFacets, Facet, FacetCount, count_facets},
    item_ref::{ItemRef, ItemRefText},
    near::{Latitude, Longitude, NEAR_PARAMETERS, Radius},
    price_filter::{PriceNumber, parse_price, serialize_price},
    rows::PageReader,
    sort::SortText,
    state_filter::{needs_lookup, read_state_filter, resolve_state_filter},
    upcoming::{MAX_UPCOMING, count_upcoming},
};
pub use self::{
    documented::WithEventFilters,
    filters::{EventFilters, FilterDefaults},
    near::Near,
    sort::{Sort, SortKey, SortValue},
};
