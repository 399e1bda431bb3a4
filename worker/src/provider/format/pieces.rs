//! Reads a spooled document piece by piece, on all cores, and never holds more of it than the pieces that are being read.
//!
//! A document is cut in front of what looks like a base event. That may be wrong: the same characters may stand in a comment, a
//! CDATA section or an attribute. So each piece is read on the *assumption* that it begins between two base events, and is taken only
//! once all pieces before it were, and the last of them ended exactly so. A reader that has come to the end of its bytes with nothing
//! open but the elements around is where the reader of the whole document would be at that byte, hence what follows is read as it
//! would be there. A piece that ends otherwise was cut at a wrong place: it is read again together with the next ones.

use std::{
    collections::BTreeMap,
    num::NonZero,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use bytes::Bytes;
use memchr::memmem::FinderRev;

use super::{Conventions, FeedDocumentError, FeedReadError, Locator};
use crate::provider::{item::ParsedFeed, spool::Spool};

/// Elements of one feed that become something. They are not held in memory; a feed of a gigabyte has nine million.
pub(super) const MAX_ITEMS: usize = 50_000_000;

/// How large pieces are, in bytes.
#[derive(Clone, Copy)]
struct Sizes {
    /// The first piece is read before all others, because it tells which elements are around them.
    first: u64,
    /// What one thread reads at a time: enough to make the cost of cutting vanish, and little memory.
    usual: u64,
    /// Largest piece, hence largest base event: it is in memory with all that it says. Hundreds of thousands of zones.
    largest: u64,
}

const SIZES: Sizes = Sizes { first: 64 * 1024, usual: 1024 * 1024, largest: 64 * 1024 * 1024 };

/// A format whose documents can be cut between base events.
#[derive(Clone, Copy)]
pub(super) struct Pieces {
    /// How a base event is likely to begin.
    pub(super) markers: [&'static str; 2],
    /// Reads bytes from a boundary to the next, which is at their end; the number is that of the items that are still allowed.
    pub(super) read: fn(&[u8], &Boundary, &Conventions, usize) -> Result<Piece, FeedDocumentError>,
}

/// A place between two pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Boundary {
    /// The beginning or the end of the document.
    Document,
    /// A place between two base events, within elements of these full names.
    BaseEvents {
        /// Of the root.
        root: String,
        /// Of the list of base events.
        output: String,
    },
}

/// What was read of a piece.
pub(super) struct Piece {
    /// What it says, with places counted from its beginning.
    pub(super) feed: ParsedFeed,
    /// Elements that became something.
    pub(super) items: usize,
    /// Where it ended.
    pub(super) until: Boundary,
}

impl Pieces {
    /// Reads a document that is in memory in one pass.
    pub(super) fn read_at_once(&self, document: &[u8], conventions: &Conventions) -> Result<ParsedFeed, FeedDocumentError> {
        let piece = (self.read)(document, &Boundary::Document, conventions, MAX_ITEMS)?;
        if piece.until == Boundary::Document { Ok(piece.feed) } else { Err(FeedDocumentError::Truncated) }
    }

    /// Reads what stood in a span, which must be that of a base event.
    pub(super) fn reparse(
        &self,
        spool: &Spool,
        span: Range<u64>,
        conventions: &Conventions,
    ) -> Result<ParsedFeed, FeedReadError> {
        // Their names matter to closing tags alone, of which there is none.
        let around = Boundary::BaseEvents { root: String::new(), output: String::new() };
        let mut feed = (self.read)(&spool.read(span.clone())?, &around, conventions, MAX_ITEMS)?.feed;
        feed.shift(usize::try_from(span.start).unwrap_or(usize::MAX));
        Ok(feed)
    }

    /// Reads a whole document on all cores and folds what `digest` makes of each piece, in the document's order.
    pub(super) fn read<T: Send>(
        &self,
        spool: &Spool,
        conventions: &Conventions,
        digest: &(dyn Fn(ParsedFeed) -> T + Sync),
        fold: &mut (dyn FnMut(T) -> Result<(), FeedDocumentError> + Send),
    ) -> Result<(), FeedReadError> {
        PieceReader { pieces: *self, spool, conventions, digest, sizes: SIZES }.read_all(fold)
    }
}

impl<T: Send> PieceReader<'_, T> {
    fn read_all(&self, fold: &mut (dyn FnMut(T) -> Result<(), FeedDocumentError> + Send)) -> Result<(), FeedReadError> {
        let mut cutter = Cutter::new(self.spool, self.pieces.markers, self.sizes.largest);
        let mut folding = Folding::new(self, fold);
        // Until it is known what is around the base events, there is nothing to assume.
        while folding.at == Boundary::Document
            && let Some(cut) = cutter.next(self.sizes.first)?
        {
            let outcome = self.read(cut, &folding.at);
            folding.take_in_turn(outcome)?;
        }
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        if threads == 1 || self.spool.len() - cutter.position <= self.sizes.usual {
            while let Some(cut) = cutter.next(self.sizes.usual)? {
                let outcome = self.read(cut, &folding.at.clone());
                folding.take_in_turn(outcome)?;
            }
            return Ok(());
        }
        let assumed = folding.at.clone();
        let shared = Mutex::new(Shared { cutter, folding, failure: None });
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.work(&shared, &assumed));
            }
        });
        shared.into_inner().unwrap_or_else(PoisonError::into_inner).failure.map_or(Ok(()), Err)
    }
}

/// What all threads need to read.
struct PieceReader<'a, T> {
    pieces: Pieces,
    spool: &'a Spool,
    conventions: &'a Conventions,
    digest: &'a (dyn Fn(ParsedFeed) -> T + Sync),
    sizes: Sizes,
}

/// What the threads take turns at.
struct Shared<'a, 'f, T> {
    cutter: Cutter<'a>,
    folding: Folding<'a, 'f, T>,
    failure: Option<FeedReadError>,
}

/// A piece that was read, whether it may be taken or not.
struct Outcome<T> {
    index: usize,
    span: Range<u64>,
    from: Boundary,
    digested: Result<Digested<T>, FeedDocumentError>,
}

struct Digested<T> {
    digest: T,
    items: usize,
    until: Boundary,
}

impl<T: Send> PieceReader<'_, T> {
    /// Reads one piece after another until there is none left, or one of them cannot be trusted.
    fn work(&self, shared: &Mutex<Shared<'_, '_, T>>, assumed: &Boundary) {
        let lock = || -> MutexGuard<'_, Shared<'_, '_, T>> { shared.lock().unwrap_or_else(PoisonError::into_inner) };
        loop {
            let mut turn = lock();
            if turn.failure.is_some() {
                return;
            }
            let cut = match turn.cutter.next(self.sizes.usual) {
                Ok(Some(cut)) => cut,
                Ok(None) => return,
                Err(error) => {
                    turn.failure = Some(error.into());
                    return;
                }
            };
            drop(turn);
            let outcome = self.read(cut, assumed);
            let mut turn = lock();
            if let Err(error) = turn.folding.take_in_turn(outcome) {
                turn.failure.get_or_insert(error);
            }
        }
    }

    fn read(&self, cut: Cut, from: &Boundary) -> Outcome<T> {
        let Cut { index, start, bytes } = cut;
        let digested = self.digest(&bytes, start, from, MAX_ITEMS);
        Outcome { index, span: start..start + bytes.len() as u64, from: from.clone(), digested }
    }

    fn digest(&self, bytes: &[u8], start: u64, from: &Boundary, max_items: usize) -> Result<Digested<T>, FeedDocumentError> {
        let Piece { mut feed, items, until } = (self.pieces.read)(bytes, from, self.conventions, max_items)?;
        feed.shift(usize::try_from(start).unwrap_or(usize::MAX));
        Ok(Digested { digest: (self.digest)(feed), items, until })
    }
}

/// Takes pieces in the document's order and sees to it that each begins where the one before it ended.
struct Folding<'a, 'f, T> {
    reader: &'a PieceReader<'a, T>,
    fold: &'f mut (dyn FnMut(T) -> Result<(), FeedDocumentError> + Send),
    /// Pieces that were read before their turn.
    early: BTreeMap<usize, Outcome<T>>,
    next_index: usize,
    /// Up to where the document was taken, and what boundary that is.
    position: u64,
    at: Boundary,
    items: usize,
    /// How much must lie behind `position` before it is worth another try: each try has twice the bytes of the last.
    worth_trying_bytes: u64,
}

impl<'a, 'f, T: Send> Folding<'a, 'f, T> {
    fn new(reader: &'a PieceReader<'a, T>, fold: &'f mut (dyn FnMut(T) -> Result<(), FeedDocumentError> + Send)) -> Self {
        let (early, at) = (BTreeMap::new(), Boundary::Document);
        Self { reader, fold, early, next_index: 0, position: 0, at, items: 0, worth_trying_bytes: 0 }
    }

    fn take_in_turn(&mut self, outcome: Outcome<T>) -> Result<(), FeedReadError> {
        self.early.insert(outcome.index, outcome);
        while let Some(outcome) = self.early.remove(&self.next_index) {
            self.next_index += 1;
            let end = outcome.span.end;
            if outcome.span.start == self.position && outcome.from == self.at {
                self.take(outcome.digested, end)?;
            } else if end - self.position >= self.worth_trying_bytes || end == self.reader.spool.len() {
                let bytes = self.reader.spool.read(self.position..end)?;
                let digested = self.reader.digest(&bytes, self.position, &self.at, MAX_ITEMS - self.items);
                self.take(digested, end)?;
            }
        }
        Ok(())
    }

    /// Takes what was read from `position` to `end`.
    fn take(&mut self, digested: Result<Digested<T>, FeedDocumentError>, end: u64) -> Result<(), FeedReadError> {
        let is_last = end == self.reader.spool.len();
        match digested {
            Ok(Digested { items, .. }) if self.items + items > MAX_ITEMS => {
                let bytes = self.reader.spool.read(self.position..end)?;
                let digested = self.reader.digest(&bytes, self.position, &self.at, MAX_ITEMS - self.items);
                Err(self.placed(digested.err().unwrap_or(FeedDocumentError::Truncated))?)
            }
            Ok(Digested { digest, items, until }) if is_last == (until == Boundary::Document) => {
                (self.fold)(digest)?;
                self.position = end;
                self.at = until;
                self.items += items;
                self.worth_trying_bytes = 0;
                Ok(())
            }
            Ok(_) if is_last => Err(FeedDocumentError::Truncated.into()),
            Err(error) if is_last || !matches!(error, FeedDocumentError::Truncated | FeedDocumentError::Empty) => {
                Err(self.placed(error)?)
            }
            // The cut went through something, or the document goes on behind what looked like its end.
            Ok(_) | Err(_) => {
                self.worth_trying_bytes = 2 * (end - self.position);
                let largest = self.reader.sizes.largest;
                if self.worth_trying_bytes <= largest {
                    return Ok(());
                }
                let limit = usize::try_from(largest).unwrap_or(usize::MAX);
                Err(self.placed(FeedDocumentError::OverLimit { line: 1, limit, what: "bytes without a base event that ends" })?)
            }
        }
    }

    /// An error with its place in the document instead of that in the bytes behind `position`.
    fn placed(&self, error: FeedDocumentError) -> Result<FeedReadError, FeedReadError> {
        let (line, column) = Locator::new(self.reader.spool).locate(self.position)?;
        Ok(error.behind(line, column).into())
    }
}

/// Cuts a document in front of what looks like a base event.
struct Cutter<'a> {
    spool: &'a Spool,
    finders: [FinderRev<'static>; 2],
    largest: u64,
    position: u64,
    index: usize,
}

struct Cut {
    index: usize,
    start: u64,
    bytes: Bytes,
}

impl<'a> Cutter<'a> {
    fn new(spool: &'a Spool, markers: [&'static str; 2], largest: u64) -> Self {
        Self { spool, finders: markers.map(FinderRev::new), largest, position: 0, index: 0 }
    }

    /// The next piece, of about this size, or of twice that and so on while no place to cut is found.
    fn next(&mut self, about_bytes: u64) -> std::io::Result<Option<Cut>> {
        let left = self.spool.len() - self.position;
        // A document without a byte is a piece, too: it must be told what it lacks.
        if left == 0 && self.index > 0 {
            return Ok(None);
        }
        let mut length = about_bytes.min(left);
        let bytes = loop {
            let bytes = self.spool.read(self.position..self.position + length)?;
            let last_marker = self.finders.iter().find_map(|finder| finder.rfind(&bytes).filter(|&at| at > 0));
            match last_marker {
                _ if length == left => break bytes,
                Some(at) => break bytes.slice(..at),
                None if length >= self.largest => break bytes,
                None => length = (2 * length).min(left),
            }
        };
        let cut = Cut { index: self.index, start: self.position, bytes };
        self.position += cut.bytes.len() as u64;
        self.index += 1;
        Ok(Some(cut))
    }
}

#[cfg(test)]
mod tests;
