//! Splits a document into lines of bounded length.

use std::io::{BufRead, Read};

use super::{
    BatchReadError,
    check::{Checker, RowPosition},
};
use crate::limits::MAX_ROW_BYTES;

/// Calls `handle` with each line that is not empty, without its line ending (LF or CRLF), until `handle` returns `false`.
///
/// A line over the limit ends the batch, because its length is unknown.
pub(super) fn for_each_line(
    mut source: impl BufRead,
    checker: &mut Checker<'_>,
    mut handle: impl FnMut(&mut Checker<'_>, RowPosition, &[u8]) -> Result<bool, BatchReadError>,
) -> Result<(), BatchReadError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if source.by_ref().take(MAX_ROW_BYTES as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let position = RowPosition { line: number, index: None };
        if line.len() > MAX_ROW_BYTES {
            checker.add_error(position, format!("the line is longer than the limit of {MAX_ROW_BYTES} bytes"));
            break;
        }
        let content = line.strip_suffix(b"\n").unwrap_or(&line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        if !content.trim_ascii().is_empty() && !handle(checker, position, content)? {
            break;
        }
    }
    Ok(())
}
