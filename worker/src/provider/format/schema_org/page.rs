//! The JSON-LD scripts of a web page.

use std::ops::Range;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// What publishers write around the JSON of a script, for browsers that would show it as text.
const WRAPPERS: [(&str, &str); 2] = [("<![CDATA[", "]]>"), ("<!--", "-->")];

/// The last part of the type of a script.
const LANGUAGE: &[u8] = b"ld+json";

/// The contents of all `<script type="application/ld+json">`, as parts of the page.
#[derive(Debug, Default)]
pub(super) struct PageScripts<'a> {
    pub(super) contents: Vec<&'a str>,
    /// Their elements.
    elements: Vec<Range<usize>>,
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
                Token::StartTag(tag) if is_json_ld(&tag) => start = Some(tag.span),
                Token::EndTag(tag) if tag.name.as_slice() == b"script" => {
                    if let Some(opening) = start.take() {
                        scripts.contents.extend(page.get(opening.end..tag.span.start).map(unwrap));
                        scripts.elements.push(opening.start..tag.span.end);
                    }
                }
                _ => {}
            }
        }
        scripts.is_truncated = start.is_some();
        scripts
    }
}

/// The scripts of a page without the rest, at the same lines and columns. A truncated page stays as it is, so that it is rejected.
pub(in crate::provider::format) fn reduce(page: &str) -> String {
    let PageScripts { elements, is_truncated, .. } = PageScripts::find(page);
    if is_truncated {
        return page.to_owned();
    }
    let mut reduced = String::new();
    let mut position = 0;
    for element in elements {
        let before = page.get(position..element.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        reduced.extend(before[..line_start].matches('\n'));
        reduced.extend(before[line_start..].chars().map(|_| ' '));
        reduced.push_str(page.get(element.clone()).unwrap_or_default());
        position = element.end;
    }
    reduced
}

/// Whether bytes that are not UTF-8 may be a page with a script.
pub(in crate::provider::format) fn may_have_scripts(page: &[u8]) -> bool {
    memchr::memmem::find(&page.to_ascii_lowercase(), LANGUAGE).is_some()
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
    use proptest::prelude::*;

    use super::*;
    use crate::provider::format::text::locate;

    proptest! {
        #[test]
        fn a_reduced_page_has_each_script_at_its_line_and_column(texts in prop::collection::vec("[a-zé \n]{0,12}", 1..6)) {
            let script = |text: &str| format!("{text}<script type='application/ld+json'>{{\"{text}\": 1}}</script>");
            let page: String = texts.iter().map(|text| script(text)).collect::<String>() + "<p>\n";
            let reduced = reduce(&page);
            let positions = |page: &str| -> Vec<(usize, usize)> {
                let scripts = PageScripts::find(page).contents;
                scripts.iter().map(|content| locate(page.as_bytes(), content.as_ptr().addr() - page.as_ptr().addr())).collect()
            };
            prop_assert_eq!(positions(&reduced), positions(&page));
            prop_assert_eq!(PageScripts::find(&reduced).contents, PageScripts::find(&page).contents);
            prop_assert_eq!(reduce(&reduced), reduced);
        }
    }

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
    fn reduces_a_page_to_its_scripts_at_the_same_positions() {
        let script = "<script type='application/ld+json'>\n{\"é\": 1}</script>";
        let page = format!("<html>\n<p>é\n<b>ñ{script}</b>{script}\n<i>x</i>\n");
        let reduced = reduce(&page);
        assert_eq!(reduced, format!("\n\n    {script}    {script}"));
        assert_eq!(PageScripts::find(&reduced).contents, PageScripts::find(&page).contents);
        assert_eq!(reduce("<p>x\n</p>"), "");
        let truncated = "<p><script type='application/ld+json'>{";
        assert_eq!(reduce(truncated), truncated);
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
