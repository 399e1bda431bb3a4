//! Lines of iCalendar ([RFC 5545, 3.1](https://www.rfc-editor.org/rfc/rfc5545#section-3.1)).

use super::text::clean;

/// The octets of a line, without its end.
const MAX_OCTETS: usize = 75;

/// Appends a line, folded. `name` may have parameters. The value is a text that is [escaped](escape_text), or of another type.
pub(super) fn write_line(body: &mut Vec<u8>, name: &str, value: &str) {
    let mut octets = 0;
    for character in name.chars().chain([':']).chain(value.chars()) {
        if octets + character.len_utf8() > MAX_OCTETS {
            body.extend_from_slice(b"\r\n ");
            octets = 1;
        }
        octets += character.len_utf8();
        body.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    body.extend_from_slice(b"\r\n");
}

/// Appends a line with a text.
pub(super) fn write_text(body: &mut Vec<u8>, name: &str, text: &str) {
    write_line(body, name, &escape_text(text));
}

/// A value of the type TEXT.
fn escape_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in clean(text).chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\\' | ';' | ',' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(name: &str, value: &str) -> String {
        let mut body = Vec::new();
        write_line(&mut body, name, value);
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn a_line_has_at_most_75_octets() {
        assert_eq!(line("SUMMARY", &"x".repeat(67)), format!("SUMMARY:{}\r\n", "x".repeat(67)));
        assert_eq!(line("SUMMARY", &"x".repeat(68)), format!("SUMMARY:{}\r\n x\r\n", "x".repeat(67)));
        assert_eq!(line("SUMMARY", &"x".repeat(142)), format!("SUMMARY:{}\r\n {}\r\n x\r\n", "x".repeat(67), "x".repeat(74)));
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(escape_text("a;b,c\\n\r\nd:\"e\"\0"), "a\\;b\\,c\\\\n\\nd:\"e\"");
    }

    proptest! {
        #[test]
        fn unfolding_returns_the_line(value in "[ -~ü日🎺]{0,300}") {
            let folded = line("X", &value);
            prop_assert!(folded.split("\r\n").all(|line| line.len() <= MAX_OCTETS));
            prop_assert_eq!(folded.replace("\r\n ", ""), format!("X:{value}\r\n"));
        }
    }
}
