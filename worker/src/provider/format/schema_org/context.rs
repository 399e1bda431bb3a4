//! The prefixes of a document's contexts that stand for schema.org. Nothing else of contexts is read.

use memchr::memmem;

/// Prefixes of one document. It has a context or a few, and most have none.
const MAX_PREFIXES: usize = 8;
/// Length of a prefix.
const MAX_PREFIX_BYTES: usize = 32;
/// How a context writes schema.org, without escapes.
const VOCABULARIES: [&str; 6] = [
    "https://schema.org/",
    "http://schema.org/",
    "https://www.schema.org/",
    "http://www.schema.org/",
    "https://schema.org#",
    "http://schema.org#",
];
/// The greatest distance between `schema.org` and the quotes around its URL, with escaped slashes.
const MAX_AROUND_BYTES: usize = 20;

/// The prefixes with their colons, such as `sdo:` of `{"@context": {"sdo": "https://schema.org/"}}`. `schema:` is one without a context.
pub(super) fn find_prefixes(document: &str) -> Vec<String> {
    let mut prefixes = vec!["schema:".to_owned()];
    for at in memmem::find_iter(document.as_bytes(), b"schema.org") {
        let Some(prefix) = find_prefix(document, at).map(|prefix| format!("{prefix}:")) else { continue };
        if !prefixes.contains(&prefix) {
            prefixes.push(prefix);
        }
        if prefixes.len() > MAX_PREFIXES {
            break;
        }
    }
    prefixes
}

/// The key of a URL of schema.org in which `schema.org` is at this position.
fn find_prefix(document: &str, at: usize) -> Option<&str> {
    let opening = find_last(&document.as_bytes()[..at], b'"', MAX_AROUND_BYTES)?;
    let closing = at + document.as_bytes()[at..].iter().take(MAX_AROUND_BYTES).position(|byte| *byte == b'"')?;
    let url = document.get(opening + 1..closing)?.replace("\\/", "/");
    if !VOCABULARIES.contains(&url.as_str()) {
        return None;
    }
    let before = document.get(..opening)?.trim_ascii_end().strip_suffix(':')?.trim_ascii_end().strip_suffix('"')?;
    let start = find_last(before.as_bytes(), b'"', MAX_PREFIX_BYTES)? + 1;
    let is_prefix =
        |prefix: &&str| !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    before.get(start..).filter(is_prefix)
}

/// The last position of a byte among the last ones.
fn find_last(bytes: &[u8], byte: u8, count: usize) -> Option<usize> {
    let start = bytes.len().saturating_sub(count);
    memchr::memrchr(byte, &bytes[start..]).map(|at| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_prefixes_of_contexts() {
        for (document, expected) in [
            (r#"{"@context": {"sdo" : "https://schema.org/", "dc": "http://purl.org/dc/terms/"}}"#, ["sdo:"].as_slice()),
            (r#"{"@context":{"s":"http:\/\/schema.org\/","schema":"http://schema.org/"}}"#, &["s:"]),
            (r#"[{"@context":{"a":"http://www.schema.org/"}},{"@context":{"b":"https://schema.org#"}}]"#, &["a:", "b:"]),
            (r#"{"@context":{"@vocab":"https://schema.org/"}}"#, &[]),
            (r#"{"@context":["https://schema.org/"],"@type":"https://schema.org/Event"}"#, &[]),
            (r#"{"x":"see schema.org","y":"https://schema.org/Event"}"#, &[]),
            ("schema.org", &[]),
            ("\"https://schema.org/\"", &[]),
            ("é:\"https://schema.org/", &[]),
        ] {
            let expected: Vec<&str> = ["schema:"].into_iter().chain(expected.iter().copied()).collect();
            assert_eq!(find_prefixes(document), expected, "{document}");
        }
    }
}
