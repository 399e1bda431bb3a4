//! Finds the line and column of a position in a spooled document, or in its page.

use std::{borrow::Cow, io};

use super::text::advance;
use crate::provider::spool::Spool;

/// Bytes that are read at a time.
const STEP_BYTES: u64 = 1024 * 1024;

/// Finds lines and columns. It continues from the previous position, so it is fastest in document order.
#[derive(Debug)]
pub struct Locator<'a> {
    spool: &'a Spool,
    offset: u64,
    line: usize,
    column: usize,
}

impl<'a> Locator<'a> {
    /// A locator at the beginning of a document.
    #[must_use]
    pub fn new(spool: &'a Spool) -> Self {
        Self { spool, offset: 0, line: 1, column: 1 }
    }

    /// Line and column of a byte in its page, both from 1, the column in characters. What is not in a page is about the whole document.
    ///
    /// # Errors
    ///
    /// When the spool cannot be read.
    pub fn locate(&mut self, offset: u64) -> io::Result<(usize, usize)> {
        let page = self.spool.find_page(offset);
        if page.is_none() && !self.spool.pages().is_empty() {
            return Ok((1, 1));
        }
        let start = page.map_or(0, |page| page.range.start);
        let offset = offset.min(self.spool.len());
        if offset < self.offset || self.offset < start {
            *self = Self { offset: start, ..Self::new(self.spool) };
        }
        while self.offset < offset {
            let end = offset.min(self.offset + STEP_BYTES);
            advance(&mut self.line, &mut self.column, &self.spool.read(self.offset..end)?);
            self.offset = end;
        }
        Ok((self.line, self.column))
    }

    /// A message about a byte, with its page.
    #[must_use]
    pub fn describe<'m>(&self, message: &'m str, offset: u64) -> Cow<'m, str> {
        match self.spool.find_page(offset) {
            Some(page) => Cow::Owned(format!("{message} ({})", page.name)),
            None => Cow::Borrowed(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::spool::SpoolWriter;

    #[test]
    fn counts_lines_and_characters_from_1_in_any_order() {
        let spool = Spool::from_bytes("añb\n\ncé d".as_bytes());
        let mut locator = Locator::new(&spool);
        for (offset, position) in [(0, (1, 1)), (3, (1, 3)), (5, (2, 1)), (6, (3, 1)), (9, (3, 3)), (1, (1, 2)), (99, (3, 5))] {
            assert_eq!(locator.locate(offset).ok(), Some(position), "byte {offset}");
        }
    }

    #[tokio::test]
    async fn counts_from_the_start_of_the_page() {
        let mut writer = SpoolWriter::new(100);
        for (name, text) in [("page 1", "a\nbc"), ("page 2", ""), ("page 3", "é\n\nd")] {
            writer.begin_page(name.to_owned());
            writer.write(text).await.unwrap();
        }
        let spool = writer.finish().await.unwrap();
        let mut locator = Locator::new(&spool);
        for (offset, position, message) in [
            (3, (2, 2), "x (page 1)"),
            (4, (1, 1), "x (page 3)"),
            (8, (3, 1), "x (page 3)"),
            (2, (2, 1), "x (page 1)"),
            (9, (1, 1), "x"),
        ] {
            assert_eq!(locator.locate(offset).ok(), Some(position), "byte {offset}");
            assert_eq!(locator.describe("x", offset), message);
        }
    }
}
