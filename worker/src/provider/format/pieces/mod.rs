//! Parses a spooled document piece by piece, on all cores. Only the pieces that are being parsed are in memory.
//!
//! A document is split before anything that looks like the start of a base event. A split may be wrong, because a comment, a CDATA
//! section or an attribute may contain the same characters. So each piece is parsed on the *assumption* that it starts between two
//! base events. It is accepted only after all previous pieces, and only if the last of them ended in exactly that state. A reader
//! that reaches the end of its bytes with only the ancestors open is in the state of a reader of the whole document at that byte,
//! so the rest is parsed as in a single pass. A piece that ends in another state was split at a wrong position, and is parsed again
//! together with the next pieces.

use std::{
    collections::BTreeMap,
    num::NonZero,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use bytes::Bytes;
use memchr::memmem::FinderRev;

use super::{Conventions, ElementFilter, FeedDocumentError, FeedReadError, Locator, xml::Namespaces};
use crate::provider::{
    item::ParsedFeed,
    spool::{Spool, SpoolView},
};

/// Items of one feed. They are not in memory together; a feed of one gigabyte has nine million.
pub(super) const MAX_ITEMS: usize = 50_000_000;

/// Sizes of pieces in bytes.
#[derive(Clone, Copy)]
struct PieceSizes {
    /// The first piece is parsed before all others, because it contains their ancestors.
    first: u64,
    /// The bytes that one thread parses at a time: enough to make the cost of splitting negligible, and little memory.
    regular: u64,
    /// The largest piece, and so the largest base event, which is in memory with all its items: hundreds of thousands of zones.
    max: u64,
}

const SIZES: PieceSizes = PieceSizes { first: 64 * 1024, regular: 1024 * 1024, max: 64 * 1024 * 1024 };

/// A format with documents that can be split between base events.
#[derive(Clone, Copy)]
pub(super) struct PieceFormat {
    /// How a base event probably starts.
    pub(super) markers: [&'static str; 2],
    /// Parses the bytes between two boundaries.
    pub(super) parse_piece: fn(&[u8], &Boundary, PieceSettings<'_>) -> Result<FeedPiece, FeedDocumentError>,
    /// The error of a document that has no items, but others.
    pub(super) no_items: &'static str,
}

/// How a piece is parsed.
#[derive(Clone, Copy)]
pub(super) struct PieceSettings<'a> {
    pub(super) conventions: &'a Conventions,
    /// The elements that need not be parsed.
    pub(super) filter: ElementFilter<'a>,
    /// The maximum number of items.
    pub(super) max_items: usize,
}

impl<'a> PieceSettings<'a> {
    /// Parses everything.
    fn whole(conventions: &'a Conventions) -> Self {
        Self { conventions, filter: ElementFilter::NONE, max_items: MAX_ITEMS }
    }
}

/// The parser's state between two pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Boundary {
    /// The start or the end of the document.
    Document,
    /// Between two base events, inside elements with these full names.
    BaseEvents {
        /// The root.
        root: String,
        /// The list of base events.
        output: String,
        /// The prefixes that they declare; `None` if they are unknown and not checked.
        namespaces: Option<Namespaces>,
    },
}

/// A parsed piece.
pub(super) struct FeedPiece {
    /// The items, with spans that count from the start of the piece.
    pub(super) feed: ParsedFeed,
    /// The number of elements that became items.
    pub(super) items: usize,
    /// Whether there are elements where base events should be that are none.
    pub(super) has_others: bool,
    /// The state at its end.
    pub(super) end: Boundary,
}

impl PieceFormat {
    /// Parses a document in memory in one pass.
    pub(super) fn parse_whole(&self, document: &[u8], conventions: &Conventions) -> Result<ParsedFeed, FeedDocumentError> {
        let piece = (self.parse_piece)(document, &Boundary::Document, PieceSettings::whole(conventions))?;
        if piece.end != Boundary::Document {
            return Err(FeedDocumentError::Truncated);
        }
        self.require_items(piece.items, piece.has_others)?;
        Ok(piece.feed)
    }

    /// Rejects a document that has content, but no items.
    fn require_items(&self, items: usize, has_others: bool) -> Result<(), FeedDocumentError> {
        if items == 0 && has_others { Err(FeedDocumentError::NoItems { detail: self.no_items }) } else { Ok(()) }
    }

    /// Parses one span again, which must be that of a base event.
    pub(super) fn reparse(
        &self,
        spool: &Spool,
        span: Range<u64>,
        conventions: &Conventions,
    ) -> Result<ParsedFeed, FeedReadError> {
        // The names are only compared with closing tags, and the span has none of the ancestors'. Its prefixes were checked before.
        let ancestors = Boundary::BaseEvents { root: String::new(), output: String::new(), namespaces: None };
        let mut feed = (self.parse_piece)(&spool.read(span.clone())?, &ancestors, PieceSettings::whole(conventions))?.feed;
        feed.shift_spans(usize::try_from(span.start).unwrap_or(usize::MAX));
        Ok(feed)
    }

    /// Parses a whole document, or a page, on all cores and folds the `digest` of each piece, in document order.
    pub(super) fn parse_spool<T: Send>(
        &self,
        spool: SpoolView<'_>,
        (conventions, filter): (&Conventions, ElementFilter<'_>),
        digest: &(dyn Fn(ParsedFeed) -> T + Sync),
        fold: &mut (dyn FnMut(T) -> Result<(), FeedDocumentError> + Send),
    ) -> Result<(), FeedReadError> {
        let settings = PieceSettings { filter, ..PieceSettings::whole(conventions) };
        PieceReader { format: *self, spool, settings, digest, sizes: SIZES }.read_all(fold)
    }
}

/// The inputs that all threads need.
struct PieceReader<'a, T> {
    format: PieceFormat,
    spool: SpoolView<'a>,
    settings: PieceSettings<'a>,
    digest: &'a (dyn Fn(ParsedFeed) -> T + Sync),
    sizes: PieceSizes,
}

/// The state that the threads share.
struct SharedState<'a, 'f, T> {
    splitter: DocumentSplitter<'a>,
    fold: OrderedFold<'a, 'f, T>,
    error: Option<FeedReadError>,
}

/// A parsed piece that is not accepted yet.
struct PieceOutcome<T> {
    index: usize,
    span: Range<u64>,
    start: Boundary,
    result: Result<DigestedPiece<T>, FeedDocumentError>,
}

struct DigestedPiece<T> {
    digest: T,
    items: usize,
    has_others: bool,
    end: Boundary,
}

impl<T: Send> PieceReader<'_, T> {
    fn read_all(&self, fold: &mut (dyn FnMut(T) -> Result<(), FeedDocumentError> + Send)) -> Result<(), FeedReadError> {
        let mut splitter = DocumentSplitter::new(self.spool, self.format.markers, self.sizes.max);
        let mut fold = OrderedFold::new(self, fold);
        // Before the ancestors of the base events are known, there is nothing to assume.
        while fold.boundary == Boundary::Document
            && let Some(raw) = splitter.next(self.sizes.first)?
        {
            let outcome = self.parse(raw, &fold.boundary);
            fold.accept_in_order(outcome)?;
        }
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        if threads == 1 || self.spool.len() - splitter.position <= self.sizes.regular {
            while let Some(raw) = splitter.next(self.sizes.regular)? {
                let outcome = self.parse(raw, &fold.boundary.clone());
                fold.accept_in_order(outcome)?;
            }
            return Ok(());
        }
        let assumed_start = fold.boundary.clone();
        let shared = Mutex::new(SharedState { splitter, fold, error: None });
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.parse_pieces(&shared, &assumed_start));
            }
        });
        shared.into_inner().unwrap_or_else(PoisonError::into_inner).error.map_or(Ok(()), Err)
    }

    /// Parses one piece after another until none is left or there is an error.
    fn parse_pieces(&self, shared: &Mutex<SharedState<'_, '_, T>>, assumed_start: &Boundary) {
        let lock = || -> MutexGuard<'_, SharedState<'_, '_, T>> { shared.lock().unwrap_or_else(PoisonError::into_inner) };
        loop {
            let mut state = lock();
            if state.error.is_some() {
                return;
            }
            let raw = match state.splitter.next(self.sizes.regular) {
                Ok(Some(raw)) => raw,
                Ok(None) => return,
                Err(error) => {
                    state.error = Some(error.into());
                    return;
                }
            };
            drop(state);
            let outcome = self.parse(raw, assumed_start);
            let mut state = lock();
            if let Err(error) = state.fold.accept_in_order(outcome) {
                state.error.get_or_insert(error);
            }
        }
    }

    fn parse(&self, raw: RawPiece, start: &Boundary) -> PieceOutcome<T> {
        let RawPiece { index, offset, bytes } = raw;
        let result = self.parse_bytes(&bytes, offset, start, MAX_ITEMS);
        PieceOutcome { index, span: offset..offset + bytes.len() as u64, start: start.clone(), result }
    }

    fn parse_bytes(
        &self,
        bytes: &[u8],
        offset: u64,
        start: &Boundary,
        max_items: usize,
    ) -> Result<DigestedPiece<T>, FeedDocumentError> {
        let FeedPiece { mut feed, items, has_others, end } =
            (self.format.parse_piece)(bytes, start, PieceSettings { max_items, ..self.settings })?;
        feed.shift_spans(usize::try_from(offset).unwrap_or(usize::MAX));
        Ok(DigestedPiece { digest: (self.digest)(feed), items, has_others, end })
    }
}

/// Folds pieces in document order, and checks that each starts in the state in which the previous one ended.
struct OrderedFold<'a, 'f, T> {
    reader: &'a PieceReader<'a, T>,
    fold: &'f mut (dyn FnMut(T) -> Result<(), FeedDocumentError> + Send),
    /// Pieces that were parsed before a previous one.
    early: BTreeMap<usize, PieceOutcome<T>>,
    next_index: usize,
    /// The end of the accepted part, and the state there.
    position: u64,
    boundary: Boundary,
    items: usize,
    has_others: bool,
    /// The bytes after `position` that are needed before another attempt: each attempt has twice the bytes of the previous one.
    retry_bytes: u64,
}

impl<'a, 'f, T: Send> OrderedFold<'a, 'f, T> {
    fn new(reader: &'a PieceReader<'a, T>, fold: &'f mut (dyn FnMut(T) -> Result<(), FeedDocumentError> + Send)) -> Self {
        let (early, boundary) = (BTreeMap::new(), Boundary::Document);
        Self { reader, fold, early, next_index: 0, position: 0, boundary, items: 0, has_others: false, retry_bytes: 0 }
    }

    fn accept_in_order(&mut self, outcome: PieceOutcome<T>) -> Result<(), FeedReadError> {
        self.early.insert(outcome.index, outcome);
        while let Some(outcome) = self.early.remove(&self.next_index) {
            self.next_index += 1;
            let end = outcome.span.end;
            if outcome.span.start == self.position && outcome.start == self.boundary {
                self.accept(outcome.result, end)?;
            } else if end - self.position >= self.retry_bytes || end == self.reader.spool.len() {
                let result = self.parse_until(end)?;
                self.accept(result, end)?;
            }
        }
        Ok(())
    }

    /// Parses the bytes from `position` to `end`.
    fn parse_until(&self, end: u64) -> Result<Result<DigestedPiece<T>, FeedDocumentError>, FeedReadError> {
        let bytes = self.reader.spool.read(self.position..end)?;
        Ok(self.reader.parse_bytes(&bytes, self.position, &self.boundary, MAX_ITEMS - self.items))
    }

    /// Accepts the result for the bytes from `position` to `end`.
    fn accept(&mut self, result: Result<DigestedPiece<T>, FeedDocumentError>, end: u64) -> Result<(), FeedReadError> {
        let is_last = end == self.reader.spool.len();
        match result {
            // Parsing again with the remaining number of items finds the line of the first that is too many.
            Ok(DigestedPiece { items, .. }) if self.items + items > MAX_ITEMS => {
                let error = self.parse_until(end)?.err().unwrap_or(FeedDocumentError::Truncated);
                Err(self.locate_error(error)?)
            }
            Ok(DigestedPiece { digest, items, has_others, end: boundary }) if is_last == (boundary == Boundary::Document) => {
                (self.fold)(digest)?;
                self.position = end;
                self.boundary = boundary;
                self.items += items;
                self.has_others |= has_others;
                self.retry_bytes = 0;
                if is_last {
                    self.reader.format.require_items(self.items, self.has_others)?;
                }
                Ok(())
            }
            Ok(_) if is_last => Err(FeedDocumentError::Truncated.into()),
            Err(error) if is_last || !matches!(error, FeedDocumentError::Truncated | FeedDocumentError::Empty) => {
                Err(self.locate_error(error)?)
            }
            // The split was inside an item, or the document continues after what looked like its end.
            Ok(_) | Err(_) => {
                self.retry_bytes = 2 * (end - self.position);
                let max = self.reader.sizes.max;
                if self.retry_bytes <= max {
                    return Ok(());
                }
                let limit = usize::try_from(max).unwrap_or(usize::MAX);
                Err(self.locate_error(FeedDocumentError::OverLimit { line: 1, limit, what: "bytes in a base event" })?)
            }
        }
    }

    /// The error with its position in the document instead of in the bytes after `position`.
    fn locate_error(&self, error: FeedDocumentError) -> Result<FeedReadError, FeedReadError> {
        let SpoolView { spool, .. } = self.reader.spool;
        let (line, column) = Locator::new(spool).locate(self.reader.spool.start() + self.position)?;
        Ok(error.offset_position(line, column).into())
    }
}

/// Splits a document before anything that looks like a base event.
struct DocumentSplitter<'a> {
    spool: SpoolView<'a>,
    finders: [FinderRev<'static>; 2],
    max_bytes: u64,
    position: u64,
    index: usize,
}

struct RawPiece {
    index: usize,
    offset: u64,
    bytes: Bytes,
}

impl<'a> DocumentSplitter<'a> {
    fn new(spool: SpoolView<'a>, markers: [&'static str; 2], max_bytes: u64) -> Self {
        Self { spool, finders: markers.map(FinderRev::new), max_bytes, position: 0, index: 0 }
    }

    /// The next piece of at most this size, or of twice the size and so on while there is no marker in it.
    fn next(&mut self, target_bytes: u64) -> std::io::Result<Option<RawPiece>> {
        let remaining = self.spool.len() - self.position;
        // An empty document is one piece, so that it is parsed and the error reported.
        if remaining == 0 && self.index > 0 {
            return Ok(None);
        }
        let mut length = target_bytes.min(remaining);
        let bytes = loop {
            let bytes = self.spool.read(self.position..self.position + length)?;
            let last_marker = self.finders.iter().find_map(|finder| finder.rfind(&bytes).filter(|&at| at > 0));
            match last_marker {
                _ if length == remaining => break bytes,
                Some(at) => break bytes.slice(..at),
                None if length >= self.max_bytes => break bytes,
                None => length = (2 * length).min(remaining),
            }
        };
        let piece = RawPiece { index: self.index, offset: self.position, bytes };
        self.position += piece.bytes.len() as u64;
        self.index += 1;
        Ok(Some(piece))
    }
}

#[cfg(test)]
mod tests;
