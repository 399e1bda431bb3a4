//! Validators of what is sent, and requests that are answered only if it has changed
//! ([RFC 9110, 13](https://www.rfc-editor.org/rfc/rfc9110#section-13)).

use poem::http::{HeaderMap, HeaderValue, header};

/// An `ETag` of a hash of the bytes that are sent.
#[must_use]
pub fn etag_of(hash: u128) -> HeaderValue {
    // Hexadecimal digits between quotes are a header's value.
    HeaderValue::try_from(format!("\"{hash:032x}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether `If-None-Match` holds the validator of what would be sent, so that the client has it already. As the RFC asks for here, a
/// weak validator matches the strong one of the same name.
#[must_use]
pub(super) fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|field| holds(field.as_bytes(), etag.as_bytes()))
}

/// Whether a list of entity tags, or `*`, holds one. A tag may hold commas.
fn holds(mut list: &[u8], etag: &[u8]) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    loop {
        list = list.trim_ascii_start();
        let tag = list.strip_prefix(b"W/").unwrap_or(list);
        let Some(end) = tag.strip_prefix(b"\"").and_then(|rest| rest.iter().position(|byte| *byte == b'"')) else {
            return false;
        };
        let (tag, rest) = tag.split_at(end + 2);
        if tag == etag {
            return true;
        }
        match rest.trim_ascii_start().split_first() {
            Some((b',', rest)) => list = rest,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_a_validator_or_not() {
        for (list, is_held) in [
            ("\"a,b\"", true),
            ("W/\"a,b\"", true),
            ("*", true),
            (" * ", true),
            ("\"x\", \"a,b\"", true),
            ("\"x\",W/\"y\" ,\"a,b\",\"z\"", true),
            ("\"a\"", false),
            ("\"A,B\"", false),
            ("w/\"a,b\"", false),
            ("a,b", false),
            ("\"a,b", false),
            ("\"x\" \"a,b\"", false),
            ("", false),
            (",", false),
        ] {
            assert_eq!(holds(list.as_bytes(), b"\"a,b\""), is_held, "{list}");
        }
    }
}
