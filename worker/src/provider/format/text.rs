//! What every textual format asks of a document before it looks into it.

use super::{DocumentError, Locator};

/// The text of a document: UTF-8 without a byte order mark and without NUL, which neither a format nor PostgreSQL takes.
pub(super) fn checked_text(document: &[u8]) -> Result<&str, DocumentError> {
    if [b"\xEF\xBB\xBF".as_slice(), b"\xFE\xFF", b"\xFF\xFE"].iter().any(|mark| document.starts_with(mark)) {
        return Err(DocumentError::ByteOrderMark);
    }
    let text = std::str::from_utf8(document).map_err(|error| {
        let (line, column) = Locator::new(document).locate(error.valid_up_to());
        match error.error_len() {
            Some(_) => DocumentError::NotUtf8 { detail: format!("line {line}, column {column}") },
            // The document ends in the middle of a character.
            None => DocumentError::Truncated,
        }
    })?;
    match memchr::memchr(0, document) {
        None => Ok(text),
        Some(offset) => {
            let (line, column) = Locator::new(document).locate(offset);
            Err(DocumentError::Malformed { line, column, detail: "a NUL byte is no text".to_owned() })
        }
    }
}
