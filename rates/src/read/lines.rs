//! Lines of a document, each bounded.

use std::io::{BufRead, Read};

use super::{
    ReadError,
    check::{At, Checker},
};
use crate::limits::MAX_ITEM_BYTES;

/// Hands each line that is not empty to `take`, without its end (LF or CRLF), until `take` has enough.
///
/// A line that is too long ends the batch: nobody knows how long it would go on.
pub(super) fn each_line(
    mut source: impl BufRead,
    checker: &mut Checker<'_>,
    mut take: impl FnMut(&mut Checker<'_>, At, &[u8]) -> Result<bool, ReadError>,
) -> Result<(), ReadError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if source.by_ref().take(MAX_ITEM_BYTES as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let at = At { line: number, index: None };
        if line.len() > MAX_ITEM_BYTES {
            checker.fault(at, format!("the line is longer than {MAX_ITEM_BYTES} bytes: it is no price"));
            break;
        }
        let content = line.strip_suffix(b"\n").unwrap_or(&line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        if !content.trim_ascii().is_empty() && !take(checker, at, content)? {
            break;
        }
    }
    Ok(())
}
