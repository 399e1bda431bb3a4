//! The properties of one node, with those of its definition elsewhere in the document.

use super::value::{JsonObject, JsonValue, strip_type};
use crate::provider::format::values::{self, describe_missing, name_field};

/// The properties that identify a node, in order of preference. A URL identifies it only if nothing else does.
const ID_PROPERTIES: [&str; 3] = ["@id", "identifier", "sku"];
/// Length of a name with its markup, before it is cleaned.
const MAX_RAW_NAME_BYTES: usize = 64 * 1024;

/// An object that describes something.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonLdNode<'t> {
    own: &'t JsonObject<'t>,
    /// The object with the same `@id` that has the most properties.
    definition: Option<&'t JsonObject<'t>>,
}

/// A value of a property that refers to something: a node, or its name or URL.
#[derive(Clone, Copy, Debug)]
pub(super) enum JsonLdLink<'t> {
    Node(JsonLdNode<'t>),
    /// It may be blank.
    Text(&'t str),
}

impl<'t> JsonValue<'t> {
    /// The first text that is not blank, or number or boolean.
    pub(super) fn text(&'t self) -> Option<&'t str> {
        match self {
            Self::Text(text) => Some(text.trim_ascii()).filter(|text| !text.is_empty()),
            Self::Number(digits) => Some(digits),
            Self::Boolean(true) => Some("true"),
            Self::Boolean(false) => Some("false"),
            Self::List(values) => values.iter().find_map(Self::text),
            Self::Object(object) => object.get("@value").and_then(Self::text),
            Self::Null | Self::Unreadable => None,
        }
    }

    /// The object, if it is one.
    pub(super) fn object(&'t self) -> Option<&'t JsonObject<'t>> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The first id: a text, or the value of an object such as a `PropertyValue`. Blank nodes (`_:b0`) have another one in each document.
    pub(super) fn id_text(&'t self) -> Option<&'t str> {
        let text = |part: &'t Self| match part {
            Self::Object(object) => object.get("@value").or_else(|| object.get("value"))?.text(),
            part => part.text(),
        };
        self.parts().into_iter().filter_map(text).find(|id| !id.starts_with("_:"))
    }

    /// The values of a list, of lists in it, and of `@list` and `@set`; or this value, unless it is null.
    pub(super) fn parts(&'t self) -> Vec<&'t Self> {
        let mut parts = Vec::new();
        self.collect_parts(&mut parts);
        parts
    }

    fn collect_parts(&'t self, parts: &mut Vec<&'t Self>) {
        match self {
            Self::Null => {}
            Self::List(values) => values.iter().for_each(|value| value.collect_parts(parts)),
            Self::Object(object) => match object.get("@list").or_else(|| object.get("@set")) {
                Some(values) => values.collect_parts(parts),
                None => parts.push(self),
            },
            _ => parts.push(self),
        }
    }
}

impl<'t> JsonObject<'t> {
    /// The names of its types.
    pub(super) fn types(&'t self) -> impl Iterator<Item = &'t str> {
        let types = self.get("@type").or_else(|| self.get("type")).map(JsonValue::parts).unwrap_or_default();
        types.into_iter().filter_map(JsonValue::text).map(strip_type)
    }

    /// The id to which other nodes may refer.
    pub(super) fn reference_id(&'t self) -> Option<&'t str> {
        self.get("@id").or_else(|| self.get("id")).and_then(JsonValue::text)
    }

    /// Whether it only refers to a node.
    pub(super) fn is_reference(&'t self) -> bool {
        self.reference_id().is_some() && self.entries().all(|(key, _)| ["@id", "id", "@type", "type"].contains(&key))
    }
}

impl<'t> JsonLdNode<'t> {
    pub(super) fn new(own: &'t JsonObject<'t>, definition: Option<&'t JsonObject<'t>>) -> Self {
        Self { own, definition }
    }

    /// Identifies the object of the document that has its properties.
    pub(super) fn position(self) -> usize {
        self.definition.unwrap_or(self.own).raw.as_ptr().addr()
    }

    /// The names of its types.
    pub(super) fn types(self) -> Vec<&'t str> {
        let types: Vec<&str> = self.own.types().collect();
        if types.is_empty() { self.definition.into_iter().flat_map(JsonObject::types).collect() } else { types }
    }

    /// A value that is not null.
    pub(super) fn get(self, property: &str) -> Option<&'t JsonValue<'t>> {
        let get = |object: &'t JsonObject<'t>| object.get(property).filter(|value| !matches!(value, JsonValue::Null));
        get(self.own).or_else(|| self.definition.and_then(get))
    }

    /// The values of a property: one, several or none.
    pub(super) fn parts(self, property: &str) -> Vec<&'t JsonValue<'t>> {
        self.get(property).map(JsonValue::parts).unwrap_or_default()
    }

    /// A property that is a number or a text that is not blank.
    pub(super) fn text(self, property: &str) -> Option<&'t str> {
        self.get(property)?.text()
    }

    /// The id of a node, except for its URL.
    pub(super) fn own_id(self) -> Option<&'t str> {
        ID_PROPERTIES.into_iter().find_map(|property| {
            let value = self.get(property).or_else(|| self.get("id").filter(|_| property == "@id"));
            value.and_then(JsonValue::id_text)
        })
    }

    /// The id of a node.
    pub(super) fn id(self) -> Option<&'t str> {
        self.own_id().or_else(|| self.text("url"))
    }

    /// A title or a name.
    pub(super) fn name(self, property: &str) -> Result<Option<String>, String> {
        self.optional(property, parse_name)
    }

    pub(super) fn required<T>(self, property: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
        self.optional(property, parse)?.ok_or_else(|| describe_missing(&[property]))
    }

    pub(super) fn optional<T>(self, property: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
        match self.get(property) {
            Some(JsonValue::Unreadable) => Err(format!("`{property}` must be a text with valid escapes, of at most 1 MiB")),
            value => value.and_then(JsonValue::text).map(|text| name_field(property, parse(text))).transpose(),
        }
    }
}

/// Whether a text is the `@id` of a node, rather than a name.
pub(super) fn is_reference_text(text: &str) -> bool {
    text.starts_with(['#', '/'])
        || text.split_once(':').is_some_and(|(scheme, rest)| !scheme.contains(' ') && !rest.starts_with(' '))
}

/// Whether a text is an absolute URL or the `@id` of a blank node, which no name is.
pub(super) fn is_url(text: &str) -> bool {
    ["http://", "https://", "urn:", "_:"].iter().any(|start| text.starts_with(start)) && !text.contains(char::is_whitespace)
}

/// Cleans and parses a title or a name.
pub(super) fn parse_name(text: &str) -> Result<String, String> {
    if text.len() > MAX_RAW_NAME_BYTES {
        return Err(format!("must have at most {MAX_RAW_NAME_BYTES} bytes, got {}", text.len()));
    }
    values::parse_name(text)
}
