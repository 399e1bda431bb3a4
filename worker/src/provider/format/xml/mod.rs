//! Reads XML element by element and rejects untrusted documents. This module checks well-formedness and limits, and knows no format.
//!
//! quick-xml alone accepts a document that is truncated between two tags, has a second root or no root at all. Here the root must
//! be the expected one, it must be closed, and nothing may follow it. `well_formed` and `namespaces` have the rules for everything
//! between two `<`.
//!
//! A reader may also start in the middle of a document, given the elements that are open there, and end in the middle.

mod attributes;
mod namespaces;
mod references;
mod well_formed;

use std::io::BufRead;

use quick_xml::{
    Reader,
    errors::{Error as XmlError, IllFormedError},
    events::{BytesEnd, BytesStart, Event},
};

use self::well_formed::IllFormed;
pub(super) use self::{attributes::XmlAttributes, namespaces::Namespaces};
use super::{
    FeedDocumentError,
    text::{locate, split_valid_text},
};
use crate::provider::{item::FeedWarnings, quote::quote};

/// Nesting of elements. A feed needs five; the limit bounds memory.
const MAX_DEPTH: usize = 32;
/// Length of an attribute's value or of a text. A title has a few hundred bytes, so more is an error or an attack.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// A reader of a document, or of a piece of one, that is always inside an element. Positions count from its first byte.
pub(super) struct XmlReader<'a> {
    reader: Reader<&'a [u8]>,
    /// The bytes up to the first that cannot be in a document.
    text: &'a str,
    depth: usize,
    /// The full names of the elements that were opened before this piece and are still open, outermost first.
    ancestors: Vec<String>,
    /// The declared prefixes; `None` if they are unknown and not checked.
    namespaces: Option<Namespaces>,
    /// The last entered element is self-closing.
    is_empty: bool,
    /// The error at the first byte after the valid text.
    trailing_error: Option<FeedDocumentError>,
    /// Details that the reader changed, and those that the format ignored.
    pub(super) warnings: FeedWarnings,
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
    has_prefix: bool,
    /// Its first byte in the document.
    pub(super) start: usize,
}

impl<'a> XmlReader<'a> {
    /// Reads up to and including the opening tag of the root, which must have one of these names.
    pub(super) fn open(document: &'a [u8], roots: &[&str]) -> Result<(Self, XmlElement<'a>), FeedDocumentError> {
        let mut xml = Self::resume(document, Vec::new(), Some(Namespaces::default()));
        let root = xml.read_root()?;
        xml.read_attributes(&root)?;
        if roots.contains(&root.name()) {
            return Ok((xml, root));
        }
        let expected = roots.iter().map(|root| format!("`<{root}>`")).collect::<Vec<_>>().join(" or ");
        Err(FeedDocumentError::WrongRoot { actual: quote(&format!("<{}>", root.name())), expected })
    }

    /// Starts in the middle of a document, inside elements with these full names, outermost first. Without the namespaces of these
    /// elements, prefixes are not checked.
    pub(super) fn resume(piece: &'a [u8], ancestors: Vec<String>, namespaces: Option<Namespaces>) -> Self {
        let (text, trailing_error) = split_valid_text(piece);
        let mut reader = Reader::from_str(text);
        // `close` compares closing tags with the elements that were opened before this piece.
        reader.config_mut().allow_unmatched_ends = true;
        // No text is used, so it does not matter which references it has.
        reader.config_mut().allow_dangling_amp = true;
        let warnings = FeedWarnings::default();
        Self { reader, text, depth: ancestors.len(), ancestors, namespaces, is_empty: false, trailing_error, warnings }
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
            self.leave_scope();
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
                Event::Decl(_) => {
                    return Err(self.malformed(start, "the XML declaration must be at the start of the document".to_owned()));
                }
                Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_) => {}
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
        self.leave_scope();
        Ok(())
    }

    fn leave_scope(&mut self) {
        self.depth -= 1;
        if let Some(namespaces) = &mut self.namespaces {
            namespaces.leave(self.depth);
        }
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
            let rest = self.text.get(start..).unwrap_or_default().trim_ascii_start();
            // Errors inside the tag are not reported: it depends on where a document is split whether the end of the tag is known.
            if opens_element(rest) {
                return Err(self.content_after_root(self.text.len() - rest.len()));
            }
            match self.next_event()? {
                Event::Eof => return Ok(()),
                event if is_blank(&event) => {}
                event => return Err(self.content_after_root(start + leading_space(&event))),
            }
        }
    }

    fn content_after_root(&self, offset: usize) -> FeedDocumentError {
        self.malformed(offset, "no content is allowed after the root element".to_owned())
    }

    /// The position after the last read event, in bytes.
    pub(super) fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// What follows the last read event, if that was a tag of an element with content.
    pub(super) fn rest(&self) -> &'a str {
        if self.is_empty { "" } else { self.text_from(self.position()) }
    }

    /// The text from a position.
    pub(super) fn text_from(&self, position: usize) -> &'a str {
        self.text.get(position..).unwrap_or_default()
    }

    /// Skips the beginning of the [`rest`](Self::rest), which must be complete elements that are known to be well-formed.
    pub(super) fn skip_known(&mut self, bytes: usize) {
        self.reader.stream().consume(bytes);
    }

    /// The prefixes that are declared in the current element; `None` if they are unknown.
    pub(super) fn namespaces(&self) -> Option<&Namespaces> {
        self.namespaces.as_ref()
    }

    fn read_root(&mut self) -> Result<XmlElement<'a>, FeedDocumentError> {
        // Templates leave empty lines before the declaration.
        let document_start = self.text.len() - self.text.trim_ascii_start().len();
        loop {
            let start = self.position();
            match self.next_event()? {
                Event::Start(tag) => return self.enter(tag, start),
                Event::Empty(tag) => {
                    self.is_empty = true;
                    return self.enter(tag, start);
                }
                Event::Eof => return Err(FeedDocumentError::Empty),
                Event::Decl(declaration) if start == document_start => {
                    let encoding = self.check(start + "<?".len(), well_formed::check_declaration(&declaration))?;
                    check_encoding(encoding)?;
                }
                event if is_blank(&event) => {}
                event => {
                    return Err(
                        self.malformed(start + leading_space(&event), "not an XML document: it must start with `<`".to_owned())
                    );
                }
            }
        }
    }

    fn enter(&mut self, tag: BytesStart<'a>, start: usize) -> Result<XmlElement<'a>, FeedDocumentError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.over_limit(start, MAX_DEPTH, "nested elements"));
        }
        let has_prefix = self.check(start + "<".len(), well_formed::check_name(tag.name().into_inner()))?;
        Ok(XmlElement { tag, has_prefix, start })
    }

    fn next_event(&mut self) -> Result<Event<'a>, FeedDocumentError> {
        let start = self.position();
        match self.reader.read_event() {
            Ok(Event::DocType(_)) => Err(FeedDocumentError::Doctype { line: self.line_and_column(start).0 }),
            Ok(Event::Eof) => self.trailing_error.take().map_or(Ok(Event::Eof), Err),
            Ok(event) => {
                self.check_event(&event, start)?;
                Ok(event)
            }
            Err(error) => Err(self.convert_error(&error, start)),
        }
    }

    /// Checks what is between tags. `enter` and `read_attributes` check opening tags.
    fn check_event(&self, event: &Event<'a>, start: usize) -> Result<(), FeedDocumentError> {
        match event {
            Event::Text(text) => self.check(start, well_formed::check_text(text)),
            Event::Comment(comment) => self.check(start + "<!--".len(), well_formed::check_comment(comment)),
            Event::PI(instruction) => self.check(start + "<?".len(), well_formed::check_instruction(instruction)),
            _ => Ok(()),
        }
    }

    /// Converts an error of quick-xml in the construct at `start`.
    fn convert_error(&mut self, error: &XmlError, start: usize) -> FeedDocumentError {
        match error {
            // The construct is not closed, or it starts with `<!` and is none of the known ones.
            XmlError::Syntax(_) => {
                match self.check(start, well_formed::check_unclosed(self.text.get(start..).unwrap_or_default())) {
                    Ok(()) => self.trailing_error.take().unwrap_or(FeedDocumentError::Truncated),
                    Err(malformed) => malformed,
                }
            }
            _ => {
                let position = usize::try_from(self.reader.error_position()).unwrap_or(start);
                self.malformed(position, describe_xml_error(error))
            }
        }
    }

    /// Adds the position to a violation in the text that starts at `start`.
    fn check<T>(&self, start: usize, checked: Result<T, IllFormed>) -> Result<T, FeedDocumentError> {
        checked.map_err(|IllFormed { offset, detail }| self.malformed(start + offset, detail))
    }

    /// Line and column of a byte, from 1.
    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        locate(self.text.as_bytes(), offset)
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

/// Whether a text starts with an opening tag.
fn opens_element(text: &str) -> bool {
    text.strip_prefix('<').is_some_and(|tag| tag.starts_with(|next| !['!', '?', '/'].contains(&next)))
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

fn check_encoding(declared: Option<String>) -> Result<(), FeedDocumentError> {
    let is_read = |name: &str| {
        let name = name.replace(['-', '_'], "");
        ["utf8", "usascii", "ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    match declared {
        Some(name) if !is_read(&name) => {
            Err(FeedDocumentError::OtherEncoding { detail: format!("names the encoding {}", quote(&name)) })
        }
        _ => Ok(()),
    }
}

fn is_blank(event: &Event<'_>) -> bool {
    match event {
        Event::Text(text) => text.trim_ascii().is_empty(),
        Event::Comment(_) | Event::PI(_) => true,
        _ => false,
    }
}

/// The bytes of white space at the start of a text.
fn leading_space(event: &Event<'_>) -> usize {
    match event {
        Event::Text(text) => text.len() - text.trim_ascii_start().len(),
        _ => 0,
    }
}
