//! Texts of providers, without what no format can contain.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What a URI contains only encoded ([RFC 3986, 2](https://www.rfc-editor.org/rfc/rfc3986#section-2)). `%` is encoded already.
const NOT_IN_URI: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// A text with `\n` as its only line break, and without other control characters except tabs, and without the noncharacters that XML
/// excludes.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_excluded) {
        return text.into();
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|character| !is_excluded(*character)).collect()
}

/// A URL as a URI: in ASCII, without spaces and quotes. `None` if it is not one of the web.
pub(in crate::resources::events) fn to_uri(url: &str) -> Option<String> {
    let is_of_web = ["http://", "https://"]
        .iter()
        .any(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    is_of_web.then(|| utf8_percent_encode(url, NOT_IN_URI).to_string())
}

fn is_excluded(character: char) -> bool {
    character.is_control() && !['\n', '\t'].contains(&character) || ['\u{fffe}', '\u{ffff}'].contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_removed() {
        for (text, expected) in [
            ("ü 日本語 \u{202e}abc\u{202c} 🎺\ttab", "ü 日本語 \u{202e}abc\u{202c} 🎺\ttab"),
            ("a\r\nb\rc\nd\n\re", "a\nb\nc\nd\n\ne"),
            ("\0a\u{1b}[31m\u{7f}\u{85}\u{9b}\u{fffe}\u{ffff}b", "a[31mb"),
        ] {
            assert_eq!(clean(text), expected);
        }
    }

    #[test]
    fn uris_are_ascii_without_delimiters() {
        for (url, expected) in [
            ("https://a.example/b?c=d;e,f#g%20'", Some("https://a.example/b?c=d;e,f#g%20'")),
            ("HTTP://é.example/ \"<\n", Some("HTTP://%C3%A9.example/%20%22%3C%0A")),
            ("javascript:alert(1)", None),
            ("tickets", None),
            ("", None),
        ] {
            assert_eq!(to_uri(url).as_deref(), expected, "{url}");
        }
    }
}
