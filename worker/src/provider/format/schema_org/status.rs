//! The status of an event.

use entity::EventStatus;

use super::{node::JsonLdNode, value::JsonValue};
use crate::provider::{
    format::values::{self, ItemErrors, name_field},
    quote::quote,
};

/// The statuses in order of their importance, if an event has several: it may be rescheduled and online.
const BY_IMPORTANCE: [EventStatus; 4] =
    [EventStatus::Cancelled, EventStatus::Postponed, EventStatus::Rescheduled, EventStatus::MovedOnline];

/// Properties with the name of a constant that is a node without an `@id`.
const NAME_PROPERTIES: [&str; 4] = ["url", "name", "@value", "sameAs"];

/// The status of an event; `None` if it has none that can be read.
pub(super) fn read_status(event: JsonLdNode<'_>, errors: &mut ItemErrors) -> Option<EventStatus> {
    let values = event.parts("eventStatus").into_iter();
    let statuses: Vec<EventStatus> =
        values.filter_map(|value| errors.tolerate(name_field("eventStatus", parse_status(value)))).collect();
    BY_IMPORTANCE.into_iter().find(|status| statuses.contains(status)).or_else(|| statuses.first().copied())
}

/// The status that a value names; `None` if it is blank.
fn parse_status(value: &JsonValue<'_>) -> Result<Option<EventStatus>, String> {
    let names = list_constants(value);
    if let Some(status) = names.iter().find_map(|name| values::parse_status(name).ok()) {
        return Ok(Some(status));
    }
    match (names.first(), value) {
        (Some(name), _) => values::parse_status(name).map(Some),
        (None, JsonValue::Object(object)) => Err(format!("must be a status of schema.org, got {}", quote(object.raw))),
        (None, JsonValue::Unreadable) => Err("must be a text with valid escapes".to_owned()),
        (None, _) => Ok(None),
    }
}

/// What may name a constant of schema.org in a value: the text, or the `@id`, other names and types of a node.
pub(super) fn list_constants<'t>(value: &'t JsonValue<'t>) -> Vec<&'t str> {
    let JsonValue::Object(object) = value else { return value.text().into_iter().collect() };
    let names = NAME_PROPERTIES.into_iter().filter_map(|property| object.get(property)?.text());
    object.reference_id().into_iter().chain(names).chain(object.types()).filter(|name| !name.starts_with("_:")).collect()
}
