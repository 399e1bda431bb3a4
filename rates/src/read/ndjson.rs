//! Prices as an object on each line.

use std::io::BufRead;

use super::{ReadError, check::Checker, item, lines::each_line};

pub(super) fn parse(source: impl BufRead, checker: &mut Checker<'_>) -> Result<(), ReadError> {
    each_line(source, checker, |checker, at, line| {
        item::take(checker, at, line)?;
        Ok(true)
    })
}
