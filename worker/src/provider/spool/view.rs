//! Parts of a spool: the pages of a document that was fetched in several, and views of them.

use std::{io, ops::Range};

use bytes::Bytes;

use super::Spool;

/// A part of a document that was fetched by itself. Each is parsed as a document of its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpooledPage {
    /// Its name for messages.
    pub name: String,
    /// Its bytes in the document.
    pub range: Range<u64>,
}

/// A range of a spool, which is read like a spool.
#[derive(Clone, Copy, Debug)]
pub struct SpoolView<'a> {
    /// The spool.
    pub spool: &'a Spool,
    /// The page, unless the view is the whole document.
    pub page: Option<&'a SpooledPage>,
}

impl SpoolView<'_> {
    /// Its first byte in the spool.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.page.map_or(0, |page| page.range.start)
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.page.map_or(self.spool.len(), |page| page.range.end - page.range.start)
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads a range that counts from the start of the view.
    ///
    /// # Errors
    ///
    /// As [`Spool::read`].
    pub fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let start = self.start();
        self.spool.read(start + range.start..start + range.end)
    }
}

impl Spool {
    /// The pages of the document; none if it was not fetched in pages.
    #[must_use]
    pub fn pages(&self) -> &[SpooledPage] {
        &self.pages
    }

    /// The page with this byte.
    #[must_use]
    pub fn find_page(&self, offset: u64) -> Option<&SpooledPage> {
        let after = self.pages.partition_point(|page| page.range.start <= offset);
        self.pages[..after].last().filter(|page| offset < page.range.end)
    }

    /// The parts that are parsed by themselves: the pages, or the whole document.
    pub fn views(&self) -> impl Iterator<Item = SpoolView<'_>> {
        let whole = self.pages.is_empty().then_some(SpoolView { spool: self, page: None });
        whole.into_iter().chain(self.pages.iter().map(|page| SpoolView { spool: self, page: Some(page) }))
    }
}
