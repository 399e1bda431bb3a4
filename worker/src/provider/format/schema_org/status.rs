//! The status of an event.

use entity::EventStatus;

use super::{node::JsonLdNode, value::JsonValue};
use crate::provider::format::values::{self, ItemErrors, name_field};

/// The statuses in order of their importance, if an event has several: it may be rescheduled and online.
const BY_IMPORTANCE: [EventStatus; 4] =
    [EventStatus::Cancelled, EventStatus::Postponed, EventStatus::Rescheduled, EventStatus::MovedOnline];

/// The status of an event; `scheduled` if it is unknown or missing.
pub(super) fn read_status(event: JsonLdNode<'_>, errors: &mut ItemErrors) -> EventStatus {
    let names = event.parts("eventStatus").into_iter().filter_map(find_constant);
    let statuses: Vec<EventStatus> =
        names.filter_map(|name| errors.tolerate(name_field("eventStatus", values::parse_status(name)).map(Some))).collect();
    BY_IMPORTANCE.into_iter().find(|status| statuses.contains(status)).unwrap_or_default()
}

/// The name of a constant of schema.org: a text or a reference.
pub(super) fn find_constant<'t>(value: &'t JsonValue<'t>) -> Option<&'t str> {
    match value {
        JsonValue::Object(object) => object.reference_id().or_else(|| value.text()),
        _ => value.text(),
    }
}
