//! The registry of feed formats. A format is one file in this folder and one entry of `FORMATS`.
//!
//! A format is a pure function from a document's bytes to its items: no I/O, no clock, no state. An error in one item becomes a
//! [`RejectedItem`](super::item::RejectedItem) with its position; only a document that cannot be trusted as a whole is an error. `pieces` parses
//! large documents on all cores without holding them in memory, for any format that can be split.

mod clean_text;
mod element_filter;
mod error;
mod event_list_xml;
mod html_page;
mod icalendar;
mod locator;
mod pieces;
mod recurrence;
mod schema_org;
mod sitemap;
mod text;
mod unknown_element;
mod values;
mod whole;
mod xml;

use std::{fmt, io, ops::Range};

use chrono_tz::Tz;
use reqwest::Url;

use self::pieces::PieceFormat;
pub use self::{
    element_filter::ElementFilter,
    error::{FeedDocumentError, FeedReadError},
    locator::Locator,
    recurrence::ReadMonth,
    sitemap::{Sitemap, parse_sitemap},
};
use super::{
    category::CategoryMap,
    currency::Currency,
    id_from::IdFrom,
    item::ParsedFeed,
    spool::{Spool, SpoolView},
};

/// All formats that `providers.toml` may name.
const FORMATS: [FeedFormat; 4] = [
    FeedFormat::new("event-list-xml", FormatParser::InPieces(event_list_xml::PIECES)),
    FeedFormat {
        has_recurrences: true,
        accept_id_from: Some(icalendar::accept_id_from),
        ..FeedFormat::new("icalendar", FormatParser::Whole(icalendar::parse))
    },
    FeedFormat {
        reads_pages: true,
        has_recurrences: true,
        accept_id_from: Some(schema_org::accept_id_from),
        ..FeedFormat::new("schema-org-html", FormatParser::Whole(schema_org::parse_page))
    },
    FeedFormat {
        has_views: true,
        has_recurrences: true,
        accept_id_from: Some(schema_org::accept_id_from),
        ..FeedFormat::new("schema-org-json", FormatParser::Whole(schema_org::parse_json))
    },
];

type WholeParser = fn(&[u8], &Conventions) -> Result<ParsedFeed, FeedDocumentError>;

/// A format of feeds.
#[derive(Clone, Copy)]
pub struct FeedFormat {
    /// Its name in the settings.
    pub name: &'static str,
    parser: FormatParser,
    /// Its documents are web pages, which are an error in all other formats.
    reads_pages: bool,
    /// Its documents may contain the link to the next page.
    has_views: bool,
    /// The events of its documents may repeat, so that these depend on the month in which they are read.
    has_recurrences: bool,
    /// Validates the property of the setting `id_from`; `None` if the format has only one property for ids.
    accept_id_from: Option<AcceptIdFrom>,
}

/// Returns the property, or `None` if ids are read from it without the setting, too.
type AcceptIdFrom = fn(&IdFrom) -> Result<Option<IdFrom>, String>;

/// How documents of a format are parsed.
#[derive(Clone, Copy)]
enum FormatParser {
    /// As a whole, because one part may refer to another.
    Whole(WholeParser),
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
    /// The property from which ids are read, if it is not the format's own. The format must have accepted it.
    pub id_from: Option<IdFrom>,
    /// The server of the provider. Links that begin with `/` lead to it.
    pub origin: Url,
    /// The month in which the document is read.
    pub month: ReadMonth,
}

impl FeedFormat {
    const fn new(name: &'static str, parser: FormatParser) -> Self {
        Self { name, parser, reads_pages: false, has_views: false, has_recurrences: false, accept_id_from: None }
    }

    /// Validates the setting `id_from`. The result is `None` if it is the same as without the setting.
    ///
    /// # Errors
    ///
    /// When ids of this format cannot be read from it. The error continues a sentence that starts with the name of the setting.
    pub fn accept_id_from(&self, id_from: &IdFrom) -> Result<Option<IdFrom>, String> {
        let Some(accept) = self.accept_id_from else {
            let others = FORMATS.iter().filter(|format| format.accept_id_from.is_some()).map(|format| format.name);
            let others = others.collect::<Vec<_>>().join(", ");
            return Err(format!("is not possible with the format {}; it is with {others}", self.name));
        };
        accept(id_from)
    }

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
        (conventions, filter): (&Conventions, ElementFilter<'_>),
        digest: impl Fn(ParsedFeed) -> T + Sync,
        mut fold: impl FnMut(T) -> Result<(), FeedDocumentError> + Send,
    ) -> Result<(), FeedReadError> {
        match self.parser {
            FormatParser::Whole(parse) => Ok(fold(digest(whole::parse_spool((self, parse), spool, conventions)?))?),
            FormatParser::InPieces(pieces) => spool.views().try_for_each(|view| {
                let digest = |mut feed: ParsedFeed| {
                    feed.shift_spans(usize::try_from(view.start()).unwrap_or(usize::MAX));
                    digest(feed)
                };
                let parsed = pieces.parse_spool(view, (conventions, filter), &digest, &mut fold);
                parsed.map_err(|error| self.describe_error_in(view, error))
            }),
        }
    }

    /// Parses a spooled document, of which every base event and event of the result is unique.
    ///
    /// # Errors
    ///
    /// When the document cannot be trusted as a whole, or the spool cannot be read.
    pub fn parse_document(&self, spool: &Spool, conventions: &Conventions) -> Result<ParsedFeed, FeedReadError> {
        let mut whole = ParsedFeed::default();
        self.parse_spool(
            spool,
            (conventions, ElementFilter::NONE),
            |feed| feed,
            |feed| {
                whole.append(feed);
                Ok(())
            },
        )?;
        Ok(whole.deduplicate())
    }

    /// Parses a spooled document with every item, also those that occur several times if the format cannot be split.
    ///
    /// # Errors
    ///
    /// When the document cannot be trusted as a whole, or the spool cannot be read.
    pub fn parse_items(&self, spool: &Spool, conventions: &Conventions) -> Result<ParsedFeed, FeedReadError> {
        match self.parser {
            FormatParser::Whole(parse) => whole::parse_items((self, parse), spool, conventions),
            FormatParser::InPieces(_) => self.parse_document(spool, conventions),
        }
    }

    /// Whether the events of a document depend on the month in which it is read.
    #[must_use]
    pub fn depends_on_month(&self) -> bool {
        self.has_recurrences
    }

    /// Whether a document is a list of web pages that are documents of this format.
    ///
    /// # Errors
    ///
    /// When the spool cannot be read.
    pub fn is_sitemap(&self, document: &Spool) -> io::Result<bool> {
        Ok(self.reads_pages && sitemap::is_sitemap(&document.read(0..document.len().min(html_page::HEAD_BYTES))?))
    }

    /// The URL of the next page in a document, as it is written.
    ///
    /// # Errors
    ///
    /// When the spool cannot be read.
    pub fn find_next_page(&self, document: &Spool) -> io::Result<Option<String>> {
        if !self.has_views || document.len() > whole::MAX_BYTES {
            return Ok(None);
        }
        Ok(schema_org::find_next_page(&document.read(0..document.len())?))
    }

    /// What is parsed of a page, without the rest; `None` if that is all of it.
    ///
    /// # Errors
    ///
    /// When the spool cannot be read.
    pub fn reduce_page(&self, page: &Spool) -> io::Result<Option<String>> {
        if !self.reads_pages || page.len() > whole::MAX_BYTES {
            return Ok(None);
        }
        let page = page.read(0..page.len())?;
        Ok(match std::str::from_utf8(&page) {
            Ok(text) => Some(schema_org::reduce(text)),
            // A picture or another file, not a page that cannot be read.
            Err(_) if !schema_org::may_have_scripts(&page) => Some(String::new()),
            Err(_) => None,
        })
    }

    /// The error for a document with this beginning.
    fn describe_error(&self, error: FeedDocumentError, head: &[u8]) -> FeedDocumentError {
        if self.reads_pages { error } else { html_page::describe(error, head) }
    }

    /// The error for a document or a page of it.
    fn describe_error_in(&self, view: SpoolView<'_>, error: FeedReadError) -> FeedReadError {
        let FeedReadError::Document(error) = error else { return error };
        match view.read(0..view.len().min(html_page::HEAD_BYTES)) {
            Ok(head) => FeedReadError::from(self.describe_error(error, &head)).in_page(view.page),
            Err(error) => error.into(),
        }
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
