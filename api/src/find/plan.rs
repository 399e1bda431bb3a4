//! How the events of a query are found: by which of its filters, and in which order.
//!
//! Each filter with few values has an index in the order of the starts, so a list in that order is merged from the ranges of one filter and
//! reads little more than what it returns. Other orders sort the events of a filter if they are few, and read an index of that order if
//! they are many.

use entity::GeoArea;
use uuid::Uuid;

use super::{filters::EventFilters, resolve::Resolved, sort::Sort, words::Documents};

/// Ranges of one index in a statement: each costs a descent of the index, and planning time.
pub(super) const MAX_RANGES: usize = 64;
/// Events that are sorted: they take some tens of milliseconds.
pub(super) const MAX_SORTED: u64 = 20_000;

/// Events that are read in the order of the list before others are sorted: they take a few milliseconds.
pub(super) const MAX_PROBED: u64 = 3_000;

/// One way to find the events.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    /// Reads ranges of an index in the order of the list, and stops after a page.
    InOrder(Source),
    /// Reads all events of a source, and sorts them. It finds nothing if there are more than [`MAX_SORTED`].
    Sorted(Source),
}

/// The events that are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// All events, in the order of the list.
    All,
    /// Those with one of these values in a column of `listing`.
    Values(&'static str, Vec<sea_orm::Value>),
    /// Those of the performers of the filter.
    Performers,
    /// Those of the organizers of the filter.
    Organizers,
    /// Those with these ids.
    Ids,
    /// Those of the shows with the words of the filter.
    Words,
    /// Those at the places of the filter, which have more venues than can be ranges.
    Places,
    /// Those in the range of prices.
    Prices,
    /// Those that changed since an instant.
    Updated,
}

/// The plans of a query, in the order in which they are tried.
pub(super) fn plan(filters: &EventFilters, sort: Sort, has_ids: bool, resolved: &Resolved, are_upcoming: bool) -> Vec<Plan> {
    let sets = [
        (has_ids, Source::Ids),
        (resolved.documents.as_ref().is_some_and(Documents::are_some), Source::Words),
        (!filters.performer.is_empty(), Source::Performers),
        (!filters.organizer.is_empty(), Source::Organizers),
        (!filters.place.is_empty() && resolved.venues_of_places.is_none(), Source::Places),
    ];
    let set = sets.into_iter().find_map(|(is_given, source)| is_given.then_some(source));
    let values = find_values(filters, resolved);
    // The index has the lowest price of each event, which a minimum does not restrict.
    let has_prices = filters.price.max_price.is_some() && are_upcoming;
    let ranges = [(has_prices, Source::Prices), (filters.updated_since.is_some(), Source::Updated)];
    let range = ranges.into_iter().find_map(|(is_given, source)| is_given.then_some(source));
    let in_order = has_index(sort, are_upcoming).then(|| match &values {
        Some(values) if sort.is_by_start() => Plan::InOrder(values.clone()),
        _ => Plan::InOrder(Source::All),
    });
    let dates = filters.has_dates().then_some(Source::All);
    let sorted = if sort.is_by_start() { set.or(range.filter(|_| values.is_none())) } else { set.or(values).or(range).or(dates) };
    let sorted = sorted.or(in_order.is_none().then_some(Source::All));
    sorted.map(Plan::Sorted).into_iter().chain(in_order).collect()
}

/// What is probed before events are sorted: if the filters select a percent of all events, the first ones in the order of the list contain
/// a page. Those of a performer, of words and of ids are usually far fewer.
pub(super) fn probed(plans: &[Plan]) -> Option<&Source> {
    match plans {
        [Plan::Sorted(Source::Ids | Source::Words | Source::Performers | Source::Organizers), ..] => None,
        [Plan::Sorted(_), Plan::InOrder(source)] => Some(source),
        _ => None,
    }
}

/// Whether an index contains the events in this order.
fn has_index(sort: Sort, are_upcoming: bool) -> bool {
    match sort {
        Sort::StartsAt | Sort::StartsAtDescending | Sort::UpdatedAtDescending | Sort::Relevance => true,
        // Their indexes contain no events of the past.
        Sort::Price | Sort::PriceDescending | Sort::FirstSeenAtDescending => are_upcoming,
        Sort::Distance => false,
    }
}

/// The filter with the fewest events that has an index in the order of the starts.
fn find_values(filters: &EventFilters, resolved: &Resolved) -> Option<Source> {
    if let Some(documents) = resolved.documents.as_ref().filter(|documents| documents.are_few()) {
        return Some(Source::Values("show_text_id", documents.ids.iter().map(|id| (*id).into()).collect()));
    }
    let few = |venues: &&Vec<Uuid>| venues.len() <= MAX_RANGES;
    if let Some(venues) = resolved.venues.as_ref().filter(few).or(resolved.venues_of_places.as_ref()) {
        return Some(Source::Values("venue_id", venues.iter().map(|venue| (*venue).into()).collect()));
    }
    if let Some(areas) = find_areas(filters) {
        return Some(Source::Values("area", areas.into_iter().map(|area| area.0.into()).collect()));
    }
    let texts = |texts: &[String]| texts.iter().map(|text| text.clone().into()).collect::<Vec<sea_orm::Value>>();
    if !filters.city.is_empty() {
        return Some(Source::Values("city", texts(filters.city.as_slice())));
    }
    if let Some(providers) = &resolved.providers {
        return Some(Source::Values("provider_id", providers.iter().map(|provider| (*provider).into()).collect()));
    }
    if !filters.category.is_empty() {
        let slugs = filters.category.with_second_levels();
        return Some(Source::Values("category", texts(&slugs)));
    }
    (!filters.country.is_empty()).then(|| Source::Values("country", texts(filters.country.as_slice())))
}

/// The areas of the circle or the rectangle, if they are few.
fn find_areas(filters: &EventFilters) -> Option<Vec<GeoArea>> {
    let circle =
        || GeoArea::within_radius(filters.near.as_ref().map(|near| (near.latitude, near.longitude, near.radius))?, MAX_RANGES);
    let rectangle = || {
        let mut areas = Vec::new();
        for part in filters.bbox?.split() {
            areas.extend(GeoArea::within_degrees([part.west, part.south, part.east, part.north], MAX_RANGES)?);
        }
        areas.sort_unstable();
        areas.dedup();
        (areas.len() <= MAX_RANGES).then_some(areas)
    };
    circle().or_else(rectangle)
}
