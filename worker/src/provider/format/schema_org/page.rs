//! The JSON-LD scripts of a web page.

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// What publishers write around the JSON of a script, for browsers that would show it as text.
const WRAPPERS: [(&str, &str); 2] = [("<![CDATA[", "]]>"), ("<!--", "-->")];

/// The contents of all `<script type="application/ld+json">`, as parts of the page.
#[derive(Debug, Default)]
pub(super) struct PageScripts<'a> {
    pub(super) contents: Vec<&'a str>,
    /// The page ends within a script.
    pub(super) is_truncated: bool,
}

impl<'a> PageScripts<'a> {
    pub(super) fn find(page: &'a str) -> Self {
        let mut emitter = DefaultEmitter::<usize>::new_with_span();
        emitter.naively_switch_states(true);
        let mut scripts = Self::default();
        let mut start = None;
        for Ok(token) in Tokenizer::new_with_emitter(page, emitter) {
            match token {
                Token::StartTag(tag) if is_json_ld(&tag) => start = Some(tag.span.end),
                Token::EndTag(tag) if tag.name.as_slice() == b"script" => {
                    let content = start.take().and_then(|start| page.get(start..tag.span.start));
                    scripts.contents.extend(content.map(unwrap));
                }
                _ => {}
            }
        }
        scripts.is_truncated = start.is_some();
        scripts
    }
}

fn is_json_ld(tag: &StartTag<usize>) -> bool {
    let media_type = tag.attributes.get(b"type".as_slice()).map(|value| String::from_utf8_lossy(value)).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    tag.name.as_slice() == b"script" && media_type.eq_ignore_ascii_case("application/ld+json")
}

/// The JSON without what is around it: `//<![CDATA[` and `//]]>`, `/*` and `*/`, `<!--` and `-->`.
fn unwrap(content: &str) -> &str {
    let is_around = |character: char| character.is_whitespace() || matches!(character, '/' | '*');
    let content = content.trim();
    let inner = content.trim_matches(is_around);
    let unwrapped = WRAPPERS.iter().find_map(|(start, end)| {
        let inner = inner.strip_prefix(start)?;
        Some(inner.strip_suffix(end).unwrap_or(inner).trim_matches(is_around))
    });
    unwrapped.unwrap_or(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_scripts_with_json_ld() {
        let page = "<!doctype html><title>é <script type='application/ld+json'>no</script></title>\
                    <script>var a = '<script type=\"application/ld+json\">';</script>\
                    <SCRIPT id=a TYPE=\"Application/LD+JSON; charset=utf-8\"> {\"a\": \"</p>&amp;\"}\n</SCRIPT>\
                    <!-- <script type=\"application/ld+json\">no</script> -->\
                    <script type=application/ld+json>[]</script ><script type=\"application/json\">{}</script>";
        let scripts = PageScripts::find(page);
        assert_eq!((scripts.contents, scripts.is_truncated), (vec!["{\"a\": \"</p>&amp;\"}", "[]"], false));
        assert!(PageScripts::find("<script type=\"application/ld+json\">{\"a\":").is_truncated);
    }

    #[test]
    fn removes_what_is_around_the_json() {
        for content in [
            "{\"a\": [1]}",
            "<![CDATA[ {\"a\": [1]} ]]>",
            "\n//<![CDATA[\n{\"a\": [1]}\n//]]>\n",
            "/* <![CDATA[ */ {\"a\": [1]} /* ]]> */",
            "<!-- {\"a\": [1]} -->",
            "<!--\n{\"a\": [1]}\n//-->",
        ] {
            assert_eq!(unwrap(content), "{\"a\": [1]}", "{content}");
        }
    }
}
