//! References that XML does not define, in the values of attributes.
//!
//! Publishers forget to escape `&`, and use the entities of HTML. Both are read as text with a warning, because `&` has no other meaning
//! there. Formats may decode the entities of HTML in their texts.

use std::borrow::Cow;

use super::well_formed::is_reference;
use crate::provider::quote::quote;

/// The longest text that is searched for the end of a reference. The entities of HTML have up to 32 characters.
const MAX_REFERENCE_BYTES: usize = 40;

/// A value in which every reference is defined, and what was changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RepairedValue {
    pub(super) value: String,
    /// Continues a sentence that starts with the name of the attribute.
    pub(super) change: String,
}

/// Escapes each `&` that starts no reference of XML, and removes references to characters that XML does not allow. `None` if the value has
/// none of them.
pub(super) fn repair(value: &str) -> Option<RepairedValue> {
    let mut repaired = Cow::Borrowed("");
    let mut change = None;
    let mut copied = 0;
    for at in memchr::memchr_iter(b'&', value.as_bytes()) {
        let rest = &value[at + 1..];
        let reference = find_reference(rest);
        if reference.is_some_and(is_reference) {
            continue;
        }
        let written = reference.map_or_else(|| "&".to_owned(), |reference| format!("&{reference};"));
        let text = repaired.to_mut();
        text.push_str(&value[copied..at]);
        if reference.is_some_and(is_number) {
            copied = at + written.len();
            change.get_or_insert_with(|| format!("has {}, which is not allowed in XML; removed", quote(&written)));
        } else {
            copied = at + 1;
            text.push_str("&amp;");
            change.get_or_insert_with(|| format!("has {}, which is not a reference in XML; read as text", quote(&written)));
        }
    }
    let change = change?;
    Some(RepairedValue { value: repaired.into_owned() + &value[copied..], change })
}

/// The text between `&` and `;`.
fn find_reference(after_ampersand: &str) -> Option<&str> {
    let searched = &after_ampersand.as_bytes()[..after_ampersand.len().min(MAX_REFERENCE_BYTES)];
    let reference = &after_ampersand[..memchr::memchr(b';', searched)?];
    let is_name = reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#');
    (is_name && !reference.is_empty()).then_some(reference)
}

/// Whether a reference is to a character by its number.
fn is_number(reference: &str) -> bool {
    let Some(number) = reference.strip_prefix('#') else { return false };
    let (digits, radix) = number.strip_prefix(['x', 'X']).map_or((number, 10), |digits| (digits, 16));
    !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defined_references_are_unchanged() {
        for value in ["", "Rock &amp; Roll", "&lt;&#146;&#x41;&quot;"] {
            assert_eq!(repair(value), None, "{value}");
        }
    }

    #[test]
    fn everything_else_is_text() {
        for (value, expected, changed) in [
            ("Rock & Roll", "Rock &amp; Roll", "&"),
            ("A&B &amp; C&", "A&amp;B &amp; C&amp;", "&"),
            ("?a=1&b=2;&c=3", "?a=1&amp;b=2;&amp;c=3", "&"),
            ("Caf&eacute;&nbsp;& more", "Caf&amp;eacute;&amp;nbsp;&amp; more", "&eacute;"),
            ("&;&#;&#x;&#12a;", "&amp;;&amp;#;&amp;#x;&amp;#12a;", "&"),
            ("back&#8;space&#x0;", "backspace", "&#8;"),
            ("&#99999999;&#xD800; &&amp;", " &amp;&amp;", "&#99999999;"),
        ] {
            let repaired = repair(value).expect(value);
            assert_eq!(repaired.value, expected, "{value}");
            assert!(repaired.change.contains(&format!("has `{changed}`")), "{value}: {}", repaired.change);
        }
    }
}
