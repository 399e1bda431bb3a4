//! A document as a graph: finds its events, the definitions of its nodes, and what contains an event.
//!
//! Events are searched where publishers put them: in objects without a type, and in the known properties of others. JSON-LD contexts
//! are not resolved: names are those of schema.org, with or without its prefix.

use std::collections::{HashMap, HashSet};

use super::{
    kinds::{has_dates, is_event, is_role, property_of_events, resembles_event},
    mentions::{EventKeys, identify},
    node::{JsonLdLink, JsonLdNode, is_reference_text},
    value::{JsonObject, JsonValue},
};
use crate::provider::id_from::IdFrom;

/// Properties of an object that is not an event, with what they contain: the rest of the document, or a list of results.
const CONTAINERS: [&str; 11] = [
    "@graph",
    "@included",
    "dataFeedElement",
    "hasPart",
    "hydra:member",
    "item",
    "itemListElement",
    "itemOffered",
    "items",
    "mainEntity",
    "member",
];
/// Properties of an object that is not an event, with what it is about. An event without a date is not imported from there.
const SUBJECTS: [&str; 2] = ["about", "mentions"];
/// Properties with offers, which may offer events. Without offers, the document is not an empty list of events.
const OFFERS: [&str; 2] = ["hasOfferCatalog", "makesOffer"];
/// Properties of an event that may be written in reverse, in `@reverse` of their value.
const REVERSIBLE: [&str; 4] = ["location", "organizer", "performer", "superEvent"];
/// Keys of JSON-LD that have no part of the document, or are read otherwise.
const READ_OTHERWISE: [&str; 2] = ["@context", "@reverse"];
/// Properties with the events of something.
const EVENTS: [&str; 3] = ["event", "events", "performerIn"];
/// Properties with the parts of an event or a course.
const PARTS: [&str; 3] = ["subEvent", "subEvents", "hasCourseInstance"];

/// Values of one property of an event that are read: an orchestra has a hundred performers.
const MAX_LINKS: usize = 1_000;

/// The nodes of a document.
#[derive(Debug, Default)]
pub(super) struct JsonLdGraph<'t> {
    /// The most complete object of each `@id`.
    definitions: HashMap<&'t str, &'t JsonObject<'t>>,
    /// Ordered by position.
    pub(super) events: Vec<EventNode<'t>>,
    /// What contains references to events, by their `@id`.
    containers: HashMap<&'t str, Container<'t>>,
    /// The `@id` of nodes that are the `superEvent` of others.
    series: HashSet<&'t str>,
    /// Nested `superEvent`s.
    nested_series: Vec<&'t JsonObject<'t>>,
    /// There is a list for events, and it is empty.
    pub(super) has_empty_list: bool,
    /// Nodes that are not events, but have dates.
    pub(super) unknown: Vec<&'t JsonObject<'t>>,
    /// The property from which ids are read, if it is not the usual one.
    pub(super) id_from: Option<IdFrom>,
}

/// An event of the document.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventNode<'t> {
    pub(super) object: &'t JsonObject<'t>,
    container: Option<Container<'t>>,
}

/// The node that contains an event, and the property of the event that it stands for.
#[derive(Clone, Copy, Debug)]
struct Container<'t> {
    property: &'static str,
    object: &'t JsonObject<'t>,
}

impl<'t> EventNode<'t> {
    /// The event as it is written here. If there are several with its id, each is complete.
    pub(super) fn node(self) -> JsonLdNode<'t> {
        JsonLdNode::new(self.object, None)
    }
}

impl<'t> JsonLdGraph<'t> {
    /// The graph of the documents, such as the scripts of a page.
    pub(super) fn new(documents: &'t [JsonValue<'t>], id_from: Option<IdFrom>) -> Self {
        let mut graph = Self { id_from, ..Self::default() };
        for document in documents {
            graph.define(document);
        }
        for document in documents {
            graph.find_events(document, None);
        }
        graph.add_nested_series();
        graph.resolve_mentions();
        graph.events.sort_by_key(|event| event.object.raw.as_ptr().addr());
        graph
    }

    /// The objects and texts of a property, or of what contains the event. References have their definitions.
    pub(super) fn links(&self, node: JsonLdNode<'t>, property: &str) -> Vec<JsonLdLink<'t>> {
        let link = |value: &'t JsonValue<'t>| match value {
            JsonValue::Object(object) if object.get("@value").is_none() => JsonLdLink::Node(self.resolve(object)),
            _ => {
                let text = value.text().unwrap_or_default();
                let definition = self.definitions.get(text).filter(|_| is_reference_text(text));
                definition.map_or(JsonLdLink::Text(text), |node| JsonLdLink::Node(JsonLdNode::new(node, None)))
            }
        };
        node.parts(property).into_iter().map(link).collect()
    }

    /// The values of a role, which has the property again, or the value itself.
    fn unwrap_role(&self, link: JsonLdLink<'t>, property: &str) -> Vec<JsonLdLink<'t>> {
        let values = match link {
            JsonLdLink::Node(node) if is_role(node) => self.links(node, property),
            _ => Vec::new(),
        };
        if values.is_empty() { vec![link] } else { values }
    }

    /// The objects of a property, with their definitions.
    pub(super) fn nodes(&self, node: JsonLdNode<'t>, property: &str) -> Vec<JsonLdNode<'t>> {
        let is_node = |link| if let JsonLdLink::Node(node) = link { Some(node) } else { None };
        self.links(node, property).into_iter().filter_map(is_node).collect()
    }

    /// As [`JsonLdGraph::links`] without roles, or the node that contains the event in place of this property.
    pub(super) fn links_of_event(&self, event: EventNode<'t>, property: &str) -> Vec<JsonLdLink<'t>> {
        let role_property = if property == "performers" { "performer" } else { property };
        let links = self.links(event.node(), property).into_iter();
        let links: Vec<_> = links.flat_map(|link| self.unwrap_role(link, role_property)).take(MAX_LINKS).collect();
        let ids = || event.object.reference_id().into_iter().chain(identify(event.object).into_iter().flatten());
        let referenced = || ids().find_map(|id| self.containers.get(id).copied());
        match event.container.or_else(referenced) {
            Some(container) if links.is_empty() && container.property == property => {
                vec![JsonLdLink::Node(self.resolve(container.object))]
            }
            _ => links,
        }
    }

    /// Whether a node only groups others: it has no date.
    pub(super) fn is_group(&self, event: &'t JsonObject<'t>) -> bool {
        if has_dates(event) {
            return false;
        }
        let is_series = event.types().any(|name| name == "EventSeries");
        has_parts(event) || is_series || event.reference_id().is_some_and(|id| self.series.contains(id))
    }

    fn resolve(&self, object: &'t JsonObject<'t>) -> JsonLdNode<'t> {
        let definition = object.reference_id().and_then(|id| self.definitions.get(id).copied());
        JsonLdNode::new(object, definition.filter(|definition| !std::ptr::eq(*definition, object)))
    }

    /// Collects the definitions of all nodes.
    fn define(&mut self, value: &'t JsonValue<'t>) {
        match value {
            JsonValue::List(values) => values.iter().for_each(|value| self.define(value)),
            JsonValue::Object(object) => {
                if let Some(id) = object.reference_id()
                    && !object.is_reference()
                {
                    let known = self.definitions.entry(id).or_insert(object);
                    if known.len() < object.len() {
                        *known = object;
                    }
                }
                object.entries().for_each(|(_, value)| self.define(value));
            }
            _ => {}
        }
    }

    fn find_events(&mut self, value: &'t JsonValue<'t>, container: Option<Container<'t>>) {
        match value {
            JsonValue::List(values) => {
                self.has_empty_list |= values.is_empty();
                values.iter().for_each(|value| self.find_events(value, container));
            }
            JsonValue::Object(object) if object.is_reference() => self.contain(object.reference_id(), container),
            JsonValue::Object(object) if is_event(object) => self.add_event(object, container),
            JsonValue::Object(object) => self.find_events_of(object, container),
            value => self.contain(value.text(), container),
        }
    }

    fn contain(&mut self, id: Option<&'t str>, container: Option<Container<'t>>) {
        if let (Some(id), Some(container)) = (id, container) {
            self.containers.entry(id).or_insert(container);
        }
    }

    fn add_event(&mut self, object: &'t JsonObject<'t>, container: Option<Container<'t>>) {
        self.events.push(EventNode { object, container });
        self.find_reversed(object);
        for property in PARTS {
            if let Some(parts) = object.get(property) {
                parts.parts().into_iter().for_each(|part| {
                    self.find_events(part, Some(Container { property: "superEvent", object }));
                });
            }
        }
        for series in object.get("superEvent").map(JsonValue::parts).unwrap_or_default() {
            match series {
                JsonValue::Object(series) => {
                    self.series.extend(series.reference_id());
                    self.nested_series.push(series);
                }
                series => self.series.extend(series.text()),
            }
        }
    }

    /// Searches an object that is not an event.
    fn find_events_of(&mut self, object: &'t JsonObject<'t>, container: Option<Container<'t>>) {
        let has_type = object.types().next().is_some();
        if resembles_event(object) {
            self.unknown.push(object);
        }
        self.find_reversed(object);
        for (key, value) in object.entries() {
            if PARTS.contains(&key) {
                self.find_events(value, Some(Container { property: "superEvent", object }));
            } else if EVENTS.contains(&key) {
                let of_object = property_of_events(object).map(|property| Container { property, object });
                self.find_events(value, of_object);
            } else if has_type && OFFERS.contains(&key) {
                value.parts().into_iter().for_each(|part| self.find_events(part, None));
            } else if has_type && SUBJECTS.contains(&key) {
                self.find_subjects(value);
            } else if CONTAINERS.contains(&key) || (!has_type && !READ_OTHERWISE.contains(&key) && !is_empty_list(value)) {
                self.find_events(value, container);
            }
        }
    }

    /// Searches what an object is about.
    fn find_subjects(&mut self, value: &'t JsonValue<'t>) {
        for part in value.parts() {
            let is_name = part.object().is_some_and(|object| is_event(object) && !has_dates(object) && !has_parts(object));
            if !is_name {
                self.find_events(part, None);
            }
        }
    }

    /// Searches `@reverse`: nodes that have this object as the value of a property.
    fn find_reversed(&mut self, object: &'t JsonObject<'t>) {
        let reversed = object.get("@reverse").and_then(JsonValue::object);
        for (key, value) in reversed.into_iter().flat_map(JsonObject::entries) {
            let property = REVERSIBLE.into_iter().find(|property| *property == key);
            let container = property.map(|property| Container { property, object });
            value.parts().into_iter().for_each(|part| self.find_events(part, container));
        }
    }

    /// Removes nodes that only mention an event. What contains them contains the event.
    fn resolve_mentions(&mut self) {
        if self.events.iter().all(|event| has_dates(event.object)) {
            return;
        }
        let keys = EventKeys::of(&self.events);
        for event in std::mem::take(&mut self.events) {
            match keys.find(event.object).filter(|_| !has_dates(event.object)) {
                Some(key) => self.contain(Some(key), event.container),
                None => self.events.push(event),
            }
        }
    }

    /// Nested series with dates are events, as they are outside of other events. Each event of a series repeats it.
    fn add_nested_series(&mut self) {
        let nested = std::mem::take(&mut self.nested_series);
        if nested.is_empty() {
            return;
        }
        let mut known: HashSet<&str> = self.events.iter().filter_map(|event| event.object.reference_id()).collect();
        for object in nested {
            if is_event(object) && has_dates(object) && object.reference_id().is_some_and(|id| known.insert(id)) {
                self.events.push(EventNode { object, container: None });
            }
        }
    }
}

/// Whether an event has others as its parts.
fn has_parts(event: &JsonObject<'_>) -> bool {
    let reversed = event.get("@reverse").and_then(JsonValue::object).and_then(|reversed| reversed.get("superEvent"));
    reversed.is_some() || PARTS.iter().any(|property| event.get(property).is_some())
}

/// An empty list with another name may be one of errors.
fn is_empty_list(value: &JsonValue<'_>) -> bool {
    matches!(value, JsonValue::List(values) if values.is_empty())
}
