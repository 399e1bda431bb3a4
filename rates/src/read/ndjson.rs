//! Parses NDJSON: one object per line.

use std::io::BufRead;

use super::{BatchReadError, check::Checker, item, lines::for_each_line};

pub(super) fn parse(source: impl BufRead, checker: &mut Checker<'_>) -> Result<(), BatchReadError> {
    for_each_line(source, checker, |checker, position, line| {
        item::check_object(checker, position, line)?;
        Ok(true)
    })
}
