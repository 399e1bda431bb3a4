//! The filters of events on the state of an event before or after a change: the same conditions as those of lists on its rows
//! ([ADR 59](../../docs/adr/0059-filters-of-changes.md)).
//!
//! The API reads them from a request. Webhooks store them as JSON, so that workers evaluate the same filters.

use std::collections::BTreeSet;

use sea_orm::prelude::Uuid;
use serde::{Deserialize, Serialize};

use crate::{
    EventStatus, UtcInstant,
    event_state::{ChangedStates, EventState, ItemKey, VenueState},
    sphere::{Direction, chord_squared, degrees_of_latitude},
};

/// Which states of events are selected. An empty list selects all.
///
/// A member that a program does not know is an error: it must not select more than was requested.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StateFilter {
    /// Statuses; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statuses: Option<BTreeSet<EventStatus>>,
    /// Whether events are in their feeds; `None` for both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
    /// Names of availabilities.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub availabilities: BTreeSet<String>,
    /// Slugs of categories.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub categories: BTreeSet<String>,
    /// When events take place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<StateRange>,
    /// A price of at least this, in ten-thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_price: Option<i64>,
    /// A price of at most this, in ten-thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_price: Option<i64>,
    /// The currency of prices (ISO 4217).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Who plays.
    #[serde(skip_serializing_if = "ItemKeys::is_empty")]
    pub performers: ItemKeys,
    /// Where, as venues.
    #[serde(skip_serializing_if = "ItemKeys::is_empty")]
    pub venues: ItemKeys,
    /// Who organizes.
    #[serde(skip_serializing_if = "ItemKeys::is_empty")]
    pub organizers: ItemKeys,
    /// Folded names of cities.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub cities: BTreeSet<String>,
    /// ISO 3166-1 alpha-2 codes.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub countries: BTreeSet<String>,
    /// Codes of places.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub places: BTreeSet<String>,
    /// Around a point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near: Option<NearPoint>,
    /// West, south, east and north in degrees. If west is greater than east, the rectangle crosses the antimeridian.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bbox: Option<[f64; 4]>,
}

/// Performers, venues or organizers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ItemKeys {
    /// Our ids.
    pub ids: Vec<Uuid>,
    /// Slugs of providers, each with an id of it.
    pub of_providers: Vec<(String, String)>,
}

/// An area around a point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearPoint {
    /// Degrees.
    pub latitude: f64,
    /// Degrees.
    pub longitude: f64,
    /// Kilometres.
    pub radius: f64,
}

/// A range of time. Absent bounds are open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateRange {
    /// The first moment.
    pub starts_at: Option<StateBound>,
    /// The last moment.
    pub ends_at: Option<StateBound>,
    /// Which events are in the range.
    pub kind: StateRangeKind,
}

/// A bound of a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateBound {
    /// An instant.
    At(UtcInstant),
    /// What the clock of each event's venue shows, as a text that is compared with it.
    OnVenueClock(String),
}

/// Which events are in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateRangeKind {
    /// Those that start and end within it.
    Within,
    /// Those that start within it.
    Starts,
    /// Those that are on at some moment of it.
    Overlaps,
}

impl ItemKeys {
    /// Whether it names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.of_providers.is_empty()
    }

    /// Whether it names an item of a provider.
    fn name(&self, ItemKey(id, source_id): &ItemKey, provider: &str) -> bool {
        self.ids.contains(id) || self.name_of(provider, source_id)
    }

    fn name_of(&self, provider: &str, source_id: &str) -> bool {
        self.of_providers.iter().any(|(slug, id)| slug == provider && id == source_id)
    }
}

impl StateFilter {
    /// Whether the event of a provider was selected before or after the change.
    #[must_use]
    pub fn selects(&self, states: &ChangedStates, provider: &str) -> bool {
        [&states.old, &states.new].into_iter().flatten().any(|state| self.matches(state, provider))
    }

    fn matches(&self, state: &EventState, provider: &str) -> bool {
        let is_organizer = |organizer: &String| self.organizers.name_of(provider, organizer);
        self.listed.is_none_or(|listed| listed == state.listed)
            && self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&state.status))
            && (self.availabilities.is_empty() || self.availabilities.contains(&state.availability))
            && contains(&self.categories, state.category.as_ref())
            && self.range.as_ref().is_none_or(|range| range.contains(state))
            && self.costs(state)
            && (self.organizers.is_empty() || state.organizers.iter().any(is_organizer))
            && (self.performers.is_empty() || state.performers.iter().any(|key| self.performers.name(key, provider)))
            && self.matches_venue(state.venue.as_ref(), provider)
    }

    fn matches_venue(&self, venue: Option<&VenueState>, provider: &str) -> bool {
        let location = venue.and_then(|venue| venue.location);
        contains(&self.cities, venue.and_then(|venue| venue.city.as_ref()))
            && contains(&self.countries, venue.and_then(|venue| venue.country.as_ref()))
            && contains(&self.places, venue.and_then(|venue| venue.place.as_ref()))
            && (self.venues.is_empty() || venue.is_some_and(|venue| self.venues.name(&venue.key, provider)))
            && self.near.is_none_or(|near| location.is_some_and(|location| near.contains(location)))
            && self.bbox.is_none_or(|bbox| location.is_some_and(|location| is_in_box(bbox, location)))
    }

    fn costs(&self, state: &EventState) -> bool {
        self.currency.as_ref().is_none_or(|currency| *currency == state.currency)
            && self.min_price.is_none_or(|bound| state.max_price.is_some_and(|price| price >= bound))
            && self.max_price.is_none_or(|bound| state.min_price.is_some_and(|price| price <= bound))
    }
}

/// Whether a value is one of a filter.
fn contains(values: &BTreeSet<String>, value: Option<&String>) -> bool {
    values.is_empty() || value.is_some_and(|value| values.contains(value))
}

impl NearPoint {
    fn contains(self, (latitude, longitude): (f64, f64)) -> bool {
        let center = Direction::from_degrees(self.latitude, self.longitude);
        let chord = center.chord_squared_to(Direction::from_degrees(latitude, longitude));
        (self.latitude - latitude).abs() <= degrees_of_latitude(self.radius) && chord <= chord_squared(self.radius)
    }
}

fn is_in_box([west, south, east, north]: [f64; 4], (latitude, longitude): (f64, f64)) -> bool {
    let (after_west, before_east) = (longitude >= west, longitude <= east);
    let is_between = if west <= east { after_west && before_east } else { after_west || before_east };
    (south..=north).contains(&latitude) && is_between
}

impl StateRange {
    fn contains(&self, state: &EventState) -> bool {
        let start = (state.starts_at, full(&state.local_start, "T00:00:00.000000"));
        let local_end = state.local_end.as_ref().map(|end| full(end, "T23:59:59.999999"));
        let end = (state.ends_at, local_end.unwrap_or_else(|| start.1.clone()));
        let (of_first, of_last) = match self.kind {
            StateRangeKind::Within => (&start, &end),
            StateRangeKind::Starts => (&start, &start),
            StateRangeKind::Overlaps => (&end, &start),
        };
        self.starts_at.as_ref().is_none_or(|bound| match bound {
            StateBound::At(first) => of_first.0 >= *first,
            // A text sorts before the same text with more digits: the shortest form is the least of those of one time.
            StateBound::OnVenueClock(first) => of_first.1.as_str() >= first.trim_end_matches('0').trim_end_matches('.'),
        }) && self.ends_at.as_ref().is_none_or(|bound| match bound {
            StateBound::At(last) => of_last.0 <= *last,
            StateBound::OnVenueClock(last) => of_last.1 <= *last,
        })
    }
}

/// A local time, or a date with a time.
fn full(local: &str, time: &str) -> String {
    if local.len() == 10 { format!("{local}{time}") } else { local.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_round_trips_and_rejects_unknown_members() {
        let filter = StateFilter {
            statuses: Some([EventStatus::Cancelled].into()),
            bbox: Some([2.05, 41.32, 2.23, 41.47]),
            range: Some(StateRange {
                starts_at: Some(StateBound::At(UtcInstant(7))),
                ends_at: Some(StateBound::OnVenueClock("2027-01-01T23:59:59.999999".to_owned())),
                kind: StateRangeKind::Overlaps,
            }),
            performers: ItemKeys { ids: vec![Uuid::max()], of_providers: vec![("fever".to_owned(), "1".to_owned())] },
            ..StateFilter::default()
        };
        let json = serde_json::to_string(&filter).expect("JSON");
        assert_eq!(serde_json::from_str::<StateFilter>(&json).expect("a filter"), filter);
        assert_eq!(serde_json::to_string(&StateFilter::default()).expect("JSON"), "{}");
        assert!(serde_json::from_str::<StateFilter>(r#"{"weather":"sunny"}"#).is_err());
    }
}
