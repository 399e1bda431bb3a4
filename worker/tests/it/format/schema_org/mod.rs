//! The formats `schema-org-json` and `schema-org-html`.

mod details;
mod graph;
mod json_lines;
mod mentions;
mod offers;
mod page;
mod schedule;
mod shapes;

use entity::EventStatus;
use worker::provider::{
    format::{self, FeedDocumentError},
    item::{BaseEventItem, Coordinates, ParsedFeed, RejectSubject},
};

use super::{conventions, event, ids as event_ids};
use crate::fixtures;

fn parse(document: &[u8]) -> Result<ParsedFeed, FeedDocumentError> {
    format::find("schema-org-json").unwrap().parse(document, &conventions())
}

/// Parses a document without rejects and warnings.
fn parse_valid(document: &str) -> Vec<BaseEventItem> {
    let ParsedFeed { base_events, rejects, warnings, .. } =
        parse(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"));
    assert_eq!((rejects, warnings.listed), (vec![], vec![]), "{document}");
    base_events
}

/// Parses an event that has at least these properties, and returns it with the warnings.
fn read_event(properties: &str) -> (BaseEventItem, Vec<String>) {
    // Of a repeated key, the last value counts.
    let document = format!(r#"[{{"@type":"Event","@id":"7","name":"A","startDate":"2031-08-01T20:00",{properties}}}]"#);
    let ParsedFeed { mut base_events, rejects, warnings, .. } = parse(document.as_bytes()).unwrap();
    assert_eq!((base_events.len(), rejects), (1, vec![]), "{document}");
    let warnings = warnings.listed.into_iter().map(|warning| {
        assert!(warning.subject.is_some() && warning.position == 1, "{warning:?}");
        warning.reason
    });
    (base_events.remove(0), warnings.collect())
}

fn titles(base_events: &[BaseEventItem]) -> Vec<&str> {
    base_events.iter().map(|base_event| base_event.title.as_str()).collect()
}

/// The subject and reason of the only reject of a document without valid events.
fn parse_reject(document: &str) -> (RejectSubject, String) {
    let ParsedFeed { base_events, mut rejects, .. } = parse(document.as_bytes()).unwrap();
    assert_eq!((base_events.len(), rejects.len()), (0, 1), "{document}");
    let reject = rejects.remove(0);
    assert!(document[reject.span.clone()].starts_with('{') && document[reject.span].ends_with('}'), "{document}");
    (reject.subject, reject.reason)
}

#[test]
fn groups_the_events_of_a_series_under_one_base_event() {
    let base_events = parse_valid(&fixtures::text("schema_org/graph.json"));
    assert_eq!(
        event_ids(&base_events),
        ["https://jazz.example/weeks/https://jazz.example/weeks/1", "https://jazz.example/weeks/https://jazz.example/weeks/2"]
    );
    let series = &base_events[0];
    assert_eq!(
        (series.title.as_str(), series.sell_mode.as_str()),
        ("Jazz Weeks", "online"),
        "only one of its events is cancelled"
    );
    assert_eq!(series.organizer_company_id.as_deref(), Some("12"));
}

#[test]
fn reads_every_property_of_an_event() {
    let base_events = parse_valid(&fixtures::text("schema_org/graph.json"));
    let first = event(&base_events[0], "https://jazz.example/weeks/1");
    assert_eq!(first.start.wall_clock, "2031-06-30T21:00:00");
    assert_eq!(first.start.instant.to_utc().unwrap().to_rfc3339(), "2031-06-30T19:00:00+00:00");
    assert_eq!(first.end.as_ref().unwrap().wall_clock, "2031-06-30T23:30:00");
    assert_eq!(first.sell_from.as_ref().unwrap().wall_clock, "2031-01-01");
    let performers: Vec<_> =
        first.performers.iter().map(|performer| (performer.source_id.as_str(), performer.name.as_str())).collect();
    assert_eq!(performers, [("p1", "Señor Ñu & Co"), ("Ada Bell", "Ada Bell")]);
    let venue = first.venue.as_ref().unwrap();
    assert_eq!(venue.source_id, "Old Mill");
    assert_eq!(venue.coordinates, Some(Coordinates { latitude: 41.374, longitude: 2.169 }));
    let zones: Vec<_> = first.zones.iter().map(|zone| (zone.source_id.as_str(), zone.price, zone.capacity)).collect();
    assert_eq!(zones, [("A", 2050, Some(40)), ("1", 1000, None), ("1", 9900, None)]);
    assert!(!first.sold_out);

    let second = event(&base_events[0], "https://jazz.example/weeks/2");
    assert_eq!(second.start.wall_clock, "2031-07-01");
    let venue = second.venue.as_ref().unwrap();
    assert_eq!((venue.name.as_str(), venue.coordinates), ("A place without coordinates", None));
    assert_eq!((second.sold_out, second.status, second.zones.len()), (true, EventStatus::Cancelled, 1));
}

#[test]
fn only_id_start_and_title_reject_an_event() {
    let subject = RejectSubject::Event { base_event: "7".to_owned(), event: Some("7".to_owned()) };
    for (event, expected, reason) in [
        (r#""@id":"7","name":"A","startDate":"2031-08-01T20:00é""#, &subject, "`startDate` must be a date such as"),
        (r#""@id":"7","name":"A","startDate":"2031-02-30""#, &subject, "`2031-02-30`"),
        (r#""@id":"7","name":"A""#, &subject, "`startDate` is missing"),
        (r#""@id":"7","startDate":"2031-08-01""#, &subject, "`name` is missing"),
        (r#""@id":"7","name":"<b></b>","startDate":"2031-08-01""#, &subject, "`name` must have a text"),
        (
            r#""@id":"7","name":"half a character \ud83d","startDate":"2031-08-01""#,
            &subject,
            "`name` must be a text with valid escapes",
        ),
        (r#""@id":"7","name":"LONG","startDate":"2031-08-01""#, &subject, "`name` must have at most 1000 characters, got 1001"),
        (r#""name":"A""#, &RejectSubject::BaseEvent(None), "`@id`, `identifier` or `url` is missing; `startDate` is missing"),
        (
            r#""@id":"a\u0000b","name":"A","startDate":"2031-08-01""#,
            &RejectSubject::BaseEvent(None),
            "`@id` must not contain control",
        ),
        (
            r#""@id":"_:b7","name":"A","startDate":"2031-08-01","superEvent":"Run""#,
            &RejectSubject::Event { base_event: "Run".to_owned(), event: None },
            "`@id`, `identifier` or `url` is missing",
        ),
    ] {
        let (actual, text) = parse_reject(&format!(r#"[{{"@type":"Event",{event}}}]"#).replace("LONG", &"x".repeat(1_001)));
        assert!(actual == *expected && text.contains(reason), "{event}: {actual:?} {text}");
    }
}

#[test]
fn unreadable_parts_do_not_affect_others() {
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let huge = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    for (rest, warnings) in [
        (format!(r#","more":{deep}"#), 0),
        (r#","offers":{"price":1e999}"#.to_owned(), 1),
        (r#","organizer":{"@id":"a\u0000b","name":"Friends"}"#.to_owned(), 1),
        (r#","offers":{"@id":"a\u0000b","price":1}"#.to_owned(), 1),
        (r#","offers":{"price":1,"validFrom":"soon\u0000"}"#.to_owned(), 1),
        (r#","description":"half a character \ud83d""#.to_owned(), 1),
        (format!(r#","description":{huge}"#), 1),
        (r#","superEvent":{"@id":"s","name":"NAME"}"#.replace("NAME", &"x".repeat(1_001)), 1),
        (r#","superEvent":{"\ud83d":1}"#.to_owned(), 0),
    ] {
        let document = format!(r#"[{{"@type":"Event","@id":"2","name":"A","startDate":"2031-08-01"{rest}}}]"#);
        let ParsedFeed { base_events, rejects, warnings: actual, .. } = parse(document.as_bytes()).unwrap();
        assert_eq!((base_events.len(), rejects.len(), actual.count), (1, 0, warnings), "{rest:.200} {actual:?}");
        assert!(actual.listed.iter().all(|warning| !warning.reason.contains(char::is_control)), "{actual:?}");
    }
}

#[test]
fn rejects_a_document_over_a_limit() {
    let many = format!(r#"[{{"@type":"Event","x":[{}0]}}]"#, "0,".repeat(5_000_000));
    let nested = format!("[{}0]", "[[[[[[[[[[0]]]]]]]]]],".repeat(500_000));
    let night =
        |id| format!(r##"{{"@type":"Event","@id":"{id}","name":"A","startDate":"2031-08-01","offers":{{"@id":"#o"}}}},"##);
    let nights: Vec<String> = (0..3_000).map(night).collect();
    let offers: Vec<String> = (0..1_000).map(|price| format!(r#"{{"price":{price}}}"#)).collect();
    let repeated = format!(r##"[{}{{"@id":"#o","offers":[{}]}}]"##, nights.concat(), offers.join(","));
    for (document, what) in [(many, "values"), (nested, "values"), (repeated, "items in a feed")] {
        let error = parse(document.as_bytes()).unwrap_err();
        assert!(matches!(error, FeedDocumentError::OverLimit { line: 1, what: actual, .. } if actual == what), "{error}");
    }
}

#[test]
fn rejects_documents_that_are_not_json_ld_with_their_reason_code() {
    for (document, code) in [
        ("", "empty_document"),
        (" \n", "empty_document"),
        ("[{\"@type\":\"Event\"", "truncated"),
        ("{\"@graph\":[", "truncated"),
        ("[{}] more", "malformed"),
        ("[{\"a\": 1,}]", "malformed"),
        ("[{\"a\": \"first\nsecond\"}]", "malformed"),
        ("{\"@graph\": 7}", "no_items"),
        ("<eventList/>", "wrong_root"),
        ("\"text\"", "wrong_root"),
    ] {
        assert_eq!(parse(document.as_bytes()).expect_err(document).code(), code, "{document}");
    }
}

#[test]
fn rejects_a_document_truncated_at_any_byte() {
    let whole = fixtures::bytes("schema_org/graph.json");
    let end = whole.len() - 1;
    for length in 0..end {
        parse(&whole[..length]).expect_err("a part must be rejected");
    }
    assert!(parse(&whole[..end]).is_ok(), "only the last line feed is missing");
}
