//! Text of feeds, files, databases and other programs on a terminal: it must not control the terminal, add lines, or read
//! differently from what it contains.

use std::{borrow::Cow, fmt::Write};

/// Whether a character controls a terminal or is invisible: control characters (escape sequences, line breaks), line and paragraph
/// separators, and characters that change the direction of the text or have no width ([Trojan Source](https://trojansource.codes)).
#[must_use]
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Escapes unsafe characters as in Rust: `\n`, `\u{1b}`, `\u{202e}`.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    replace(text, is_unsafe, |escaped, character| escaped.extend(character.escape_default()))
}

/// Escapes unsafe characters of a JSON document, as in JSON: `\u202e`. They only occur in its strings, except for the line breaks of an
/// indented document.
#[must_use]
pub fn escape_json(json: &str) -> Cow<'_, str> {
    replace(
        json,
        |character| character != '\n' && is_unsafe(character),
        |escaped, character| {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _infallible = write!(escaped, "\\u{unit:04x}");
            }
        },
    )
}

fn replace(text: &str, is_replaced: impl Fn(char) -> bool, write: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(&is_replaced) {
        return text.into();
    }
    let mut replaced = String::with_capacity(2 * text.len());
    for character in text.chars() {
        if is_replaced(character) { write(&mut replaced, character) } else { replaced.push(character) }
    }
    replaced.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_controls_a_terminal_and_what_is_invisible() {
        for (text, escaped) in [
            ("Café 東京 🎭 «é»", "Café 東京 🎭 «é»"),
            ("\u{1b}[31mred\u{1b}]0;title\u{7}", "\\u{1b}[31mred\\u{1b}]0;title\\u{7}"),
            ("a\r\nb\tc\0", "a\\r\\nb\\tc\\u{0}"),
            ("\u{9b}2J\u{85}\u{7f}", "\\u{9b}2J\\u{85}\\u{7f}"),
            ("\u{202e}evil\u{2066}\u{2069}\u{200f}\u{61c}", "\\u{202e}evil\\u{2066}\\u{2069}\\u{200f}\\u{61c}"),
            ("a\u{200b}b\u{feff}c\u{2028}d\u{2029}", "a\\u{200b}b\\u{feff}c\\u{2028}d\\u{2029}"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }

    #[test]
    fn an_escaped_json_document_has_the_same_value() {
        let text = "a\n\u{1b}\u{202e}\u{9b}\u{e0041}\u{2028}é";
        let json = format!("{{\n  \"key\": \"{}\"\n}}", text.replace('\n', "\\n").replace('\u{1b}', "\\u001b"));
        let escaped = escape_json(&json);
        assert_eq!(escaped, "{\n  \"key\": \"a\\n\\u001b\\u202e\\u009b\\udb40\\udc41\\u2028é\"\n}");
    }
}
