//! What the types of nodes mean: which are events, and what those are that have events.

use super::{
    node::JsonLdNode,
    value::{JsonObject, JsonValue},
};

/// All kinds of [`Event`](https://schema.org/Event), in lower case and ordered.
const EVENT_TYPES: [&str; 26] = [
    "broadcastevent",
    "businessevent",
    "childrensevent",
    "comedyevent",
    "conferenceevent",
    "courseinstance",
    "danceevent",
    "deliveryevent",
    "educationevent",
    "event",
    "eventseries",
    "exhibitionevent",
    "festival",
    "foodevent",
    "hackathon",
    "literaryevent",
    "musicevent",
    "ondemandevent",
    "performingartsevent",
    "publicationevent",
    "saleevent",
    "screeningevent",
    "socialevent",
    "sportsevent",
    "theaterevent",
    "visualartsevent",
];

/// Ends of the names of other types that have a `startDate`.
const DATED_TYPES: [&str; 10] =
    ["Override", "Periodical", "Program", "Reservation", "Role", "Schedule", "Season", "Series", "Specification", "Trip"];

/// Types that perform.
const PERFORMER_TYPES: [&str; 5] = ["DanceGroup", "MusicGroup", "PerformingGroup", "Person", "TheaterGroup"];
/// Types that organize, and are not places. There are more of them that end with `Organization`.
const ORGANIZER_TYPES: [&str; 14] = [
    "Airline",
    "Consortium",
    "Cooperative",
    "Corporation",
    "FundingAgency",
    "LibrarySystem",
    "NGO",
    "OnlineBusiness",
    "OnlineStore",
    "PoliticalParty",
    "Project",
    "ResearchProject",
    "SportsTeam",
    "WorkersUnion",
];
/// Types that only list events. All others with events are places.
const LIST_TYPES: [&str; 8] =
    ["Collection", "CollectionPage", "DataFeed", "Dataset", "ItemList", "OfferCatalog", "WebPage", "WebSite"];

pub(super) fn is_event(object: &JsonObject<'_>) -> bool {
    object.types().any(|name| EVENT_TYPES.binary_search(&name.to_ascii_lowercase().as_str()).is_ok())
}

/// Whether a node that is not an event has a start as events have, so that its type is more likely a misspelled one.
pub(super) fn resembles_event(object: &JsonObject<'_>) -> bool {
    let is_dated = |name: &str| DATED_TYPES.iter().any(|end| name.ends_with(end));
    object.types().next().is_some() && !object.types().any(is_dated) && has_dates(object)
}

/// Whether a node has a start that is not blank, or a schedule.
pub(super) fn has_dates(object: &JsonObject<'_>) -> bool {
    let has_start = object.get("startDate").is_some_and(|start| matches!(start, JsonValue::Unreadable) || start.text().is_some());
    has_start || object.get("eventSchedule").is_some_and(|schedule| !schedule.parts().is_empty())
}

/// Whether a node states how another one takes part, such as a `PerformanceRole`.
pub(super) fn is_role(node: JsonLdNode<'_>) -> bool {
    node.types().iter().any(|name| name.ends_with("Role"))
}

/// The property of an event that names what has the event; `None` if that only lists it.
pub(super) fn property_of_events(object: &JsonObject<'_>) -> Option<&'static str> {
    let is_any_of = |names: &[&str]| object.types().any(|name| names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    if is_any_of(&PERFORMER_TYPES) {
        Some("performer")
    } else if is_any_of(&ORGANIZER_TYPES) || object.types().any(|name| name.ends_with("Organization")) {
        Some("organizer")
    } else if is_any_of(&LIST_TYPES) || object.types().next().is_none() {
        None
    } else {
        Some("location")
    }
}
