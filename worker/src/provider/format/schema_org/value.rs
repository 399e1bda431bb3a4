//! JSON as a tree that borrows from the document: every object has its position, and every number its digits.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::context::find_prefixes;

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
    /// A text with an unpaired surrogate, or something too long or too deep.
    Unreadable,
}

/// Entries of an object that are compared one after another.
const FEW_ENTRIES: usize = 16;

/// An object of a document.
#[derive(Debug)]
pub(super) struct JsonObject<'a> {
    /// Its text in the document.
    pub(super) raw: &'a str,
    /// Ordered by key, so that a lookup does not depend on their number.
    entries: Box<[(Cow<'a, str>, JsonValue<'a>)]>,
    /// The union of the [bits](key_bit) of all keys: most keys that are looked up are not in an object.
    key_bits: u64,
}

/// The document has more values than the limit.
#[derive(Debug)]
pub(super) struct TooManyValues;

/// Builds the trees of one document, which share the limits and prefixes.
pub(super) struct TreeBuilder {
    values: usize,
    prefixes: Vec<String>,
}

impl<'a> JsonObject<'a> {
    /// The value of a key that occurs once, or the last one.
    #[inline]
    pub(super) fn get(&self, key: &str) -> Option<&JsonValue<'a>> {
        if self.key_bits & key_bit(key) == 0 { None } else { self.find(key) }
    }

    fn find(&self, key: &str) -> Option<&JsonValue<'a>> {
        // Most keys differ in length, so fewer texts are read from memory than by a binary search.
        if self.entries.len() <= FEW_ENTRIES {
            return self.entries.iter().rev().find(|(other, _)| other == key).map(|(_, value)| value);
        }
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

/// One of 64 bits, by the length and the ends of a key.
#[inline]
fn key_bit(key: &str) -> u64 {
    let [first, last] = [key.as_bytes().first(), key.as_bytes().last()].map(|byte| byte.copied().map_or(0, usize::from));
    1 << ((key.len() + 3 * first + 5 * last) % 64)
}

impl TreeBuilder {
    pub(super) fn new(document: &str) -> Self {
        Self { values: 0, prefixes: find_prefixes(document) }
    }

    /// Builds the tree of a value that is valid JSON, except for the escapes in its texts.
    pub(super) fn build<'a>(&mut self, raw: &'a RawValue) -> Result<JsonValue<'a>, TooManyValues> {
        TreeReader { text: raw.get(), position: 0, values: &mut self.values, prefixes: &self.prefixes }.read_value(0)
    }
}

/// Reads a tree in one pass. Because the syntax is known to be valid, separators do not matter.
struct TreeReader<'a, 'b> {
    text: &'a str,
    position: usize,
    values: &'b mut usize,
    prefixes: &'b [String],
}

impl<'a> TreeReader<'a, '_> {
    fn read_value(&mut self, depth: usize) -> Result<JsonValue<'a>, TooManyValues> {
        *self.values += 1;
        if *self.values > MAX_VALUES {
            return Err(TooManyValues);
        }
        Ok(match self.skip_separators() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => {
                self.skip_nested();
                JsonValue::Unreadable
            }
            Some(b'{') => self.read_object(depth)?,
            Some(b'[') => self.read_list(depth)?,
            Some(b'"') => self.read_text().map_or(JsonValue::Unreadable, JsonValue::Text),
            _ => match self.read_literal() {
                "true" => JsonValue::Boolean(true),
                "false" => JsonValue::Boolean(false),
                "null" => JsonValue::Null,
                digits => JsonValue::Number(digits),
            },
        })
    }

    fn read_object(&mut self, depth: usize) -> Result<JsonValue<'a>, TooManyValues> {
        let start = self.position;
        self.position += 1;
        let (mut entries, mut is_readable) = (Vec::new(), true);
        while !matches!(self.skip_separators(), None | Some(b'}')) {
            let key = self.read_text();
            let value = self.read_value(depth + 1)?;
            match key {
                Some(key) => entries.push((strip_vocabulary(key, self.prefixes), value)),
                None => is_readable = false,
            }
        }
        self.position += 1;
        if !is_readable {
            return Ok(JsonValue::Unreadable);
        }
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        let key_bits = entries.iter().fold(0, |bits, (key, _)| bits | key_bit(key));
        Ok(JsonValue::Object(JsonObject { raw: &self.text[start..self.position], entries: entries.into(), key_bits }))
    }

    fn read_list(&mut self, depth: usize) -> Result<JsonValue<'a>, TooManyValues> {
        self.position += 1;
        let mut values = Vec::new();
        while !matches!(self.skip_separators(), None | Some(b']')) {
            values.push(self.read_value(depth + 1)?);
        }
        self.position += 1;
        values.shrink_to_fit();
        Ok(JsonValue::List(values))
    }

    /// Reads a text, which is copied only if it has escapes. `None` if it is too long or has an unpaired surrogate.
    fn read_text(&mut self) -> Option<Cow<'a, str>> {
        let text = self.skip_text();
        let content = text.get(1..text.len() - 1).filter(|_| text.len() <= MAX_TEXT_BYTES)?;
        if !content.contains('\\') {
            return Some(Cow::Borrowed(content));
        }
        serde_json::from_str(text).ok().map(Cow::Owned)
    }

    /// Returns a text with its quotes and escapes.
    fn skip_text(&mut self) -> &'a str {
        let rest = &self.text[self.position..];
        let mut length = 1;
        while let Some(at) = memchr::memchr2(b'"', b'\\', &rest.as_bytes()[length..]) {
            length += at + 1;
            if rest.as_bytes()[length - 1] == b'"' {
                break;
            }
            // What follows the backslash may be a quote.
            length += 1;
        }
        self.position += length;
        &rest[..length]
    }

    /// Reads a number, a boolean or null.
    fn read_literal(&mut self) -> &'a str {
        let rest = &self.text[self.position..];
        let length = rest.bytes().position(|byte| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace());
        let word = &rest[..length.unwrap_or(rest.len())];
        self.position += word.len();
        word
    }

    /// Skips an object or a list.
    fn skip_nested(&mut self) {
        let mut depth = 0;
        while let Some(byte) = self.skip_separators() {
            match byte {
                b'"' => {
                    self.skip_text();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.position += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// Skips to the next token, and returns its first byte.
    fn skip_separators(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.position..];
        let separators = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':')).count();
        self.position += separators;
        rest.get(separators).copied()
    }
}

/// The name without the prefix of schema.org: `https://schema.org/name` and `schema:name` are `name`.
fn strip_vocabulary<'a>(name: Cow<'a, str>, prefixes: &[String]) -> Cow<'a, str> {
    let strip = |name: &str| {
        let local = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_str()));
        name.len() - local.unwrap_or_else(|| strip_schema(name)).len()
    };
    if !name.contains(':') {
        return name;
    }
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[strip(name)..]),
        Cow::Owned(name) => Cow::Owned(name[strip(&name)..].to_owned()),
    }
}

/// The name of a type without its prefix, which may be any: no other vocabulary has events with the properties of schema.org.
pub(super) fn strip_type(name: &str) -> &str {
    let name = strip_schema(name.trim_end_matches('/'));
    match name.split_once(':') {
        Some((_, local)) if !local.is_empty() && !local.starts_with('/') => local,
        _ => name,
    }
}

/// The last part of a URL or a name with a prefix: `EventCancelled` of `https://schema.org/EventStatusType#EventCancelled`.
pub(super) fn last_segment(text: &str) -> &str {
    text.trim_end_matches('/').rsplit(['/', ':', '#']).next().unwrap_or(text)
}

/// The name of a type, property or constant of schema.org without its prefix.
pub(super) fn strip_schema(name: &str) -> &str {
    let prefixes = ["schema:", "https://schema.org/", "http://schema.org/", "https://www.schema.org/", "http://www.schema.org/"];
    if !name.contains(':') {
        return name;
    }
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_key_is_found_in_objects_of_any_size() {
        for count in [0, 1, FEW_ENTRIES - 2, FEW_ENTRIES, 100] {
            let others: String = (0..count).map(|number| format!("\"key{number}\": {number}, ")).collect();
            let text = format!("{{{others}\"name\": 1, \"name\": 2}}");
            let raw: &RawValue = serde_json::from_str(&text).expect("JSON");
            let tree = TreeBuilder::new(&text).build(raw).expect("few values");
            let JsonValue::Object(object) = tree else { panic!("{tree:?}") };
            assert!(matches!(object.get("name"), Some(JsonValue::Number("2"))), "{object:?}");
            for absent in ["", "nam", "mane", "namf", "names", "key100"] {
                assert!(object.get(absent).is_none(), "{absent}");
            }
            assert_eq!(object.get("key0").is_some(), count > 0);
        }
    }
}
