//! What filters select of an event, before and after a change. It is stored with the change, because rows have only the newest state
//! ([ADR 59](../../docs/adr/0059-filters-of-changes.md)).

use sea_orm::prelude::Uuid;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EventStatus, UtcInstant, base_event, event, performer, venue};

/// Prices are stored in ten-thousandths of a currency's unit, which every currency can express.
const PRICE_DIGITS: i16 = 4;
const OLD: &str = "old";
const NEW: &str = "new";

/// What filters read of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventState {
    /// When it starts.
    pub starts_at: UtcInstant,
    /// When it ends; an event without an end ends when it starts.
    pub ends_at: UtcInstant,
    /// Start on the clock of its place, as in [`event::Model`].
    pub local_start: String,
    /// End on the clock of its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_end: Option<String>,
    /// Whether it is in its feed.
    pub listed: bool,
    /// Whether it takes place as announced.
    pub status: EventStatus,
    /// The name of an [`Availability`](event::Availability).
    pub availability: String,
    /// The slug of its category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// ISO 4217 code of its prices.
    pub currency: String,
    /// The lowest price of its zones in ten-thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_price: Option<i64>,
    /// The highest price of its zones in ten-thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<i64>,
    /// Its venue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<VenueState>,
    /// Its performers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub performers: Vec<ItemKey>,
    /// The provider's id and name of its organizer, those that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organizers: Vec<String>,
}

/// What filters read of a venue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VenueState {
    /// Its ids.
    pub key: ItemKey,
    /// Its city, see [`fold_name`](crate::fold_name()).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// ISO 3166-1 alpha-2 code of its country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Code of its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Its latitude and longitude in degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<(f64, f64)>,
}

/// Our id of a performer or venue, and the one of its provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemKey(pub Uuid, pub String);

/// The rows of an event.
#[derive(Clone, Copy, Debug)]
pub struct EventRows<'a> {
    /// The event.
    pub event: &'a event::Model,
    /// Its base event.
    pub base_event: &'a base_event::Model,
    /// Its venue.
    pub venue: Option<&'a venue::Model>,
    /// Its performers.
    pub performers: &'a [&'a performer::Model],
    /// The currency of its provider, and the decimal digits of this.
    pub currency: (&'a str, i16),
}

impl EventState {
    /// The state of the rows of an event, at an availability.
    #[must_use]
    pub fn new(rows: EventRows<'_>, availability: event::Availability) -> Self {
        let EventRows { event, base_event, venue, performers, currency } = rows;
        let digits = event.currency_digits.unwrap_or(currency.1);
        let units = 10_i64.pow((PRICE_DIGITS - digits).max(0).unsigned_abs().into());
        let organizer_name = event.organizer_name.as_ref().or(base_event.organizer_name.as_ref());
        let price = |minor_units: Option<i64>| minor_units.map(|price| price.saturating_mul(units));
        Self {
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            local_start: event.local_start.clone(),
            local_end: event.local_end.clone(),
            listed: event.left_at.is_none(),
            status: event.status,
            availability: availability.name().to_owned(),
            category: event.category.as_ref().or(base_event.category.as_ref()).cloned(),
            currency: event.currency.as_deref().unwrap_or(currency.0).to_owned(),
            min_price: price(event.min_price),
            max_price: price(event.max_price),
            venue: venue.map(VenueState::of),
            performers: performers.iter().map(|row| ItemKey(row.id, row.source_id.clone())).collect(),
            organizers: base_event.organizer_company_id.iter().chain(organizer_name).cloned().collect(),
        }
    }
}

impl VenueState {
    fn of(venue: &venue::Model) -> Self {
        Self {
            key: ItemKey(venue.id, venue.source_id.clone()),
            city: venue.folded_city.clone(),
            country: venue.country.clone(),
            place: venue.place_code.clone(),
            location: venue.located.then_some((venue.latitude, venue.longitude)),
        }
    }
}

/// The states of an event before and after a change. An event that is not shown has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangedStates {
    /// Before the change.
    pub old: Option<EventState>,
    /// After the change.
    pub new: Option<EventState>,
}

impl ChangedStates {
    /// The states as JSON. Of two states, the old one has only the fields that differ.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (old, new) = (self.old.as_ref().map(to_map), self.new.as_ref().map(to_map));
        let old = match (old, &new) {
            (Some(old), Some(new)) => Some(differences(old, new)),
            (old, _) => old,
        };
        let states = [(OLD, old), (NEW, new)].into_iter();
        let states: Map<String, Value> =
            states.filter_map(|(name, state)| Some((name.to_owned(), Value::Object(state?)))).collect();
        Value::Object(states).to_string()
    }

    /// The states of what [`to_json`](Self::to_json) encoded. `None` if it is something else.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        let mut states: Map<String, Value> = serde_json::from_str(text).ok()?;
        let mut take = |name| match states.remove(name) {
            Some(Value::Object(state)) => Some(Some(state)),
            Some(_) => None,
            None => Some(None),
        };
        let (old, new) = (take(OLD)?, take(NEW)?);
        let old = match (old, &new) {
            (Some(differences), Some(new)) => {
                let mut old = new.clone();
                old.extend(differences);
                Some(old)
            }
            (old, _) => old,
        };
        let state = |map: Option<Map<String, Value>>| map.map_or(Some(None), |map| from_map(map).map(Some));
        Some(Self { old: state(old)?, new: state(new)? })
    }
}

fn to_map(state: &EventState) -> Map<String, Value> {
    match serde_json::to_value(state) {
        Ok(Value::Object(map)) => map,
        // A structure of texts and numbers is always an object.
        _ => Map::new(),
    }
}

/// A field that is absent in one of both is null in the other.
fn from_map(map: Map<String, Value>) -> Option<EventState> {
    let map = map.into_iter().filter(|(_, value)| !value.is_null()).collect();
    serde_json::from_value(Value::Object(map)).ok()
}

/// The fields of a map that differ from those of another one; null if it lacks them.
fn differences(mut map: Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let absent: Vec<String> = other.keys().filter(|key| !map.contains_key(*key)).cloned().collect();
    map.retain(|key, value| other.get(key) != Some(value));
    map.extend(absent.into_iter().map(|key| (key, Value::Null)));
    map
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*};

    use super::*;

    fn any_state() -> impl Strategy<Value = EventState> {
        let venue = (option::of("[a-z]{1,3}"), option::of(Just((41.38, 2.17)))).prop_map(|(city, location)| VenueState {
            key: ItemKey(Uuid::from_u128(1), "hall".to_owned()),
            city,
            country: None,
            place: None,
            location,
        });
        let performers = proptest::collection::vec(0_u128..3, 0..3);
        (option::of("[a-z]{1,3}"), option::of(0_i64..9), option::of(venue), performers, any::<bool>()).prop_map(
            |(category, price, venue, performers, listed)| EventState {
                starts_at: UtcInstant(1_900_000_000_000_000),
                ends_at: UtcInstant(1_900_000_000_000_000 + price.unwrap_or(0)),
                local_start: "2030-03-17T17:46:40".to_owned(),
                local_end: category.clone(),
                listed,
                status: if listed { EventStatus::Scheduled } else { EventStatus::MovedOnline },
                availability: "unknown".to_owned(),
                category,
                currency: "EUR".to_owned(),
                min_price: price,
                max_price: price,
                venue,
                performers: performers.into_iter().map(|id| ItemKey(Uuid::from_u128(id), id.to_string())).collect(),
                organizers: price.map(|price| price.to_string()).into_iter().collect(),
            },
        )
    }

    proptest! {
        #[test]
        fn states_round_trip(old in option::of(any_state()), new in option::of(any_state())) {
            let states = ChangedStates { old, new };
            prop_assert_eq!(ChangedStates::from_json(&states.to_json()), Some(states));
        }
    }

    #[test]
    fn what_is_not_states_is_rejected() {
        for text in ["", "[]", r#"{"new":7}"#, r#"{"old":{"listed":true}}"#, r#"{"new":{}}"#] {
            assert_eq!(ChangedStates::from_json(text), None, "{text}");
        }
        assert_eq!(ChangedStates::from_json("{}"), Some(ChangedStates::default()));
    }
}
