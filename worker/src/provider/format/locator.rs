//! Finds the line and column of a position in a spooled document.

use std::io;

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

    /// Line and column of a byte, both from 1, the column in characters.
    ///
    /// # Errors
    ///
    /// When the spool cannot be read.
    pub fn locate(&mut self, offset: u64) -> io::Result<(usize, usize)> {
        let offset = offset.min(self.spool.len());
        if offset < self.offset {
            *self = Self::new(self.spool);
        }
        while self.offset < offset {
            let end = offset.min(self.offset + STEP_BYTES);
            advance(&mut self.line, &mut self.column, &self.spool.read(self.offset..end)?);
            self.offset = end;
        }
        Ok((self.line, self.column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters_from_1_in_any_order() {
        let spool = Spool::from_bytes("añb\n\ncé d".as_bytes());
        let mut locator = Locator::new(&spool);
        for (offset, position) in [(0, (1, 1)), (3, (1, 3)), (5, (2, 1)), (6, (3, 1)), (9, (3, 3)), (1, (1, 2)), (99, (3, 5))] {
            assert_eq!(locator.locate(offset).ok(), Some(position), "byte {offset}");
        }
    }
}
