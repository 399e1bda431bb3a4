//! JSON bodies.

use std::borrow::Cow;

use command_line::escape_json;
use serde::Serialize;

/// Encodes a body. Characters that control a terminal or are invisible are escaped: bodies of errors quote the request, and people read
/// them in terminals and logs.
pub(crate) fn encode_json(value: &impl Serialize) -> serde_json::Result<String> {
    let json = serde_json::to_string(value)?;
    let escaped = match escape_json(&json) {
        Cow::Borrowed(_) => None,
        Cow::Owned(escaped) => Some(escaped),
    };
    Ok(escaped.unwrap_or(json))
}
