//! The attributes of an element: reading, checking and lookup.

use std::borrow::Cow;

use quick_xml::XmlVersion;

use super::{
    MAX_VALUE_BYTES, XmlElement, XmlReader,
    references::{self, RepairedValue},
    well_formed::{check_attribute_name, check_value, describe_attribute_error, end_of_attribute, position},
};
use crate::provider::{
    format::{
        FeedDocumentError, clean_text,
        values::{describe_missing, name_field},
    },
    quote::quote,
};

/// Attributes of one element. A feed needs ten.
const MAX_ATTRIBUTES: usize = 64;

/// The attributes of one element.
pub(in crate::provider::format) struct XmlAttributes<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> XmlReader<'a> {
    /// Reads the attributes of an element that was just entered.
    pub(in crate::provider::format) fn read_attributes<'e>(
        &mut self,
        element: &'e XmlElement<'a>,
    ) -> Result<XmlAttributes<'e>, FeedDocumentError> {
        let tag: &str = &element.tag;
        let start = element.start + "<".len();
        let mut attributes = Vec::with_capacity(8);
        let mut end = element.full_name().len();
        let mut has_prefix = element.has_prefix;
        for attribute in element.tag.attributes() {
            let mut attribute = self.check(start, attribute.map_err(|error| describe_attribute_error(tag, end, &error)))?;
            let name = attribute.key.into_inner();
            has_prefix |= self.check(start, check_attribute_name(tag, name))? || name == "xmlns";
            end = end_of_attribute(tag, &attribute);
            if attribute.value.len() > MAX_VALUE_BYTES {
                return Err(self.over_limit(element.start, MAX_VALUE_BYTES, "bytes in an attribute"));
            }
            if attributes.len() == MAX_ATTRIBUTES {
                return Err(self.over_limit(element.start, MAX_ATTRIBUTES, "attributes of an element"));
            }
            let value = if is_plain(&attribute.value) {
                attribute.value
            } else {
                let value_start = start + position(tag, &attribute.value);
                self.check(value_start, check_value(&attribute.value))?;
                if let Some(RepairedValue { value, change }) = references::repair(&attribute.value) {
                    self.warnings.push(value_start, format!("{} {change}", quote(name)));
                    attribute.value = value.into();
                }
                let value = attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|error| self.malformed(element.start, format!("invalid attribute value: {error}")))?;
                // A namespace is not a text: a control character makes it invalid.
                if value.contains(char::is_control) && !name.starts_with("xmlns") {
                    let reason = format!("control characters in {} were replaced or removed", quote(name));
                    self.warnings.push(start + position(tag, name), reason);
                    clean_text::collapse(&value).into()
                } else {
                    value
                }
            };
            attributes.push((name, value));
        }
        if has_prefix && let Some(mut namespaces) = self.namespaces.take() {
            let pairs = attributes.iter().map(|(name, value)| (*name, value.as_ref()));
            let entered = namespaces.enter(self.depth, tag, element.full_name(), pairs);
            self.namespaces = Some(namespaces);
            self.check(start, entered)?;
        }
        Ok(XmlAttributes(attributes))
    }
}

impl XmlAttributes<'_> {
    /// Parses the first of these attributes that is not empty. An empty attribute counts as missing.
    pub(in crate::provider::format) fn optional<T>(
        &self,
        names: &[&str],
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let find = |name: &&str| self.0.iter().find(|(key, _)| key == name);
        let attribute = names.iter().filter_map(find).find(|(_, value)| !is_blank_text(value));
        attribute.map(|(name, value)| name_field(name, parse(value))).transpose()
    }

    /// The value of an attribute, unless it is empty.
    pub(in crate::provider::format) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| *key == name && !is_blank_text(value)).map(|(_, value)| value.as_ref())
    }

    /// Whether one of these attributes exists.
    pub(in crate::provider::format) fn has(&self, names: &[&str]) -> bool {
        self.0.iter().any(|(key, _)| names.contains(key))
    }

    /// Like `optional`, for an attribute that must be present.
    pub(in crate::provider::format) fn required<T>(
        &self,
        names: &[&str],
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        self.optional(names, parse)?.ok_or_else(|| describe_missing(names))
    }
}

fn is_blank_text(value: &str) -> bool {
    !value.as_bytes().first().is_some_and(u8::is_ascii_graphic) && value.trim().is_empty()
}

/// Whether a value needs neither checks, entity resolution nor normalization, as nearly all do. The control characters from U+0080
/// have two bytes, of which the first is 0xC2.
fn is_plain(value: &str) -> bool {
    !value.bytes().any(|byte| matches!(byte, ..b' ' | b'&' | b'<' | b'\x7F' | 0xC2))
}
