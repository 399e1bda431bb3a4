//! The filters of events for the states of changes, as [`entity::state_filter`] evaluates them.

use std::collections::BTreeSet;

use entity::{
    EventStatus,
    state_filter::{ItemKeys, NearPoint, StateBound, StateFilter, StateRange, StateRangeKind},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::{
    conditions::{WALL_CLOCK, regions_within},
    filters::{EventFilters, FilterDefaults},
    item_ref::ItemRefSet,
    listed_filter::ListedFilter,
    value_list::ValueList,
    when::{Between, Bound, RangeKind, When},
};
use crate::{
    database::sql::{ReadConnection, Sql, read_rows},
    error::ApiError,
    query::{Parameters, StatusFilter, describe_invalid},
};

/// Places of a filter: those of a country. Each stream has its own, and 2,000 streams may be open.
const MAX_PLACES: usize = 2_000;

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct CodeRow {
    code: String,
}

/// Reads the parameters; `None` if all states are selected.
pub(crate) fn read_state_filter(parameters: &mut Parameters<'_>) -> Option<StateFilter> {
    let filters = EventFilters::read_of_states(parameters, FilterDefaults::Changes);
    // A page of the log must not depend on which currencies the providers have now.
    if filters.price.compares() && filters.price.currency.is_none() && !parameters.has("currency") {
        parameters.add_error("currency", "is required with `min_price` and `max_price`");
    }
    let selects_all = filters == EventFilters::read_of_states(&mut Parameters::parse(""), FilterDefaults::Changes);
    (!selects_all).then(|| StateFilter::from(&filters))
}

/// Whether [`resolve_state_filter`] must be called.
pub(crate) fn needs_lookup(filter: &StateFilter) -> bool {
    !filter.performers.ids.is_empty() || !filter.venues.ids.is_empty() || !filter.places.is_empty()
}

/// Looks up what a filter names: ids that performers and venues have now, and the places of regions.
///
/// # Errors
///
/// When the regions have too many places, or the database is unavailable.
pub(crate) async fn resolve_state_filter(
    mut filter: StateFilter,
    database: &impl ReadConnection,
) -> Result<StateFilter, ApiError> {
    filter.performers.ids = find_ids(database, "performer", filter.performers.ids).await?;
    filter.venues.ids = find_ids(database, "venue", filter.venues.ids).await?;
    filter.places = find_places(database, filter.places).await?;
    Ok(filter)
}

impl From<&EventFilters> for StateFilter {
    fn from(filters: &EventFilters) -> Self {
        let EventFilters { status, availability, performer, venue, organizer, price, city, country, place, near, bbox, .. } =
            filters;
        let values = |values: &ValueList| values.as_slice().iter().cloned().collect();
        Self {
            statuses: match status {
                StatusFilter::Any => None,
                StatusFilter::NotCancelled => {
                    Some(EventStatus::ALL.into_iter().filter(|status| *status != EventStatus::Cancelled).collect())
                }
                StatusFilter::Of(statuses) => Some(statuses.clone()),
            },
            listed: match filters.listed() {
                ListedFilter::Listed => Some(true),
                ListedFilter::Left => Some(false),
                ListedFilter::Any => None,
            },
            availabilities: availability.names().map(str::to_owned).collect(),
            categories: filters.category.with_second_levels().into_iter().collect(),
            range: describe_range(filters.when()),
            min_price: price.min_price,
            max_price: price.max_price,
            currency: price.currency.clone(),
            performers: performer.into(),
            venues: venue.into(),
            organizers: organizer.into(),
            cities: values(city),
            countries: values(country),
            places: values(place),
            near: near.map(|near| NearPoint { latitude: near.latitude, longitude: near.longitude, radius: near.radius }),
            bbox: bbox.map(|bbox| [bbox.west, bbox.south, bbox.east, bbox.north]),
        }
    }
}

impl From<&ItemRefSet> for ItemKeys {
    fn from(refs: &ItemRefSet) -> Self {
        let of_providers = refs.of_providers().map(|(provider, id)| (provider.to_owned(), id.to_owned())).collect();
        Self { ids: refs.ids(), of_providers }
    }
}

fn describe_range(when: When) -> Option<StateRange> {
    let When::Between(Between { starts_at, ends_at, kind }) = when else { return None };
    let describe = |bound: Bound| match bound {
        Bound::At(instant) => StateBound::At(instant),
        Bound::OnVenueClock(local) => StateBound::OnVenueClock(local.format(WALL_CLOCK).to_string()),
    };
    let kind = match kind {
        RangeKind::Within => StateRangeKind::Within,
        RangeKind::Starts => StateRangeKind::Starts,
        RangeKind::Overlaps => StateRangeKind::Overlaps,
    };
    Some(StateRange { starts_at: starts_at.map(describe), ends_at: ends_at.map(describe), kind })
}

/// These ids, and those that the items have now.
async fn find_ids(database: &impl ReadConnection, kind: &'static str, mut ids: Vec<Uuid>) -> Result<Vec<Uuid>, ApiError> {
    if ids.is_empty() {
        return Ok(ids);
    }
    let mut sql = Sql::default();
    let text = format!("SELECT target AS id FROM alias WHERE kind = '{kind}' AND id IN ({})", sql.bind_all(&ids));
    let statement = sql.statement(ConnectionTrait::get_database_backend(database), text);
    ids.extend(read_rows::<IdRow>(database, statement).await?.into_iter().map(|row| row.id));
    Ok(ids)
}

/// The codes of places, and those of the places within regions.
async fn find_places(database: &impl ReadConnection, mut codes: BTreeSet<String>) -> Result<BTreeSet<String>, ApiError> {
    if codes.is_empty() {
        return Ok(codes);
    }
    let mut sql = Sql::default();
    let given: Vec<String> = codes.iter().cloned().collect();
    let regions = regions_within(&sql.bind_all(&given));
    let statement = sql.statement(
        ConnectionTrait::get_database_backend(database),
        format!("SELECT code FROM place WHERE region_id IN ({regions}) LIMIT {}", MAX_PLACES + 1),
    );
    let places = read_rows::<CodeRow>(database, statement).await?;
    if places.len() > MAX_PLACES {
        let requirement = format!("must be regions with at most {MAX_PLACES} places");
        return Err(ApiError::parameter("place", describe_invalid(&requirement, &given.join(","))));
    }
    codes.extend(places.into_iter().map(|row| row.code));
    Ok(codes)
}
