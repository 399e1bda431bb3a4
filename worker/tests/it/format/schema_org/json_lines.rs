//! Several documents in one: JSON Lines.

use worker::provider::format::FeedDocumentError;

use super::{parse, parse_valid, titles};

/// An event on one line.
fn line(id: u8) -> String {
    format!(r#"{{"@type":"Event","@id":"{id}","name":"Night {id}","startDate":"2031-08-0{id}"}}"#)
}

#[test]
fn every_line_is_a_document_of_one_feed() {
    let [one, two] = [line(1), line(2)];
    for document in [
        format!("{one}\n{two}"),
        format!("{one}\r\n{two}\r\n"),
        format!("\n{one}\n\n \n{two}\n\n"),
        format!("[{one}]\n[{two}]\n"),
        format!("{{\"@graph\":[{one}]}}\n{two}\n[]"),
        format!("{one}\n{}\n", two.replace(',', ",\n  ")),
    ] {
        assert_eq!(titles(&parse_valid(&document)), ["Night 1", "Night 2"], "{document}");
    }
}

#[test]
fn a_line_may_refer_to_another() {
    let event = line(1).replace('}', r##","location":{"@id":"#mill"}}"##);
    let base_events = parse_valid(&format!("{event}\n{}\n", r##"{"@type":"Place","@id":"#mill","name":"Old Mill"}"##));
    assert_eq!(base_events[0].events[0].venue.as_ref().unwrap().name, "Old Mill");
}

#[test]
fn rejected_items_have_their_position_in_the_document() {
    let document = format!("{}\n{}\n", line(1), line(2).replace("2031-08-02", "soon"));
    let feed = parse(document.as_bytes()).unwrap();
    assert_eq!((titles(&feed.base_events), feed.rejects.len()), (vec!["Night 1"], 1));
    assert_eq!(document[feed.rejects[0].span.clone()], document.lines().nth(1).unwrap()[..]);
}

#[test]
fn a_document_with_an_invalid_line_is_rejected_with_its_position() {
    let valid = line(1);
    for (second, position, detail) in [
        ("{\"a\": 1,}", Some((2, 9)), "not valid JSON"),
        ("{\"a\": é}", Some((2, 7)), "not valid JSON"),
        ("<br/>", Some((2, 1)), "not valid JSON"),
        ("null", Some((2, 1)), "must be an object or an array of nodes, got `null`"),
        ("\"text\"", Some((2, 1)), "must be an object or an array of nodes, got `\"text\"`"),
        ("{} {}", Some((2, 4)), "must begin on another line"),
        ("{},", Some((2, 3)), "not valid JSON"),
        ("{\"a\": [", None, ""),
    ] {
        match (parse(format!("{valid}\n{second}\n").as_bytes()).unwrap_err(), position) {
            (FeedDocumentError::Malformed { line, column, detail: actual }, Some(expected)) => {
                assert!((line, column) == expected && actual.contains(detail), "{second}: {line}, {column}: {actual}");
            }
            (error, position) => assert_eq!((error, position), (FeedDocumentError::Truncated, None), "{second}"),
        }
    }
}

#[test]
fn the_limit_of_values_is_that_of_all_lines_together() {
    let error = parse(format!("{}\n{}", line(1), "{}\n".repeat(4_000_000)).as_bytes()).unwrap_err();
    assert!(matches!(error, FeedDocumentError::OverLimit { line, what: "values", .. } if line > 3_999_000), "{error}");
}
