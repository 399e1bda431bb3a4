//! The link to the next page in the header `Link` (RFC 8288).
//!
//! The parser follows appendix B.2 of the RFC: whatever a server sends, it returns the links before the first error.

use reqwest::header::{self, HeaderMap};

/// The target of the first link with the relation `next`, as it is written.
pub(super) fn find_next(headers: &HeaderMap) -> Option<String> {
    // Other bytes than those of ASCII are in titles.
    headers.get_all(header::LINK).iter().find_map(|value| find_in_value(&String::from_utf8_lossy(value.as_bytes())))
}

fn find_in_value(mut rest: &str) -> Option<String> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']).strip_prefix('<')?;
        let (target, parameters) = rest.split_once('>')?;
        let (is_next, after) = parse_parameters(parameters);
        if is_next {
            return Some(target.trim().to_owned());
        }
        rest = after;
    }
}

/// Whether the parameters of a link have the relation `next` to the document itself, and what follows them.
fn parse_parameters(mut rest: &str) -> (bool, &str) {
    let (mut relation, mut has_anchor) = (None, false);
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let Some(parameter) = rest.strip_prefix(';') else { break };
        let name_end = parameter.find(['=', ';', ',']).unwrap_or(parameter.len());
        let (name, after_name) = parameter.split_at(name_end);
        let (value, after) = match after_name.strip_prefix('=') {
            Some(value) => parse_value(value.trim_start_matches([' ', '\t'])),
            None => (String::new(), after_name),
        };
        match name.trim().to_ascii_lowercase().as_str() {
            // Only the first one counts.
            "rel" => relation = relation.or(Some(value)),
            "anchor" => has_anchor = true,
            _ => {}
        }
        rest = after;
    }
    let relation = relation.unwrap_or_default();
    (!has_anchor && relation.split_ascii_whitespace().any(|name| name.eq_ignore_ascii_case("next")), rest)
}

/// A token or a quoted string, and what follows it. Some servers use the quotes of HTML.
fn parse_value(text: &str) -> (String, &str) {
    let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        let (token, rest) = text.split_at(text.find([';', ',']).unwrap_or(text.len()));
        return (token.trim().to_owned(), rest);
    };
    let quoted = &text[quote.len_utf8()..];
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, character) in quoted.char_indices() {
        match character {
            '\\' if !is_escaped => is_escaped = true,
            end if end == quote && !is_escaped => return (value, &quoted[at + 1..]),
            _ => {
                value.push(character);
                is_escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_the_next_page() {
        for value in [
            "</e?page=2>; rel=\"next\"",
            "</e?page=2>;rel=next",
            " , <  /e?page=2 >  ; title=\"a, <b>; rel=prev \\\" c\" ; REL = NEXT",
            "</e?page=1>; rel=\"prev first\", </e?page=2>; rel=\"last next\"; title*=UTF-8'en'x",
            "</e?page=9>; rel=last; rel=next, </e?page=2>; flag; rel=\"next",
            "</e?page=9>; rel=next; anchor=\"/other\", </e?page=2>; rel=next, </e?page=3>; rel=next",
            "</e?page=1>; rel='prev'; title='\"1\", <first>', </e?page=2>; rel='last next'",
        ] {
            assert_eq!(find_in_value(value).as_deref(), Some("/e?page=2"), "{value}");
        }
    }

    #[test]
    fn finds_it_beside_a_title_that_is_not_ascii() {
        for title in ["N\u{e4}chste".as_bytes(), b"N\xe4chste"] {
            let mut headers = HeaderMap::new();
            headers.append(header::LINK, "</style.css>; rel=preload".parse().unwrap());
            let value = [b"</e?page=2>; title=\"", title, b"\"; rel=next"].concat();
            headers.append(header::LINK, header::HeaderValue::from_bytes(&value).unwrap());
            assert_eq!(find_next(&headers).as_deref(), Some("/e?page=2"));
        }
    }

    #[test]
    fn ignores_other_links() {
        for value in ["", "<", "</e>", "</e>; rel=\"nextpage\"", "</e>; title=\"rel=next\"", "/e; rel=next", "<x> rel=next"] {
            assert_eq!(find_in_value(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn finds_any_written_link(
            target in "[a-z/?=&,;%]{1,20}", title in "[ -~]{0,20}", before in prop::collection::vec("[a-z,;]{1,9}", 0..4),
        ) {
            let quoted = title.replace('\\', "\\\\").replace('"', "\\\"");
            let others: String = before.iter().map(|other| format!("<{other}>; rel=prev; title=\"{quoted}\", ")).collect();
            let value = format!("{others}<{target}>; title=\"{quoted}\"; rel=\"next\"");
            prop_assert_eq!(find_in_value(&value), Some(target));
        }

        #[test]
        fn accepts_any_text(value in "[<>;,=\"\\\\ a-z]{0,60}") {
            let _link = find_in_value(&value);
        }
    }
}
