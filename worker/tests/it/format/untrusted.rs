//! Documents that cannot be trusted as a whole are rejected as a whole, each with its reason code.

use super::parse;
use crate::fixtures;

#[test]
fn rejects_every_untrusted_document_with_its_reason_code() {
    for document in fixtures::untrusted() {
        let error = parse(&document.bytes).expect_err(&document.name);
        assert_eq!(error.code(), document.code, "{}: {error}", document.name);
        let sentence = error.to_string();
        assert!(sentence.len() < 300, "{}: {} bytes are too long", document.name, sentence.len());
    }
}

#[test]
fn accepts_the_fixture_that_other_tests_damage() {
    let feed = parse(&fixtures::bytes("sound/small.xml")).unwrap();
    assert_eq!((feed.event_count(), feed.rejects.len()), (1, 0));
    assert_eq!(feed.base_events[0].title, "Café Ñandú");
}

#[test]
fn rejects_a_feed_truncated_at_any_byte() {
    let whole = fixtures::bytes("sound/small.xml");
    let end_of_root = whole.len() - 1;
    assert_eq!(whole[end_of_root..], *b"\n");
    for length in 0..end_of_root {
        let error = parse(&whole[..length]).expect_err(&format!("truncated after {length} bytes"));
        // Before the root, there is nothing that could be incomplete.
        let expected = if whole[..length].windows(4).any(|bytes| bytes == b"<eve") {
            &["truncated"][..]
        } else {
            &["truncated", "empty_document"]
        };
        assert!(expected.contains(&error.code()), "truncated after {length} bytes: {} ({error})", error.code());
    }
    assert!(parse(&whole[..end_of_root]).is_ok(), "only white space after the root is missing");
}

#[test]
fn reports_the_position_of_an_error() {
    for (name, expected) in [
        ("malformed/duplicate_attribute.xml", "at line 4, column 54: the attribute `sell_mode` is repeated"),
        ("malformed/mismatched_end_tag.xml", "at line 7, column 7: the closing tag must be `</event>`, got `</plan>`"),
        ("malformed/two_roots.xml", "at line 11, column 1: no content is allowed after the root element"),
        ("malformed/junk_after_the_root.xml", "at line 11, column 1: no content is allowed after the root element"),
        ("malformed/nul_byte.xml", "at line 4, column 75: NUL bytes are not allowed"),
        ("not_utf8/latin_1_bytes.xml", "not valid UTF-8 at line 4, column 71"),
        ("doctype/bare_doctype.xml", "a DOCTYPE is not allowed (line 2)"),
        ("over_limit/33_elements_deep.xml", "the limit of 32 nested elements (line 4)"),
        ("over_limit/65_attributes.xml", "the limit of 64 attributes of an element (line 5)"),
        ("wrong_root/error_report.xml", "must start with `<eventList>` or `<planList>`, got `<error>`"),
        ("no_items/no_output.xml", "has no <output> element"),
        ("html_page/page_with_doctype.html", "the document is a web page with the title `Sorry`"),
        ("no_items/other_elements.xml", "none of them is a <base_event> or <base_plan>"),
    ] {
        let error = parse(&fixtures::bytes(&format!("untrusted/{name}"))).expect_err(name).to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}
