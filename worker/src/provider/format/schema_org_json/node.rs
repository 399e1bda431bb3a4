//! The properties of one JSON-LD node.

use serde_json::{Map, Value};

use crate::provider::format::values::{describe_missing, name_field, parse_id};

/// The properties that websites use to identify a node, in order of preference.
const ID_PROPERTIES: [&str; 4] = ["@id", "identifier", "sku", "url"];

/// An object of the document.
#[derive(Clone, Copy)]
pub(super) struct JsonLdNode<'a>(pub(super) &'a Map<String, Value>);

impl<'a> JsonLdNode<'a> {
    /// Whether the type is `Event` or a kind of it, such as `MusicEvent`. An `EventSeries` is not: it only groups events.
    pub(super) fn is_event(self) -> bool {
        let is_event_type = |name: &Value| {
            let name = name.as_str().unwrap_or_default();
            name.ends_with("Event") || ["Festival", "Hackathon"].contains(&name)
        };
        match self.0.get("@type") {
            Some(Value::Array(types)) => types.iter().any(is_event_type),
            Some(name) => is_event_type(name),
            None => false,
        }
    }

    /// A property that is a number or a text that is not blank.
    pub(super) fn text(self, property: &str) -> Option<String> {
        match self.0.get(property)? {
            Value::String(text) if !text.trim_ascii().is_empty() => Some(text.trim_ascii().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The objects of a property: one, several or none.
    pub(super) fn nodes(self, property: &str) -> impl Iterator<Item = Self> {
        let values = match self.0.get(property) {
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        values.iter().filter_map(|value| value.as_object().map(Self))
    }

    pub(super) fn id(self) -> Option<String> {
        ID_PROPERTIES.iter().find_map(|property| self.text(property))
    }

    pub(super) fn required_id(self) -> Result<String, String> {
        let id = self.id().ok_or_else(|| describe_missing(&["@id", "identifier", "url"]))?;
        name_field("@id", parse_id(&id))
    }

    /// The id of a node that may have only a name, as places and performers often do.
    pub(super) fn id_or_name(self) -> Result<String, String> {
        let missing = || describe_missing(&["@id", "identifier", "url", "name"]);
        let id = self.id().or_else(|| self.text("name")).ok_or_else(missing)?;
        name_field("@id", parse_id(&id))
    }

    pub(super) fn required<T>(self, property: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
        self.optional(property, parse)?.ok_or_else(|| describe_missing(&[property]))
    }

    pub(super) fn optional<T>(self, property: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
        self.text(property).map(|text| name_field(property, parse(&text))).transpose()
    }
}
