//! The registry of formats: a format is one file here and one line in `FORMATS`.
//!
//! A format is a pure function from a document's bytes to what it says: no I/O, no clock, no state. A fault in one item is a
//! [`Reject`](super::item::Reject) with its place in the document; only a document that cannot be trusted as a whole is an
//! error.

mod event_list_xml;
mod schema_org_json;
mod text;
mod values;
mod xml;

use std::fmt;

use chrono_tz::Tz;

use super::{currency::Currency, item::Feed};

/// All formats that can be named in `providers.toml`.
const FORMATS: [Format; 2] = [
    Format { name: "event-list-xml", read: event_list_xml::read },
    Format { name: "schema-org-json", read: schema_org_json::read },
];

/// A format of feeds.
#[derive(Clone, Copy)]
pub struct Format {
    /// Its name in the settings.
    pub name: &'static str,
    read: fn(&[u8], &Conventions) -> Result<Feed, DocumentError>,
}

/// What a provider takes for granted in its feed.
#[derive(Clone, Debug)]
pub struct Conventions {
    /// The zone of its wall-clock dates.
    pub time_zone: Tz,
    /// The currency of its prices.
    pub currency: Currency,
}

/// Why a document cannot be trusted as a whole. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Nothing, or nothing but white space.
    #[error("the document is empty")]
    Empty,
    /// It has an end that comes too early: the rest was lost on the way.
    #[error("the document ends before its root element does: it was cut off")]
    Truncated,
    /// It is not of the syntax it should be.
    #[error("line {line}, column {column}: {detail}")]
    Malformed {
        /// Line of the fault.
        line: usize,
        /// Column of the fault, in characters.
        column: usize,
        /// What is wrong.
        detail: String,
    },
    /// It is another kind of document.
    #[error("the document begins with {found}, expected {expected}")]
    WrongRoot {
        /// The root that it has.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// It lacks the element that holds the items: an error report rather than an empty list.
    #[error("the root element holds no <{element}>: send an empty one if there is nothing on sale")]
    NoItems {
        /// The missing element.
        element: &'static str,
    },
    /// It has a document type declaration: with it come entities that grow without bound or read files.
    #[error("line {line}: a DOCTYPE is refused, send the document without it")]
    Doctype {
        /// Line of the declaration.
        line: usize,
    },
    /// Its bytes, or its declaration, are of another encoding.
    #[error("the document is not UTF-8 ({detail}): send it as UTF-8")]
    NotUtf8 {
        /// How that shows.
        detail: String,
    },
    /// It begins with a byte order mark.
    #[error("the document begins with a byte order mark: send plain UTF-8 without it")]
    ByteOrderMark,
    /// It is larger in some way than a feed has reason to be.
    #[error("line {line}: over the limit of {limit} {what}")]
    OverLimit {
        /// Line where the limit is passed.
        line: usize,
        /// The limit.
        limit: usize,
        /// What is counted.
        what: &'static str,
    },
}

impl DocumentError {
    /// A stable word for the ledger.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_document",
            Self::Truncated => "truncated",
            Self::Malformed { .. } => "malformed",
            Self::WrongRoot { .. } => "wrong_root",
            Self::NoItems { .. } => "no_items",
            Self::Doctype { .. } => "doctype",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::ByteOrderMark => "byte_order_mark",
            Self::OverLimit { .. } => "over_limit",
        }
    }
}

impl Format {
    /// Reads a whole document; every base event and event of the answer stands once.
    ///
    /// # Errors
    ///
    /// When the document cannot be trusted as a whole.
    pub fn read(&self, document: &[u8], conventions: &Conventions) -> Result<Feed, DocumentError> {
        (self.read)(document, conventions).map(Feed::settled)
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// The format of this name.
#[must_use]
pub fn find(name: &str) -> Option<Format> {
    FORMATS.into_iter().find(|format| format.name == name)
}

/// The names of all formats, for messages.
#[must_use]
pub fn names() -> String {
    FORMATS.map(|format| format.name).join(", ")
}

/// Finds lines and columns of a document, fastest when it is asked in the document's order: it goes on from where it was.
#[derive(Debug)]
pub struct Locator<'a> {
    document: &'a [u8],
    offset: usize,
    line: usize,
    column: usize,
}

impl<'a> Locator<'a> {
    /// At the beginning of a document.
    #[must_use]
    pub fn new(document: &'a [u8]) -> Self {
        Self { document, offset: 0, line: 1, column: 1 }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub fn locate(&mut self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.document.len());
        if offset < self.offset {
            *self = Self::new(self.document);
        }
        let mut passed = &self.document[self.offset..offset];
        if let Some(newline) = memchr::memrchr(b'\n', passed) {
            self.line += memchr::memchr_iter(b'\n', passed).count();
            self.column = 1;
            passed = &passed[newline + 1..];
        }
        // A character has one byte that does not go on with the one before it.
        self.column += passed.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        self.offset = offset;
        (self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_1_in_characters_and_in_any_order() {
        let document = "añb\n\ncé d".as_bytes();
        let mut locator = Locator::new(document);
        for (offset, place) in [(0, (1, 1)), (3, (1, 3)), (5, (2, 1)), (6, (3, 1)), (9, (3, 3)), (1, (1, 2)), (99, (3, 5))] {
            assert_eq!(locator.locate(offset), place, "byte {offset}");
        }
    }
}
