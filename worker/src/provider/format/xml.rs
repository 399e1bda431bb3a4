//! Reads XML element by element and refuses what cannot be trusted: this module knows well-formedness and limits, and nothing
//! of any format.
//!
//! quick-xml alone takes a document that was cut between two tags, a second root or no root at all for a whole one; here the
//! root must be the expected one, it must end, and nothing may follow it. Entities other than the five predefined ones do not
//! exist, because a DOCTYPE is refused.
//!
//! A reader may also begin in the middle of a document, if it is told which elements are open there, and end there.

use std::borrow::Cow;

use quick_xml::{
    Reader, XmlVersion,
    errors::{Error as XmlError, IllFormedError},
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesEnd, BytesStart, Event},
};

use super::{
    FeedDocumentError,
    text::{line_and_column, refuse_byte_order_mark, sound_text},
};

/// Nesting of elements: a feed needs five, and a parser that counts can't be exhausted.
const MAX_DEPTH: usize = 32;
/// Length of an attribute's value or of a piece of text: a title has a few hundred bytes, so this is a fault or an attack.
const MAX_VALUE_BYTES: usize = 64 * 1024;
/// Attributes of one element: a feed needs ten.
const MAX_ATTRIBUTES: usize = 64;

/// A document, or a piece of one, that is being read, always inside of some element. Places are counted from its beginning.
pub(super) struct XmlReader<'a> {
    reader: Reader<&'a [u8]>,
    document: &'a [u8],
    depth: usize,
    /// The names of the elements that were open before the piece began and still are, outermost first.
    around: Vec<String>,
    /// The element that was entered last has no content and no closing tag.
    is_empty: bool,
    /// What is wrong with the bytes behind the part that is read as text.
    fault_behind: Option<FeedDocumentError>,
}

/// What comes next inside of an element.
pub(super) enum Next<'a> {
    /// An element, which is entered.
    Child(Element<'a>),
    /// Its closing tag: it is left.
    Closed,
    /// The end of the bytes.
    EndOfInput,
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
    pub(super) fn open(document: &'a [u8], roots: &[&str]) -> Result<(Self, Element<'a>), FeedDocumentError> {
        refuse_byte_order_mark(document)?;
        let mut xml = Self::new(document, Vec::new());
        let root = xml.root()?;
        xml.attributes(&root)?;
        if roots.contains(&root.name()) {
            return Ok((xml, root));
        }
        let expected = roots.iter().map(|root| format!("<{root}>")).collect::<Vec<_>>().join(" or ");
        Err(FeedDocumentError::WrongRoot { found: format!("<{}>", shortened(root.name())), expected })
    }

    /// Goes on in the middle of a document, inside of elements of these full names, outermost first.
    pub(super) fn resume(piece: &'a [u8], around: &[String]) -> Self {
        Self::new(piece, around.to_vec())
    }

    fn new(document: &'a [u8], around: Vec<String>) -> Self {
        let (text, fault_behind) = sound_text(document);
        let mut reader = Reader::from_str(text);
        // Whether it matches an element that was open before is seen to in `close`.
        reader.config_mut().allow_unmatched_ends = true;
        Self { reader, document, depth: around.len(), around, is_empty: false, fault_behind }
    }

    /// The next element inside of the current one, which it enters; `None` leaves the current one at its closing tag.
    pub(super) fn next_child(&mut self) -> Result<Option<Element<'a>>, FeedDocumentError> {
        match self.next()? {
            Next::Child(element) => Ok(Some(element)),
            Next::Closed => Ok(None),
            Next::EndOfInput => Err(FeedDocumentError::Truncated),
        }
    }

    /// The same where the bytes may come to their end.
    pub(super) fn next(&mut self) -> Result<Next<'a>, FeedDocumentError> {
        if std::mem::take(&mut self.is_empty) {
            self.depth -= 1;
            return Ok(Next::Closed);
        }
        loop {
            let start = self.position();
            match self.next_event()? {
                Event::Start(tag) => return self.enter(tag, start).map(Next::Child),
                Event::Empty(tag) => {
                    self.is_empty = true;
                    return self.enter(tag, start).map(Next::Child);
                }
                Event::End(tag) => {
                    self.close(&tag, start)?;
                    return Ok(Next::Closed);
                }
                Event::Eof => return Ok(Next::EndOfInput),
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
                Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }

    /// Leaves an element at its closing tag. quick-xml has compared the names unless the element was open before the piece.
    fn close(&mut self, tag: &BytesEnd<'a>, start: usize) -> Result<(), FeedDocumentError> {
        if self.depth == self.around.len() {
            let found = tag.name().into_inner().to_owned();
            let mismatch = match self.around.pop() {
                Some(expected) if expected == found => None,
                Some(expected) => Some(IllFormedError::MismatchedEndTag { expected, found }),
                None => Some(IllFormedError::UnmatchedEndTag(found)),
            };
            if let Some(mismatch) = mismatch {
                return Err(self.malformed(start, XmlError::IllFormed(mismatch).to_string()));
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Leaves an element that was just entered and that nobody reads: it must be well-formed all the same.
    pub(super) fn skip(&mut self, element: &Element<'a>) -> Result<(), FeedDocumentError> {
        self.attributes(element)?;
        self.leave()
    }

    /// Leaves the current element, whatever it still holds.
    pub(super) fn leave(&mut self) -> Result<(), FeedDocumentError> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if let Some(child) = self.next_child()? {
                self.attributes(&child)?;
            }
        }
        Ok(())
    }

    /// Makes sure that nothing follows the root, which must have been left.
    pub(super) fn finish(&mut self) -> Result<(), FeedDocumentError> {
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
    pub(super) fn attributes<'e>(&self, element: &'e Element<'a>) -> Result<Attributes<'e>, FeedDocumentError> {
        let mut found = Vec::with_capacity(8);
        for attribute in element.tag.attributes() {
            let attribute = attribute.map_err(|error| self.malformed(element.start, format!("a broken attribute: {error}")))?;
            if attribute.value.len() > MAX_VALUE_BYTES {
                return Err(self.over_limit(element.start, MAX_VALUE_BYTES, "bytes in an attribute"));
            }
            if found.len() == MAX_ATTRIBUTES {
                return Err(self.over_limit(element.start, MAX_ATTRIBUTES, "attributes in an element"));
            }
            let value = if is_plain(&attribute.value) {
                attribute.value
            } else {
                attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|error| self.malformed(element.start, format!("a broken attribute: {error}")))?
            };
            found.push((attribute.key.into_inner(), value));
        }
        Ok(Attributes(found))
    }

    /// Where the reader stands, in bytes: behind what was read last.
    pub(super) fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn root(&mut self) -> Result<Element<'a>, FeedDocumentError> {
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
                _ => return Err(self.malformed(start, "this is not XML: expected `<`".to_owned())),
            }
        }
    }

    fn enter(&mut self, tag: BytesStart<'a>, start: usize) -> Result<Element<'a>, FeedDocumentError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.over_limit(start, MAX_DEPTH, "elements within each other"));
        }
        Ok(Element { tag, start })
    }

    fn next_event(&mut self) -> Result<Event<'a>, FeedDocumentError> {
        let start = self.position();
        match self.reader.read_event() {
            Ok(Event::DocType(_)) => Err(FeedDocumentError::Doctype { line: self.line_and_column(start).0 }),
            Ok(Event::Eof) => self.fault_behind.take().map_or(Ok(Event::Eof), Err),
            Ok(event) => Ok(event),
            // Every syntax error of quick-xml is a construct that the end of the document leaves open.
            Err(XmlError::Syntax(_) | XmlError::IllFormed(IllFormedError::MissingEndTag(_))) => {
                Err(self.fault_behind.take().unwrap_or(FeedDocumentError::Truncated))
            }
            Err(error) => Err(self.malformed(usize::try_from(self.reader.error_position()).unwrap_or(start), error.to_string())),
        }
    }

    /// Line and column of a byte, from 1.
    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        line_and_column(self.document, offset)
    }

    fn malformed(&self, offset: usize, detail: String) -> FeedDocumentError {
        let (line, column) = self.line_and_column(offset);
        FeedDocumentError::Malformed { line, column, detail }
    }

    fn over_limit(&self, offset: usize, limit: usize, what: &'static str) -> FeedDocumentError {
        FeedDocumentError::OverLimit { line: self.line_and_column(offset).0, limit, what }
    }
}

impl Element<'_> {
    /// The name without a namespace prefix.
    pub(super) fn name(&self) -> &str {
        self.tag.local_name().into_inner()
    }

    /// The name as it must stand in the closing tag.
    pub(super) fn full_name(&self) -> &str {
        self.tag.name().into_inner()
    }
}

impl Attributes<'_> {
    /// The value of the first of these names that says something: an empty one is as good as none.
    pub(super) fn get(&self, names: &[&str]) -> Option<&str> {
        let value = |name: &&str| self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        names.iter().filter_map(value).find(|value| says_something(value))
    }
}

fn says_something(value: &str) -> bool {
    value.as_bytes().first().is_some_and(u8::is_ascii_graphic) || !value.trim().is_empty()
}

/// Whether a value stands for itself, as nearly all do: there is nothing in it to resolve or to normalize.
fn is_plain(value: &str) -> bool {
    !value.bytes().any(|byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r'))
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), FeedDocumentError> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known)) => Ok(()),
        Some(Ok(name)) => Err(FeedDocumentError::OtherEncoding { detail: format!("it declares {}", shortened(&name)) }),
        Some(Err(error)) => Err(FeedDocumentError::OtherEncoding { detail: format!("its declaration is broken: {error}") }),
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
