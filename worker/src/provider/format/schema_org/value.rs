//! JSON as a tree that borrows from the document: every object has its position, and every number its digits.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Values of one document: with their keys and lengths, they take up to five times the memory of the largest document.
pub(super) const MAX_VALUES: usize = 4_000_000;
/// Levels of objects and lists. An offer in an event in a list in a graph is on the eighth.
const MAX_DEPTH: usize = 32;
/// Length of a text. Descriptions have thousands of bytes.
const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// One value of a document.
#[derive(Debug)]
pub(super) enum JsonValue<'a> {
    Null,
    Boolean(bool),
    /// The digits as they were written.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<JsonValue<'a>>),
    Object(JsonObject<'a>),
    /// A text with half a surrogate pair, or something too long or too deep.
    Unreadable,
}

/// An object of a document.
#[derive(Debug)]
pub(super) struct JsonObject<'a> {
    /// Its text in the document.
    pub(super) raw: &'a str,
    /// Ordered by key, so that a lookup does not depend on their number.
    entries: Vec<(Cow<'a, str>, JsonValue<'a>)>,
}

/// The document has more values than the limit.
#[derive(Debug)]
pub(super) struct TooManyValues;

/// Builds the trees of one document, which share the limits.
#[derive(Default)]
pub(super) struct TreeBuilder {
    values: usize,
}

impl<'a> JsonObject<'a> {
    /// The value of a key that occurs once, or the last one.
    pub(super) fn get(&self, key: &str) -> Option<&JsonValue<'a>> {
        let end = self.entries.partition_point(|(other, _)| other.as_ref() <= key);
        let (last, value) = self.entries.get(end.checked_sub(1)?)?;
        (last == key).then_some(value)
    }

    /// All keys and values.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &JsonValue<'a>)> {
        self.entries.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl TreeBuilder {
    /// Builds the tree of a value that is valid JSON, except for the escapes in its texts.
    pub(super) fn build<'a>(&mut self, raw: &'a RawValue) -> Result<JsonValue<'a>, TooManyValues> {
        // The parts of a list are in memory before they are counted.
        if memchr::memchr_iter(b',', raw.get().as_bytes()).count() > MAX_VALUES {
            return Err(TooManyValues);
        }
        self.build_value(raw.get(), 0)
    }

    fn build_value<'a>(&mut self, raw: &'a str, depth: usize) -> Result<JsonValue<'a>, TooManyValues> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(TooManyValues);
        }
        Ok(match raw.as_bytes().first() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => JsonValue::Unreadable,
            Some(b'{') => self.build_object(raw, depth)?,
            Some(b'[') => self.build_list(raw, depth)?,
            Some(b'"') if raw.len() > MAX_TEXT_BYTES => JsonValue::Unreadable,
            Some(b'"') => serde_json::from_str(raw).map_or(JsonValue::Unreadable, |BorrowedText(text)| JsonValue::Text(text)),
            Some(b't') => JsonValue::Boolean(true),
            Some(b'f') => JsonValue::Boolean(false),
            Some(b'n') => JsonValue::Null,
            _ => JsonValue::Number(raw),
        })
    }

    fn build_object<'a>(&mut self, raw: &'a str, depth: usize) -> Result<JsonValue<'a>, TooManyValues> {
        // The syntax is valid, but a key may have half a surrogate pair.
        let Ok(RawEntries(raw_entries)) = serde_json::from_str(raw) else { return Ok(JsonValue::Unreadable) };
        let mut entries = Vec::with_capacity(raw_entries.len());
        for (BorrowedText(key), value) in raw_entries {
            entries.push((strip_vocabulary(key), self.build_value(value.get(), depth + 1)?));
        }
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(JsonValue::Object(JsonObject { raw, entries }))
    }

    fn build_list<'a>(&mut self, raw: &'a str, depth: usize) -> Result<JsonValue<'a>, TooManyValues> {
        let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(raw) else { return Ok(JsonValue::Unreadable) };
        let values = values.into_iter().map(|value| self.build_value(value.get(), depth + 1));
        Ok(JsonValue::List(values.collect::<Result<_, _>>()?))
    }
}

/// The name without the prefix of schema.org: `https://schema.org/name` and `schema:name` are `name`.
fn strip_vocabulary(name: Cow<'_, str>) -> Cow<'_, str> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(strip_schema(name)),
        Cow::Owned(name) => Cow::Owned(strip_schema(&name).to_owned()),
    }
}

/// The name of a type, property or constant of schema.org without its prefix.
pub(super) fn strip_schema(name: &str) -> &str {
    let prefixes = ["schema:", "https://schema.org/", "http://schema.org/", "https://www.schema.org/", "http://www.schema.org/"];
    if !name.contains(':') {
        return name;
    }
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// A text that is copied only if it has escapes.
#[derive(Deserialize)]
struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

/// The entries of an object, in order and with repeated keys.
struct RawEntries<'a>(Vec<(BorrowedText<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for RawEntries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = RawEntries<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(RawEntries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}
