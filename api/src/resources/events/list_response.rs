//! The response of a request for events.

use std::collections::BTreeSet;

use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::Event;
use crate::{
    find::EventView,
    response::{AlwaysNull, Nullable},
};

/// The members of an event.
pub(super) const FIELDS: [&str; 32] = [
    "id",
    "title",
    "name",
    "base_event_id",
    "status",
    "availability",
    "listed",
    "starts_at",
    "ends_at",
    "start_date",
    "start_time",
    "end_date",
    "end_time",
    "time_zone",
    "min_price",
    "max_price",
    "currency",
    "category",
    "description",
    "url",
    "image_url",
    "performers",
    "venue",
    "organizer",
    "provider",
    "sell_from",
    "sell_to",
    "distance_km",
    "first_seen_at",
    "updated_at",
    "left_at",
    "previous_start_at",
];

/// A page of events.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(example)]
pub struct EventPage {
    /// The result.
    pub data: FoundEvents,
    /// What describes the whole list.
    pub meta: EventPageMeta,
    /// Always null.
    #[serde(skip_deserializing)]
    pub error: AlwaysNull,
}

/// The events of a page.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct FoundEvents {
    /// The events, in the order that `sort` requests.
    pub events: Vec<Event>,
}

/// What describes a whole list.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
pub struct EventPageMeta {
    /// The next page, as a reference relative to the URL of the request; null on the last page.
    pub next: Nullable<String>,
    /// The number of events on all pages, at most 10,000; null unless `total=true` requests it.
    pub total: Nullable<u64>,
    /// The words that were searched instead of those of `q`; null if they are the same.
    pub corrected: Nullable<String>,
    /// Whether the pages contain all events. `sort=relevance` sorts only the first 1,000 by their start; the others are on no page.
    pub complete: bool,
}

/// Encodes a page, with all members of the events or only some.
pub(super) fn encode_page(
    views: impl Iterator<Item = EventView>,
    (has_point, fields): (bool, &BTreeSet<&'static str>),
    meta: &EventPageMeta,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut body = br#"{"data":{"events":["#.to_vec();
    for (index, view) in views.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        let event = Event::new(view, has_point);
        if fields.is_empty() {
            serde_json::to_writer(&mut body, &event)?;
        } else {
            serde_json::to_writer(&mut body, &select_fields(&event, fields)?)?;
        }
    }
    body.extend_from_slice(br#"]},"meta":"#);
    serde_json::to_writer(&mut body, meta)?;
    body.extend_from_slice(br#","error":null}"#);
    Ok(body)
}

fn select_fields(event: &Event, fields: &BTreeSet<&'static str>) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(event)?;
    if let Value::Object(members) = &mut value {
        members.retain(|member, _| fields.contains(member.as_str()));
    }
    Ok(value)
}

impl Example for EventPage {
    fn example() -> Self {
        let data = FoundEvents { events: vec![Event::example()] };
        Self { data, meta: EventPageMeta { complete: true, ..EventPageMeta::default() }, error: AlwaysNull }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_an_event_can_be_requested() {
        let Value::Object(members) = serde_json::to_value(Event::example()).unwrap() else { panic!("an object") };
        let members: BTreeSet<&str> = members.keys().map(String::as_str).collect();
        assert_eq!(BTreeSet::from(FIELDS), members);
    }
}
