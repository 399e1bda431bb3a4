//! Reads XML element by element and rejects untrusted documents. This module checks well-formedness and limits, and knows no format.
//!
//! quick-xml alone accepts a document that is truncated between two tags, has a second root or no root at all. Here the root must
//! be the expected one, it must be closed, and nothing may follow it. Only the five predefined entities exist, because a DOCTYPE
//! is rejected.
//!
//! A reader may also start in the middle of a document, given the elements that are open there, and end in the middle.

use std::borrow::Cow;

use quick_xml::{
    Reader, XmlVersion,
    errors::{Error as XmlError, IllFormedError},
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesEnd, BytesStart, Event},
};

use super::{
    FeedDocumentError,
    text::{locate, reject_byte_order_mark, split_valid_text},
    values::{describe_missing, name_field},
};
use crate::provider::quote::quote;

/// Nesting of elements. A feed needs five; the limit bounds memory.
const MAX_DEPTH: usize = 32;
/// Length of an attribute's value or of a text. A title has a few hundred bytes, so more is an error or an attack.
const MAX_VALUE_BYTES: usize = 64 * 1024;
/// Attributes of one element. A feed needs ten.
const MAX_ATTRIBUTES: usize = 64;

/// A reader of a document, or of a piece of one, that is always inside an element. Positions count from its first byte.
pub(super) struct XmlReader<'a> {
    reader: Reader<&'a [u8]>,
    document: &'a [u8],
    depth: usize,
    /// The full names of the elements that were opened before this piece and are still open, outermost first.
    ancestors: Vec<String>,
    /// The last entered element is self-closing.
    is_empty: bool,
    /// The error at the first byte after the valid text.
    trailing_error: Option<FeedDocumentError>,
}

/// The next item inside an element.
pub(super) enum XmlStep<'a> {
    /// A child element, which is now the current one.
    Child(XmlElement<'a>),
    /// The closing tag; the parent is now the current element.
    Closed,
    /// The end of the bytes.
    EndOfInput,
}

/// The opening tag of an element.
pub(super) struct XmlElement<'a> {
    tag: BytesStart<'a>,
    /// Its first byte in the document.
    pub(super) start: usize,
}

/// The attributes of one element.
pub(super) struct XmlAttributes<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> XmlReader<'a> {
    /// Reads up to and including the opening tag of the root, which must have one of these names.
    pub(super) fn open(document: &'a [u8], roots: &[&str]) -> Result<(Self, XmlElement<'a>), FeedDocumentError> {
        reject_byte_order_mark(document)?;
        let mut xml = Self::new(document, Vec::new());
        let root = xml.read_root()?;
        xml.read_attributes(&root)?;
        if roots.contains(&root.name()) {
            return Ok((xml, root));
        }
        let expected = roots.iter().map(|root| format!("`<{root}>`")).collect::<Vec<_>>().join(" or ");
        Err(FeedDocumentError::WrongRoot { actual: quote(&format!("<{}>", root.name())), expected })
    }

    /// Starts in the middle of a document, inside elements with these full names, outermost first.
    pub(super) fn resume(piece: &'a [u8], ancestors: &[String]) -> Self {
        Self::new(piece, ancestors.to_vec())
    }

    fn new(document: &'a [u8], ancestors: Vec<String>) -> Self {
        let (text, trailing_error) = split_valid_text(document);
        let mut reader = Reader::from_str(text);
        // `close` compares closing tags with the elements that were opened before this piece.
        reader.config_mut().allow_unmatched_ends = true;
        Self { reader, document, depth: ancestors.len(), ancestors, is_empty: false, trailing_error }
    }

    /// Enters the next child of the current element; `None` after its closing tag.
    pub(super) fn next_child(&mut self) -> Result<Option<XmlElement<'a>>, FeedDocumentError> {
        match self.step()? {
            XmlStep::Child(element) => Ok(Some(element)),
            XmlStep::Closed => Ok(None),
            XmlStep::EndOfInput => Err(FeedDocumentError::Truncated),
        }
    }

    /// Like `next_child`, where the input may end.
    pub(super) fn step(&mut self) -> Result<XmlStep<'a>, FeedDocumentError> {
        if std::mem::take(&mut self.is_empty) {
            self.depth -= 1;
            return Ok(XmlStep::Closed);
        }
        loop {
            let start = self.position();
            match self.next_event()? {
                Event::Start(tag) => return self.enter(tag, start).map(XmlStep::Child),
                Event::Empty(tag) => {
                    self.is_empty = true;
                    return self.enter(tag, start).map(XmlStep::Child);
                }
                Event::End(tag) => {
                    self.close(&tag, start)?;
                    return Ok(XmlStep::Closed);
                }
                Event::Eof => return Ok(XmlStep::EndOfInput),
                Event::Text(text) if text.len() > MAX_VALUE_BYTES => {
                    return Err(self.over_limit(start, MAX_VALUE_BYTES, "bytes in a text"));
                }
                Event::GeneralRef(reference) => {
                    let is_known =
                        resolve_predefined_entity(&reference).is_some() || matches!(reference.resolve_char_ref(), Ok(Some(_)));
                    if !is_known {
                        let entity = quote(&format!("&{};", &*reference));
                        return Err(self.malformed(start, format!("entity {entity} is not defined")));
                    }
                }
                Event::Decl(_) => {
                    return Err(self.malformed(start, "the XML declaration must be at the start of the document".to_owned()));
                }
                Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }

    /// Leaves an element at its closing tag. quick-xml compares the names, except for elements that were opened before this piece.
    fn close(&mut self, tag: &BytesEnd<'a>, start: usize) -> Result<(), FeedDocumentError> {
        if self.depth == self.ancestors.len() {
            let name = tag.name().into_inner().to_owned();
            let mismatch = match self.ancestors.pop() {
                Some(expected) if expected == name => None,
                Some(expected) => Some(IllFormedError::MismatchedEndTag { expected, found: name }),
                None => Some(IllFormedError::UnmatchedEndTag(name)),
            };
            if let Some(mismatch) = mismatch {
                return Err(self.malformed(start, describe_xml_error(&XmlError::IllFormed(mismatch))));
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Skips an element that was just entered. It must be well-formed all the same.
    pub(super) fn skip(&mut self, element: &XmlElement<'a>) -> Result<(), FeedDocumentError> {
        self.read_attributes(element)?;
        self.leave()
    }

    /// Leaves the current element, skipping its remaining content.
    pub(super) fn leave(&mut self) -> Result<(), FeedDocumentError> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if let Some(child) = self.next_child()? {
                self.read_attributes(&child)?;
            }
        }
        Ok(())
    }

    /// Checks that nothing follows the root, which must be closed.
    pub(super) fn finish(&mut self) -> Result<(), FeedDocumentError> {
        loop {
            let start = self.position();
            match self.next_event()? {
                Event::Eof => return Ok(()),
                event if is_blank(&event) => {}
                _ => return Err(self.malformed(start, "no content is allowed after the root element".to_owned())),
            }
        }
    }

    /// Reads the attributes of an element that was just entered.
    pub(super) fn read_attributes<'e>(&self, element: &'e XmlElement<'a>) -> Result<XmlAttributes<'e>, FeedDocumentError> {
        let mut attributes = Vec::with_capacity(8);
        for attribute in element.tag.attributes() {
            let attribute = attribute.map_err(|error| self.malformed(element.start, format!("invalid attribute: {error}")))?;
            if attribute.value.len() > MAX_VALUE_BYTES {
                return Err(self.over_limit(element.start, MAX_VALUE_BYTES, "bytes in an attribute"));
            }
            if attributes.len() == MAX_ATTRIBUTES {
                return Err(self.over_limit(element.start, MAX_ATTRIBUTES, "attributes of an element"));
            }
            let value = if is_plain(&attribute.value) {
                attribute.value
            } else {
                attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|error| self.malformed(element.start, format!("invalid attribute value: {error}")))?
            };
            attributes.push((attribute.key.into_inner(), value));
        }
        Ok(XmlAttributes(attributes))
    }

    /// The position after the last read event, in bytes.
    pub(super) fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn read_root(&mut self) -> Result<XmlElement<'a>, FeedDocumentError> {
        loop {
            let start = self.position();
            match self.next_event()? {
                Event::Start(tag) => return self.enter(tag, start),
                Event::Empty(tag) => {
                    self.is_empty = true;
                    return self.enter(tag, start);
                }
                Event::Eof => return Err(FeedDocumentError::Empty),
                Event::Decl(declaration) if start == 0 => check_declaration(&declaration)?,
                event if is_blank(&event) => {}
                _ => return Err(self.malformed(start, "not an XML document: it must start with `<`".to_owned())),
            }
        }
    }

    fn enter(&mut self, tag: BytesStart<'a>, start: usize) -> Result<XmlElement<'a>, FeedDocumentError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.over_limit(start, MAX_DEPTH, "nested elements"));
        }
        Ok(XmlElement { tag, start })
    }

    fn next_event(&mut self) -> Result<Event<'a>, FeedDocumentError> {
        let start = self.position();
        match self.reader.read_event() {
            Ok(Event::DocType(_)) => Err(FeedDocumentError::Doctype { line: self.line_and_column(start).0 }),
            Ok(Event::Eof) => self.trailing_error.take().map_or(Ok(Event::Eof), Err),
            Ok(event) => Ok(event),
            // Every syntax error of quick-xml is a construct that is still open at the end of the input.
            Err(XmlError::Syntax(_) | XmlError::IllFormed(IllFormedError::MissingEndTag(_))) => {
                Err(self.trailing_error.take().unwrap_or(FeedDocumentError::Truncated))
            }
            Err(error) => {
                let position = usize::try_from(self.reader.error_position()).unwrap_or(start);
                Err(self.malformed(position, describe_xml_error(&error)))
            }
        }
    }

    /// Line and column of a byte, from 1.
    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        locate(self.document, offset)
    }

    fn malformed(&self, offset: usize, detail: String) -> FeedDocumentError {
        let (line, column) = self.line_and_column(offset);
        FeedDocumentError::Malformed { line, column, detail }
    }

    fn over_limit(&self, offset: usize, limit: usize, what: &'static str) -> FeedDocumentError {
        FeedDocumentError::OverLimit { line: self.line_and_column(offset).0, limit, what }
    }
}

impl XmlElement<'_> {
    /// The name without a namespace prefix.
    pub(super) fn name(&self) -> &str {
        self.tag.local_name().into_inner()
    }

    /// The name as it must be in the closing tag.
    pub(super) fn full_name(&self) -> &str {
        self.tag.name().into_inner()
    }
}

impl XmlAttributes<'_> {
    /// Parses the first of these attributes that is not empty. An empty attribute counts as missing.
    pub(super) fn optional<T>(&self, names: &[&str], parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
        let find = |name: &&str| self.0.iter().find(|(key, _)| key == name);
        let attribute = names.iter().filter_map(find).find(|(_, value)| !is_blank_text(value));
        attribute.map(|(name, value)| name_field(name, parse(value))).transpose()
    }

    /// Like `optional`, for an attribute that must be present.
    pub(super) fn required<T>(&self, names: &[&str], parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
        self.optional(names, parse)?.ok_or_else(|| describe_missing(names))
    }
}

fn is_blank_text(value: &str) -> bool {
    !value.as_bytes().first().is_some_and(u8::is_ascii_graphic) && value.trim().is_empty()
}

/// Whether a value needs neither entity resolution nor normalization, as nearly all do.
fn is_plain(value: &str) -> bool {
    !value.bytes().any(|byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r'))
}

fn describe_xml_error(error: &XmlError) -> String {
    match error {
        XmlError::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
            format!("the closing tag must be {}, got {}", quote(&format!("</{expected}>")), quote(&format!("</{found}>")))
        }
        XmlError::IllFormed(IllFormedError::UnmatchedEndTag(name)) => {
            format!("the closing tag {} has no opening tag", quote(&format!("</{name}>")))
        }
        other => format!("not well-formed XML: {other}"),
    }
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), FeedDocumentError> {
    let detail = match declaration.encoding() {
        None => return Ok(()),
        Some(Ok(name)) if ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known)) => return Ok(()),
        Some(Ok(name)) => format!("names the encoding {}", quote(&name)),
        Some(Err(error)) => format!("is invalid: {error}"),
    };
    Err(FeedDocumentError::OtherEncoding { detail })
}

fn is_blank(event: &Event<'_>) -> bool {
    match event {
        Event::Text(text) => text.trim_ascii().is_empty(),
        Event::Comment(_) | Event::PI(_) => true,
        _ => false,
    }
}
