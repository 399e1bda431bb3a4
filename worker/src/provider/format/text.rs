//! Encoding checks for textual formats, and lines and columns of positions.

use super::FeedDocumentError;

/// Checks that a document is UTF-8 without NUL, which no format and no PostgreSQL text allows.
pub(super) fn check_text(document: &[u8]) -> Result<&str, FeedDocumentError> {
    let (text, error) = split_valid_text(document);
    error.map_or(Ok(text), Err)
}

/// The text before the first invalid byte, and the error at that byte.
pub(super) fn split_valid_text(bytes: &[u8]) -> (&str, Option<FeedDocumentError>) {
    let before_nul = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    match std::str::from_utf8(&bytes[..before_nul]) {
        Ok(text) if before_nul == bytes.len() => (text, None),
        Ok(text) => {
            let (line, column) = locate(bytes, before_nul);
            let detail = "NUL bytes are not allowed".to_owned();
            (text, Some(FeedDocumentError::Malformed { line, column, detail }))
        }
        Err(error) => {
            let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            // Without an error length, the bytes end within a character.
            let is_truncated = error.error_len().is_none() && before_nul == bytes.len();
            let (line, column) = locate(bytes, error.valid_up_to());
            let error = if is_truncated { FeedDocumentError::Truncated } else { FeedDocumentError::NotUtf8 { line, column } };
            (valid, Some(error))
        }
    }
}

/// Line and column of a byte, both from 1, the column in characters.
pub(super) fn locate(bytes: &[u8], offset: usize) -> (usize, usize) {
    let (mut line, mut column) = (1, 1);
    advance(&mut line, &mut column, &bytes[..offset.min(bytes.len())]);
    (line, column)
}

/// Advances a position over the bytes that follow it.
pub(super) fn advance(line: &mut usize, column: &mut usize, mut bytes: &[u8]) {
    if let Some(newline) = memchr::memrchr(b'\n', bytes) {
        *line += memchr::memchr_iter(b'\n', bytes).count();
        *column = 1;
        bytes = &bytes[newline + 1..];
    }
    // Every character has exactly one byte that is not a continuation byte.
    *column += bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
}
