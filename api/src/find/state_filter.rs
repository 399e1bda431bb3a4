//! The filters of events on the state of an event before or after a change: the same conditions as those of `conditions` on its rows.

use std::{collections::HashSet, sync::Arc};

use entity::{
    event_state::{ChangedStates, EventState, ItemKey, VenueState},
    sphere::{Direction, chord_squared, degrees_of_latitude},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::{
    conditions::{WALL_CLOCK, regions_within},
    filters::{EventFilters, FilterDefaults},
    item_ref::ItemRefSet,
    near::Near,
    price_filter::PriceFilter,
    when::{Between, Bound, RangeKind, When},
};
use crate::{
    database::sql::{ReadConnection, Sql, read_rows},
    error::ApiError,
    query::{Parameters, describe_invalid},
};

/// Places of a filter: those of a country. Each stream has its own, and 2,000 streams may be open.
const MAX_PLACES: usize = 2_000;

/// Which states of events are selected.
#[derive(Clone, Debug, PartialEq)]
pub struct StateFilter {
    filters: EventFilters,
    categories: Vec<String>,
    keys: Keys,
}

/// What the filters name, as far as states do not have it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Keys {
    performers: Vec<Uuid>,
    venues: Vec<Uuid>,
    places: Arc<HashSet<String>>,
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct CodeRow {
    code: String,
}

impl StateFilter {
    /// Reads the parameters; `None` if all states are selected.
    pub(crate) fn read(parameters: &mut Parameters<'_>) -> Option<Self> {
        let filters = EventFilters::read_of_states(parameters, FilterDefaults::Changes);
        // A page of the log must not depend on which currencies the providers have now.
        if filters.price.compares() && filters.price.currency.is_none() && !parameters.has("currency") {
            parameters.add_error("currency", "is required with `min_price` and `max_price`");
        }
        let selects_all = filters == EventFilters::read_of_states(&mut Parameters::parse(""), FilterDefaults::Changes);
        let categories = filters.category.with_second_levels();
        (!selects_all).then(|| Self { filters, categories, keys: Keys::default() })
    }

    /// Whether [`resolve`](Self::resolve) must be called.
    pub(crate) fn has_keys(&self) -> bool {
        let EventFilters { performer, venue, place, .. } = &self.filters;
        !performer.ids().is_empty() || !venue.ids().is_empty() || !place.is_empty()
    }

    /// Looks up what the filters name: ids that performers and venues have now, and the places of regions.
    ///
    /// # Errors
    ///
    /// When the regions have too many places, or the database is unavailable.
    pub(crate) async fn resolve(self, database: &impl ReadConnection) -> Result<Self, ApiError> {
        let keys = Keys {
            performers: find_ids(database, "performer", &self.filters.performer).await?,
            venues: find_ids(database, "venue", &self.filters.venue).await?,
            places: find_places(database, self.filters.place.as_slice()).await?,
        };
        Ok(Self { keys, ..self })
    }

    /// Whether the event of a provider was selected before or after the change.
    pub(crate) fn selects(&self, states: &ChangedStates, provider: &str) -> bool {
        [&states.old, &states.new].into_iter().flatten().any(|state| self.matches(state, provider))
    }

    fn matches(&self, state: &EventState, provider: &str) -> bool {
        let EventFilters { status, availability, performer, organizer, price, .. } = &self.filters;
        let is_organizer =
            |(slug, organizer): (&str, &str)| slug == provider && state.organizers.iter().any(|of| of == organizer);
        self.filters.listed().accepts(state.listed)
            && status.accepts(state.status)
            && availability.accepts(&state.availability)
            && (self.categories.is_empty() || state.category.as_ref().is_some_and(|category| self.categories.contains(category)))
            && is_within(&self.filters.when(), state)
            && costs(price, state)
            && (organizer.is_empty() || organizer.of_providers().any(is_organizer))
            && (performer.is_empty() || state.performers.iter().any(|key| names(performer, &self.keys.performers, key, provider)))
            && self.matches_venue(state.venue.as_ref(), provider)
    }

    fn matches_venue(&self, venue: Option<&VenueState>, provider: &str) -> bool {
        let EventFilters { venue: venues, city, country, place, near, bbox, .. } = &self.filters;
        let contains = |values: &[String], value: Option<&String>| value.is_some_and(|value| values.contains(value));
        let location = venue.and_then(|venue| venue.location);
        (city.is_empty() || contains(city.as_slice(), venue.and_then(|venue| venue.city.as_ref())))
            && (country.is_empty() || contains(country.as_slice(), venue.and_then(|venue| venue.country.as_ref())))
            && (place.is_empty()
                || venue.and_then(|venue| venue.place.as_ref()).is_some_and(|code| self.keys.places.contains(code)))
            && (venues.is_empty() || venue.is_some_and(|venue| names(venues, &self.keys.venues, &venue.key, provider)))
            && near.is_none_or(|near| location.is_some_and(|location| is_near(&near, location)))
            && bbox.is_none_or(|bbox| location.is_some_and(|location| bbox.contains(location)))
    }
}

/// Whether references name an item of a provider.
fn names(refs: &ItemRefSet, ids: &[Uuid], ItemKey(id, source_id): &ItemKey, provider: &str) -> bool {
    ids.contains(id) || refs.of_providers().any(|of| of == (provider, source_id))
}

fn is_near(near: &Near, (latitude, longitude): (f64, f64)) -> bool {
    let (center, radius) = near.area();
    let chord = center.chord_squared_to(Direction::from_degrees(latitude, longitude));
    (near.latitude - latitude).abs() <= degrees_of_latitude(radius) && chord <= chord_squared(radius)
}

fn costs(filter: &PriceFilter, state: &EventState) -> bool {
    filter.currency.as_ref().is_none_or(|currency| *currency == state.currency)
        && filter.min_price.is_none_or(|bound| state.max_price.is_some_and(|price| price >= bound))
        && filter.max_price.is_none_or(|bound| state.min_price.is_some_and(|price| price <= bound))
}

fn is_within(when: &When, state: &EventState) -> bool {
    let When::Between(Between { starts_at, ends_at, kind }) = when else { return true };
    let start = (state.starts_at, full(&state.local_start, "T00:00:00.000000"));
    let local_end = state.local_end.as_ref().map(|end| full(end, "T23:59:59.999999"));
    let end = (state.ends_at, local_end.unwrap_or_else(|| start.1.clone()));
    let (of_first, of_last) = match kind {
        RangeKind::Within => (&start, &end),
        RangeKind::Starts => (&start, &start),
        RangeKind::Overlaps => (&end, &start),
    };
    starts_at.is_none_or(|bound| match bound {
        Bound::At(first) => of_first.0 >= first,
        // A text sorts before the same text with more digits: the shortest form is the least of those of one time.
        Bound::OnVenueClock(first) => {
            of_first.1.as_str() >= first.format(WALL_CLOCK).to_string().trim_end_matches('0').trim_end_matches('.')
        }
    }) && ends_at.is_none_or(|bound| match bound {
        Bound::At(last) => of_last.0 <= last,
        Bound::OnVenueClock(last) => of_last.1 <= last.format(WALL_CLOCK).to_string(),
    })
}

/// A local time, or a date with a time.
fn full(local: &str, time: &str) -> String {
    if local.len() == 10 { format!("{local}{time}") } else { local.to_owned() }
}

/// The ids of references by our ids, and those that the items have now.
async fn find_ids(database: &impl ReadConnection, kind: &'static str, refs: &ItemRefSet) -> Result<Vec<Uuid>, ApiError> {
    let mut ids = refs.ids();
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
async fn find_places(database: &impl ReadConnection, codes: &[String]) -> Result<Arc<HashSet<String>>, ApiError> {
    if codes.is_empty() {
        return Ok(Arc::default());
    }
    let mut sql = Sql::default();
    let regions = regions_within(&sql.bind_all(codes));
    let statement = sql.statement(
        ConnectionTrait::get_database_backend(database),
        format!("SELECT code FROM place WHERE region_id IN ({regions}) LIMIT {}", MAX_PLACES + 1),
    );
    let places = read_rows::<CodeRow>(database, statement).await?;
    if places.len() > MAX_PLACES {
        let requirement = format!("must be regions with at most {MAX_PLACES} places");
        return Err(ApiError::parameter("place", describe_invalid(&requirement, &codes.join(","))));
    }
    Ok(Arc::new(codes.iter().cloned().chain(places.into_iter().map(|row| row.code)).collect()))
}
