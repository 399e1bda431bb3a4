//! Values of a feed or a settings file in messages.

use command_line::escape;

/// Long enough to recognize a value; attributes may have 64 KiB.
const MAX_CHARACTERS: usize = 40;

/// A value in backticks, shortened and escaped.
pub(super) fn quote(value: &str) -> String {
    match value.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("`{}…`", escape(&value[..end])),
        None => format!("`{}`", escape(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_is_short_and_has_no_unsafe_characters() {
        assert_eq!(quote("a\u{1b}[2J\u{202e}"), "`a\\u{1b}[2J\\u{202e}`");
        assert_eq!(quote(&"é".repeat(41)), format!("`{}…`", "é".repeat(40)));
    }
}
