//! Reads XML element by element and refuses what cannot be trusted: this module knows well-formedness and limits, and nothing
//! of any format.
//!
//! quick-xml alone takes a document that was cut between two tags, a second root or no root at all for a whole one; here the
//! root must be the expected one, it must end, and nothing may follow it. Entities other than the five predefined ones do not
//! exist, because a DOCTYPE is refused.

use std::borrow::Cow;

use quick_xml::{
    Reader, XmlVersion,
    errors::{Error as XmlError, IllFormedError},
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesStart, Event},
};

use super::{DocumentError, Locator, text::checked_text};

/// Nesting of elements: a feed needs five, and a parser that counts can't be exhausted.
const MAX_DEPTH: usize = 32;
/// Length of an attribute's value or of a piece of text: a title has a few hundred bytes, so this is a fault or an attack.
const MAX_VALUE_BYTES: usize = 64 * 1024;
/// Attributes of one element: a feed needs ten.
const MAX_ATTRIBUTES: usize = 64;

/// A document that is being read, always inside of some element.
pub(super) struct XmlReader<'a> {
    reader: Reader<&'a [u8]>,
    document: &'a [u8],
    depth: usize,
}

/// The opening tag of an element.
pub(super) struct Element<'a> {
    tag: BytesStart<'a>,
    /// Where it begins in the document, in bytes.
    pub(super) start: usize,
}

/// The attributes of one element by their names.
pub(super) struct Attributes<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> XmlReader<'a> {
    /// Reads up to and including the opening tag of the root, which must have one of these names.
    pub(super) fn open(document: &'a [u8], roots: &[&str]) -> Result<Self, DocumentError> {
        let text = checked_text(document)?;
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let mut xml = Self { reader, document, depth: 0 };
        let root = xml.root()?;
        xml.attributes(&root)?;
        if roots.contains(&root.name()) {
            return Ok(xml);
        }
        let expected = roots.iter().map(|root| format!("<{root}>")).collect::<Vec<_>>().join(" or ");
        Err(DocumentError::WrongRoot { found: format!("<{}>", shortened(root.name())), expected })
    }

    /// The next element inside of the current one, which it enters; `None` leaves the current one at its closing tag.
    pub(super) fn next_child(&mut self) -> Result<Option<Element<'a>>, DocumentError> {
        loop {
            let start = self.position();
            match self.next_event()? {
                Event::Start(tag) => return self.enter(tag, start).map(Some),
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(None);
                }
                Event::Eof => return Err(DocumentError::Truncated),
                Event::Text(text) if text.len() > MAX_VALUE_BYTES => {
                    return Err(self.over_limit(start, MAX_VALUE_BYTES, "bytes in a text"));
                }
                Event::GeneralRef(reference) => {
                    let is_known =
                        resolve_predefined_entity(&reference).is_some() || matches!(reference.resolve_char_ref(), Ok(Some(_)));
                    if !is_known {
                        return Err(self.malformed(start, format!("entity `&{};` is not defined", shortened(&reference))));
                    }
                }
                Event::Decl(_) => return Err(self.malformed(start, "an XML declaration must be the first thing".to_owned())),
                Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) | Event::Empty(_) | Event::DocType(_) => {}
            }
        }
    }

    /// Leaves an element that was just entered and that nobody reads: it must be well-formed all the same.
    pub(super) fn skip(&mut self, element: &Element<'a>) -> Result<(), DocumentError> {
        self.attributes(element)?;
        self.leave()
    }

    /// Leaves the current element, whatever it still holds.
    pub(super) fn leave(&mut self) -> Result<(), DocumentError> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if let Some(child) = self.next_child()? {
                self.attributes(&child)?;
            }
        }
        Ok(())
    }

    /// Makes sure that nothing follows the root, which must have been left.
    pub(super) fn finish(mut self) -> Result<(), DocumentError> {
        loop {
            let start = self.position();
            match self.next_event()? {
                Event::Eof => return Ok(()),
                event if is_blank(&event) => {}
                _ => return Err(self.malformed(start, "something follows the end of the root element".to_owned())),
            }
        }
    }

    /// The attributes of an element that was just entered.
    pub(super) fn attributes<'e>(&self, element: &'e Element<'a>) -> Result<Attributes<'e>, DocumentError> {
        let mut found = Vec::with_capacity(8);
        for attribute in element.tag.attributes() {
            let attribute = attribute.map_err(|error| self.malformed(element.start, format!("a broken attribute: {error}")))?;
            if attribute.value.len() > MAX_VALUE_BYTES {
                return Err(self.over_limit(element.start, MAX_VALUE_BYTES, "bytes in an attribute"));
            }
            if found.len() == MAX_ATTRIBUTES {
                return Err(self.over_limit(element.start, MAX_ATTRIBUTES, "attributes in an element"));
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| self.malformed(element.start, format!("a broken attribute: {error}")))?;
            found.push((attribute.key.into_inner(), value));
        }
        Ok(Attributes(found))
    }

    /// Where the reader stands, in bytes: behind what was read last.
    pub(super) fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn root(&mut self) -> Result<Element<'a>, DocumentError> {
        loop {
            let start = self.position();
            match self.next_event()? {
                Event::Start(tag) => return self.enter(tag, start),
                Event::Eof => return Err(DocumentError::Empty),
                Event::Decl(declaration) if start == 0 => check_declaration(&declaration)?,
                event if is_blank(&event) => {}
                _ => return Err(self.malformed(start, "this is not XML: expected `<`".to_owned())),
            }
        }
    }

    fn enter(&mut self, tag: BytesStart<'a>, start: usize) -> Result<Element<'a>, DocumentError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.over_limit(start, MAX_DEPTH, "elements within each other"));
        }
        Ok(Element { tag, start })
    }

    fn next_event(&mut self) -> Result<Event<'a>, DocumentError> {
        let start = self.position();
        match self.reader.read_event() {
            Ok(Event::DocType(_)) => Err(DocumentError::Doctype { line: self.line_and_column(start).0 }),
            Ok(event) => Ok(event),
            // Every syntax error of quick-xml is a construct that the end of the document leaves open.
            Err(XmlError::Syntax(_) | XmlError::IllFormed(IllFormedError::MissingEndTag(_))) => Err(DocumentError::Truncated),
            Err(error) => Err(self.malformed(usize::try_from(self.reader.error_position()).unwrap_or(start), error.to_string())),
        }
    }

    /// Line and column of a byte of the document, from 1.
    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        Locator::new(self.document).locate(offset)
    }

    fn malformed(&self, offset: usize, detail: String) -> DocumentError {
        let (line, column) = self.line_and_column(offset);
        DocumentError::Malformed { line, column, detail }
    }

    fn over_limit(&self, offset: usize, limit: usize, what: &'static str) -> DocumentError {
        DocumentError::OverLimit { line: self.line_and_column(offset).0, limit, what }
    }
}

impl Element<'_> {
    /// The name without a namespace prefix.
    pub(super) fn name(&self) -> &str {
        self.tag.local_name().into_inner()
    }
}

impl Attributes<'_> {
    /// The value of the first of these names that says something: an empty one is as good as none.
    pub(super) fn get(&self, names: &[&str]) -> Option<&str> {
        let value = |name: &&str| self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        names.iter().filter_map(value).find(|value| !value.trim().is_empty())
    }
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), DocumentError> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known)) => Ok(()),
        Some(Ok(name)) => Err(DocumentError::NotUtf8 { detail: format!("it declares {}", shortened(&name)) }),
        Some(Err(error)) => Err(DocumentError::NotUtf8 { detail: format!("its declaration is broken: {error}") }),
    }
}

fn is_blank(event: &Event<'_>) -> bool {
    match event {
        Event::Text(text) => text.trim_ascii().is_empty(),
        Event::Comment(_) | Event::PI(_) => true,
        _ => false,
    }
}

/// As much of a name as a message needs.
fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}
