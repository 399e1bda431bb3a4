//! The registry of feed formats. A format is one file in this folder and one entry of `FORMATS`.
//!
//! A format is a pure function from a document's bytes to its items: no I/O, no clock, no state. An error in one item becomes a
//! [`RejectedItem`](super::item::RejectedItem) with its position; only a document that cannot be trusted as a whole is an error. `pieces` parses
//! large documents on all cores without holding them in memory, for any format that can be split.

mod clean_text;
mod error;
mod event_list_xml;
mod html_page;
mod icalendar;
mod locator;
mod pieces;
mod schema_org;
mod text;
mod unknown_element;
mod values;
mod xml;

use std::{fmt, ops::Range};

use bytes::Bytes;
use chrono_tz::Tz;

use self::pieces::PieceFormat;
pub use self::{
    error::{FeedDocumentError, FeedReadError},
    locator::Locator,
};
use super::{category::CategoryMap, currency::Currency, item::ParsedFeed, spool::Spool};

/// All formats that `providers.toml` may name.
const FORMATS: [FeedFormat; 4] = [
    FeedFormat { name: "event-list-xml", parser: FormatParser::InPieces(event_list_xml::PIECES), reads_pages: false },
    FeedFormat { name: "icalendar", parser: FormatParser::Whole(icalendar::parse), reads_pages: false },
    FeedFormat { name: "schema-org-html", parser: FormatParser::Whole(schema_org::parse_page), reads_pages: true },
    FeedFormat { name: "schema-org-json", parser: FormatParser::Whole(schema_org::parse_json), reads_pages: false },
];

/// The largest document of a format that cannot be split: it is in memory together with all its items.
const MAX_WHOLE_BYTES: u64 = 64 * 1024 * 1024;

/// A format of feeds.
#[derive(Clone, Copy)]
pub struct FeedFormat {
    /// Its name in the settings.
    pub name: &'static str,
    parser: FormatParser,
    /// Its documents are web pages, which are an error in all other formats.
    reads_pages: bool,
}

/// How documents of a format are parsed.
#[derive(Clone, Copy)]
enum FormatParser {
    /// As a whole, because one part may refer to another.
    Whole(fn(&[u8], &Conventions) -> Result<ParsedFeed, FeedDocumentError>),
    /// Piece by piece.
    InPieces(PieceFormat),
}

/// The provider's settings that determine the meaning of its values.
#[derive(Clone, Debug)]
pub struct Conventions {
    /// The zone of its wall-clock dates.
    pub time_zone: Tz,
    /// The currency of its prices.
    pub currency: Currency,
    /// The categories of the provider's words.
    pub category_map: CategoryMap,
}

impl FeedFormat {
    /// Parses a document in memory. Every base event and event of the result is unique.
    ///
    /// # Errors
    ///
    /// When the document cannot be trusted as a whole.
    pub fn parse(&self, document: &[u8], conventions: &Conventions) -> Result<ParsedFeed, FeedDocumentError> {
        let feed = match self.parser {
            FormatParser::Whole(parse) => parse(document, conventions),
            FormatParser::InPieces(pieces) => pieces.parse_whole(document, conventions),
        };
        feed.map(ParsedFeed::deduplicate).map_err(|error| self.describe_error(error, document))
    }

    /// Parses a spooled document part by part: calls `digest` with each part, on any thread, and passes the results to `fold` in
    /// document order. Memory is bounded by the size of a part, not of the document.
    ///
    /// A base event or an event may occur several times. After an error, discard everything that was folded.
    ///
    /// # Errors
    ///
    /// When the document cannot be trusted as a whole, `fold` returns an error, or the spool cannot be read.
    pub fn parse_spool<T: Send>(
        &self,
        spool: &Spool,
        conventions: &Conventions,
        digest: impl Fn(ParsedFeed) -> T + Sync,
        mut fold: impl FnMut(T) -> Result<(), FeedDocumentError> + Send,
    ) -> Result<(), FeedReadError> {
        let parsed = match self.parser {
            FormatParser::Whole(parse) => {
                read_whole(spool).and_then(|document| Ok(fold(digest(parse(&document, conventions)?.deduplicate()))?))
            }
            FormatParser::InPieces(pieces) => pieces.parse_spool(spool, conventions, &digest, &mut fold),
        };
        match parsed {
            Err(FeedReadError::Document(error)) => {
                let head = spool.read(0..spool.len().min(html_page::HEAD_BYTES))?;
                Err(self.describe_error(error, &head).into())
            }
            result => result,
        }
    }

    /// The error for a document with this beginning.
    fn describe_error(&self, error: FeedDocumentError, head: &[u8]) -> FeedDocumentError {
        if self.reads_pages { error } else { html_page::describe(error, head) }
    }

    /// Whether a base event can be parsed again by itself, with [`FeedFormat::reparse`].
    #[must_use]
    pub fn is_splittable(&self) -> bool {
        matches!(self.parser, FormatParser::InPieces(_))
    }

    /// Parses one base event again, by its span in a document that was parsed before.
    ///
    /// # Errors
    ///
    /// When the span is not that of a base event, or the spool cannot be read.
    pub fn reparse(&self, spool: &Spool, span: Range<u64>, conventions: &Conventions) -> Result<ParsedFeed, FeedReadError> {
        match self.parser {
            FormatParser::Whole(parse) => Ok(parse(&spool.read(0..spool.len())?, conventions)?),
            FormatParser::InPieces(pieces) => pieces.reparse(spool, span, conventions),
        }
    }
}

impl PartialEq for FeedFormat {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for FeedFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

fn read_whole(spool: &Spool) -> Result<Bytes, FeedReadError> {
    if spool.len() > MAX_WHOLE_BYTES {
        let limit = usize::try_from(MAX_WHOLE_BYTES).unwrap_or(usize::MAX);
        return Err(FeedDocumentError::OverLimit { line: 1, limit, what: "bytes for this format" }.into());
    }
    Ok(spool.read(0..spool.len())?)
}

/// Finds a format by its name.
#[must_use]
pub fn find(name: &str) -> Option<FeedFormat> {
    FORMATS.into_iter().find(|format| format.name == name)
}

/// The names of all formats for a message: "a, b".
#[must_use]
pub fn list_names() -> String {
    FORMATS.map(|format| format.name).join(", ")
}
