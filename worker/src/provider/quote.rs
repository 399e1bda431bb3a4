//! Values of a feed or a settings file in messages.

/// Long enough to recognize a value; attributes may have 64 KiB.
const MAX_CHARACTERS: usize = 40;

/// A value in backticks, shortened.
pub(super) fn quote(value: &str) -> String {
    match value.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("`{}…`", &value[..end]),
        None => format!("`{value}`"),
    }
}
