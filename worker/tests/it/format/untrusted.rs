//! Documents that cannot be trusted as a whole are refused as a whole, and told apart.

use worker::provider::format::FeedDocumentError;

use super::read;
use crate::fixtures;

#[test]
fn every_untrusted_document_is_refused_for_its_reason() {
    for document in fixtures::untrusted() {
        let refusal = read(&document.bytes).expect_err(&document.name);
        assert_eq!(refusal.code(), document.code, "{}: {refusal}", document.name);
        let sentence = refusal.to_string();
        assert!(sentence.len() < 300, "{}: {} bytes are no sentence", document.name, sentence.len());
    }
}

#[test]
fn the_fixture_that_is_cut_and_spoiled_is_sound_itself() {
    let feed = read(&fixtures::bytes("sound/small.xml")).unwrap();
    assert_eq!((feed.event_count(), feed.rejects.len()), (1, 0));
    assert_eq!(feed.base_events[0].title, "Café Ñandú");
}

#[test]
fn a_feed_that_is_cut_off_anywhere_is_never_taken() {
    let whole = fixtures::bytes("sound/small.xml");
    let end_of_root = whole.len() - 1;
    assert_eq!(whole[end_of_root..], *b"\n");
    for length in 0..end_of_root {
        let refusal = read(&whole[..length]).expect_err(&format!("cut after {length} bytes"));
        // Up to the root nothing was begun that could have been cut.
        let expected = if whole[..length].windows(4).any(|bytes| bytes == b"<eve") {
            &["truncated"][..]
        } else {
            &["truncated", "empty_document"]
        };
        assert!(expected.contains(&refusal.code()), "cut after {length} bytes: {} ({refusal})", refusal.code());
    }
    assert!(read(&whole[..end_of_root]).is_ok(), "only white space behind the root was cut");
}

#[test]
fn a_refusal_says_where_the_fault_is() {
    for (name, place) in [
        ("malformed/undefined_entity_in_an_attribute.xml", "line 4, column 5: "),
        ("malformed/undefined_entity_in_a_text.xml", "line 3, column 11: entity `&nbsp;` is not defined"),
        ("malformed/duplicate_attribute.xml", "line 4, column 5: "),
        ("malformed/mismatched_end_tag.xml", "line 7, column 7: "),
        ("malformed/two_roots.xml", "line 11, column 1: something follows the end of the root element"),
        ("malformed/junk_after_the_root.xml", "line 10, column 13: something follows the end of the root element"),
        ("malformed/nul_byte.xml", "line 4, column 75: a NUL byte"),
        ("not_utf8/latin_1_bytes.xml", "line 4, column 71"),
        ("doctype/bare_doctype.xml", "line 2: a DOCTYPE is refused"),
        ("over_limit/33_elements_deep.xml", "line 4: over the limit of 32 elements within each other"),
        ("over_limit/65_attributes.xml", "line 5: over the limit of 64 attributes in an element"),
        ("wrong_root/error_report.xml", "<error>, expected <eventList> or <planList>"),
        ("no_items/no_output.xml", "holds no <output>"),
    ] {
        let refusal = read(&fixtures::bytes(&format!("untrusted/{name}"))).expect_err(name).to_string();
        assert!(refusal.contains(place), "{name}: {refusal}");
    }
}

#[test]
fn a_byte_order_mark_is_refused_even_before_a_sound_feed() {
    let mut document = b"\xEF\xBB\xBF".to_vec();
    document.extend(fixtures::bytes("sound/small.xml"));
    assert_eq!(read(&document), Err(FeedDocumentError::ByteOrderMark));
}
