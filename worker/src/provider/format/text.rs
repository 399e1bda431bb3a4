//! What every textual format asks of a document before it looks into it, and where in it something stands.

use super::FeedDocumentError;

/// The text of a document: UTF-8 without a byte order mark and without NUL, which neither a format nor PostgreSQL takes.
pub(super) fn checked_text(document: &[u8]) -> Result<&str, FeedDocumentError> {
    refuse_byte_order_mark(document)?;
    let (text, fault) = sound_text(document);
    fault.map_or(Ok(text), Err)
}

pub(super) fn refuse_byte_order_mark(document: &[u8]) -> Result<(), FeedDocumentError> {
    let has_mark = [b"\xEF\xBB\xBF".as_slice(), b"\xFE\xFF", b"\xFF\xFE"].iter().any(|mark| document.starts_with(mark));
    if has_mark { Err(FeedDocumentError::ByteOrderMark) } else { Ok(()) }
}

/// The bytes up to the first that is no text, and what is wrong with that.
pub(super) fn sound_text(bytes: &[u8]) -> (&str, Option<FeedDocumentError>) {
    let before_nul = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    match std::str::from_utf8(&bytes[..before_nul]) {
        Ok(text) if before_nul == bytes.len() => (text, None),
        Ok(text) => {
            let (line, column) = line_and_column(bytes, before_nul);
            (text, Some(FeedDocumentError::Malformed { line, column, detail: "a NUL byte is no text".to_owned() }))
        }
        Err(error) => {
            let sound = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            // Without a length of the fault, the bytes end in the middle of a character.
            let is_cut = error.error_len().is_none() && before_nul == bytes.len();
            let (line, column) = line_and_column(bytes, error.valid_up_to());
            (sound, Some(if is_cut { FeedDocumentError::Truncated } else { FeedDocumentError::NotUtf8 { line, column } }))
        }
    }
}

/// Line and column of a byte, both from 1, the column in characters.
pub(super) fn line_and_column(bytes: &[u8], offset: usize) -> (usize, usize) {
    let (mut line, mut column) = (1, 1);
    advance(&mut line, &mut column, &bytes[..offset.min(bytes.len())]);
    (line, column)
}

/// Moves a place on over bytes that begin at it.
pub(super) fn advance(line: &mut usize, column: &mut usize, mut passed: &[u8]) {
    if let Some(newline) = memchr::memrchr(b'\n', passed) {
        *line += memchr::memchr_iter(b'\n', passed).count();
        *column = 1;
        passed = &passed[newline + 1..];
    }
    // A character has one byte that does not go on with the one before it.
    *column += passed.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
}
