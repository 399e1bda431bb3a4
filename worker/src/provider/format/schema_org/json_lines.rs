//! [JSON Lines](https://jsonlines.org): several documents in one, each on a line or several.

use serde_json::{Deserializer, StreamDeserializer, de::StrRead, value::RawValue};

use super::{convert_error, offset_of};
use crate::provider::{
    format::{FeedDocumentError, text::locate},
    quote::quote,
};

/// The documents in a text that begins with an object or an array. Most texts are one document.
pub(super) struct JsonDocuments<'a> {
    text: &'a str,
    values: StreamDeserializer<'a, StrRead<'a>, &'a RawValue>,
}

impl<'a> JsonDocuments<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, values: Deserializer::from_str(text).into_iter() }
    }

    /// Checks a document after the first, given the end of the one before it.
    fn check(&self, document: &'a RawValue, end: usize) -> Result<&'a RawValue, FeedDocumentError> {
        let start = offset_of(self.text, document.get());
        let detail = if !self.text[end..start].contains('\n') {
            "not JSON Lines: the next document must begin on another line".to_owned()
        } else if !document.get().starts_with(['{', '[']) {
            format!("a line must be an object or an array of nodes, got {}", quote(document.get()))
        } else {
            return Ok(document);
        };
        let (line, column) = locate(self.text.as_bytes(), start);
        Err(FeedDocumentError::Malformed { line, column, detail })
    }
}

impl<'a> Iterator for JsonDocuments<'a> {
    type Item = Result<&'a RawValue, FeedDocumentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.values.byte_offset();
        Some(match self.values.next()? {
            Ok(document) if end > 0 => self.check(document, end),
            document => document.map_err(|error| convert_error(&error)),
        })
    }
}
