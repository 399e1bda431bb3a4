//! The registry of formats: a format is one file here and one line in `FORMATS`.
//!
//! A format is a pure function from a document's bytes to what it says: no I/O, no clock, no state. A fault in one item is a
//! [`Reject`](super::item::Reject) with its place in the document; only a document that cannot be trusted as a whole is an
//! error. How a large document is read on all cores without ever being in memory stands in `pieces`, for all formats.

mod event_list_xml;
mod locator;
mod pieces;
mod schema_org_json;
mod text;
mod values;
mod xml;

use std::{fmt, io, ops::Range};

use chrono_tz::Tz;

pub use self::locator::Locator;
use self::pieces::Pieces;
use super::{currency::Currency, item::ParsedFeed, spool::Spool};

/// All formats that can be named in `providers.toml`.
const FORMATS: [FeedFormat; 2] = [
    FeedFormat { name: "event-list-xml", reading: Reading::InPieces(event_list_xml::PIECES) },
    FeedFormat { name: "schema-org-json", reading: Reading::AtOnce(schema_org_json::read) },
];

/// Largest document of a format that cannot be cut into pieces: it is in memory with all that it says.
const MAX_BYTES_AT_ONCE: u64 = 64 * 1024 * 1024;

/// A format of feeds.
#[derive(Clone, Copy)]
pub struct FeedFormat {
    /// Its name in the settings.
    pub name: &'static str,
    reading: Reading,
}

/// How the documents of a format are read.
#[derive(Clone, Copy)]
enum Reading {
    /// As a whole: what stands in one place may refer to another.
    AtOnce(fn(&[u8], &Conventions) -> Result<ParsedFeed, FeedDocumentError>),
    /// Piece by piece.
    InPieces(Pieces),
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
pub enum FeedDocumentError {
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
    #[error("the document is not UTF-8 (line {line}, column {column}): send it as UTF-8")]
    NotUtf8 {
        /// Line of the first byte that is not.
        line: usize,
        /// Column of that byte, in characters.
        column: usize,
    },
    /// Its declaration names another encoding.
    #[error("the document is not UTF-8 ({detail}): send it as UTF-8")]
    OtherEncoding {
        /// What it declares.
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

impl FeedDocumentError {
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
            Self::NotUtf8 { .. } | Self::OtherEncoding { .. } => "not_utf8",
            Self::ByteOrderMark => "byte_order_mark",
            Self::OverLimit { .. } => "over_limit",
        }
    }
}

/// Why a spooled document was not read.
#[derive(Debug, thiserror::Error)]
pub enum FeedReadError {
    /// It cannot be trusted.
    #[error("{0}")]
    Document(#[from] FeedDocumentError),
    /// The spool's file cannot be read.
    #[error("the spooled document cannot be read")]
    Spool(#[from] io::Error),
}

impl FeedFormat {
    /// Reads a whole document that is in memory; every base event and event of the answer stands once.
    ///
    /// # Errors
    ///
    /// When the document cannot be trusted as a whole.
    pub fn parse(&self, document: &[u8], conventions: &Conventions) -> Result<ParsedFeed, FeedDocumentError> {
        let feed = match self.reading {
            Reading::AtOnce(read) => read(document, conventions),
            Reading::InPieces(pieces) => pieces.read_at_once(document, conventions),
        };
        feed.map(ParsedFeed::deduplicate)
    }

    /// Reads a spooled document part by part: `digest` is called with each, on any thread, and what it answers is handed to
    /// `fold` in the document's order. Memory is bounded by the size of a part and not of the document.
    ///
    /// A base event and an event may stand several times. What was folded is worth nothing if the answer is an error.
    ///
    /// # Errors
    ///
    /// When the document cannot be trusted as a whole, `fold` says so, or the spool cannot be read.
    pub fn parse_spool<T: Send>(
        &self,
        spool: &Spool,
        conventions: &Conventions,
        digest: impl Fn(ParsedFeed) -> T + Sync,
        mut fold: impl FnMut(T) -> Result<(), FeedDocumentError> + Send,
    ) -> Result<(), FeedReadError> {
        match self.reading {
            Reading::AtOnce(read) => {
                if spool.len() > MAX_BYTES_AT_ONCE {
                    let limit = usize::try_from(MAX_BYTES_AT_ONCE).unwrap_or(usize::MAX);
                    return Err(
                        FeedDocumentError::OverLimit { line: 1, limit, what: "bytes in a document of this format" }.into()
                    );
                }
                let document = spool.read(0..spool.len())?;
                Ok(fold(digest(read(&document, conventions)?.deduplicate()))?)
            }
            Reading::InPieces(pieces) => pieces.read(spool, conventions, &digest, &mut fold),
        }
    }

    /// Whether a base event can be read again by itself, with [`FeedFeedFormat::reparse`].
    #[must_use]
    pub fn is_splittable(&self) -> bool {
        matches!(self.reading, Reading::InPieces(_))
    }

    /// Reads one base event again, by its span in a document that was read before.
    ///
    /// # Errors
    ///
    /// When the span is not that of a base event, or the spool cannot be read.
    pub fn reparse(&self, spool: &Spool, span: Range<u64>, conventions: &Conventions) -> Result<ParsedFeed, FeedReadError> {
        match self.reading {
            Reading::AtOnce(read) => Ok(read(&spool.read(0..spool.len())?, conventions)?),
            Reading::InPieces(pieces) => pieces.reparse(spool, span, conventions),
        }
    }
}

impl FeedDocumentError {
    /// The same, found in bytes that begin at this line and column of the document.
    fn behind(mut self, first_line: usize, first_column: usize) -> Self {
        match &mut self {
            Self::Malformed { line, column, .. } | Self::NotUtf8 { line, column } => {
                if *line == 1 {
                    *column += first_column - 1;
                }
                *line += first_line - 1;
            }
            Self::Doctype { line } | Self::OverLimit { line, .. } => *line += first_line - 1,
            _ => {}
        }
        self
    }
}

impl fmt::Debug for FeedFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// The format of this name.
#[must_use]
pub fn find(name: &str) -> Option<FeedFormat> {
    FORMATS.into_iter().find(|format| format.name == name)
}

/// The names of all formats, for messages.
#[must_use]
pub fn names() -> String {
    FORMATS.map(|format| format.name).join(", ")
}
