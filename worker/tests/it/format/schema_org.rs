//! How `schema-org-json` is read.

use worker::provider::{
    format::{self, Conventions, FeedDocumentError},
    item::{BaseEventItem, ParsedFeed, RejectSubject},
};

use super::{event, ids};
use crate::fixtures;

fn read(document: &[u8]) -> Result<ParsedFeed, FeedDocumentError> {
    let conventions = Conventions { time_zone: chrono_tz::Europe::Madrid, currency: "EUR".parse().unwrap() };
    format::find("schema-org-json").unwrap().parse(document, &conventions)
}

fn sound(document: &str) -> Vec<BaseEventItem> {
    let ParsedFeed { base_events, rejects } = read(document.as_bytes()).unwrap();
    assert_eq!(rejects, [], "{document}");
    base_events
}

/// What is wrong with the only event of a document.
fn fault(document: &str) -> (RejectSubject, String) {
    let ParsedFeed { base_events, mut rejects } = read(document.as_bytes()).unwrap();
    assert_eq!((base_events.len(), rejects.len()), (0, 1), "{document}");
    let reject = rejects.remove(0);
    assert!(document[reject.span.clone()].starts_with('{') && document[reject.span].ends_with('}'), "{document}");
    (reject.subject, reject.reason)
}

#[test]
fn events_of_a_series_are_those_of_one_base_event() {
    let base_events = sound(&fixtures::text("schema_org/graph.json"));
    assert_eq!(
        ids(&base_events),
        ["https://jazz.example/weeks/https://jazz.example/weeks/1", "https://jazz.example/weeks/https://jazz.example/weeks/2"]
    );
    let series = &base_events[0];
    assert_eq!(
        (series.title.as_str(), series.sell_mode.as_str()),
        ("Jazz Weeks", "online"),
        "one event of it is cancelled, not all"
    );
    assert_eq!(series.organizer_company_id.as_deref(), Some("12"));
}

#[test]
fn every_property_of_an_event_is_kept() {
    let base_events = sound(&fixtures::text("schema_org/graph.json"));
    let first = event(&base_events[0], "https://jazz.example/weeks/1");
    assert_eq!(first.start.wall_clock, "2031-06-30T21:00:00");
    assert_eq!(first.start.instant.to_utc().unwrap().to_rfc3339(), "2031-06-30T19:00:00+00:00");
    assert_eq!(first.end.as_ref().unwrap().wall_clock, "2031-06-30T23:30:00");
    assert_eq!(first.sell_from.as_ref().unwrap().wall_clock, "2031-01-01");
    let performers: Vec<_> =
        first.performers.iter().map(|performer| (performer.source_id.as_str(), performer.name.as_str())).collect();
    assert_eq!(performers, [("p1", "Señor Ñu & Co"), ("Ada Bell", "Ada Bell")]);
    let venue = first.venue.as_ref().unwrap();
    assert_eq!((venue.source_id.as_str(), venue.latitude, venue.longitude), ("Old Mill", 41.374, 2.169));
    let zones: Vec<_> = first.zones.iter().map(|zone| (zone.source_id.as_str(), zone.price, zone.capacity)).collect();
    assert_eq!(zones, [("A", 2050, Some(40)), ("1", 1000, None), ("1", 9900, None)]);
    assert!(!first.sold_out);

    let second = event(&base_events[0], "https://jazz.example/weeks/2");
    assert_eq!(second.start.wall_clock, "2031-07-01");
    assert_eq!((second.sold_out, &second.venue, second.zones.len()), (true, &None, 1));
}

#[test]
fn an_array_and_a_single_node_are_documents_too() {
    let node = r#"{"@type":"Festival","url":"https://fest.example","name":"Fest","startDate":"2031-08-01"}"#;
    for document in [node.to_owned(), format!("[{node}]"), format!(" {{\"@graph\": [{node}]}}\n")] {
        assert_eq!(ids(&sound(&document)), ["https://fest.example/https://fest.example"], "{document}");
    }
    assert_eq!(sound("[]"), []);
}

#[test]
fn a_cancelled_event_is_not_on_sale() {
    for (status, sell_mode) in [
        ("https://schema.org/EventCancelled", "cancelled"),
        ("schema:EventPostponed", "postponed"),
        ("EventRescheduled", "online"),
    ] {
        let document = format!(r#"[{{"@type":"Event","@id":"1","name":"A","startDate":"2031-08-01","eventStatus":"{status}"}}]"#);
        assert_eq!(sound(&document)[0].sell_mode, sell_mode, "{status}");
    }
}

#[test]
fn a_fault_rejects_its_event_and_says_why() {
    let event = |rest: &str| format!(r#"[{{"@type":"Event","@id":"7","name":"A","startDate":"2031-08-01"{rest}}}]"#);
    let subject = RejectSubject::Event { base_event: "7".to_owned(), event: Some("7".to_owned()) };
    for (rest, reason) in [
        (r#","endDate":"2031-07-31""#, "before the startDate"),
        (r#","offers":{"price":"1.005"}"#, "finer than EUR allows"),
        (r#","offers":{"price":5,"priceCurrency":"USD"}"#, "priceCurrency `USD` is not the provider's EUR"),
        (r#","offers":{"name":"Hall"}"#, "neither price nor lowPrice"),
        (r#","location":{"name":"X","geo":{"latitude":91,"longitude":0}}"#, "latitude `91`"),
        (r#","performer":{"@type":"Person"}"#, "@id, identifier, url or name is missing"),
    ] {
        let (about, told) = fault(&event(rest));
        assert!(about == subject && told.contains(reason), "{rest}: {told}");
    }
    let (about, told) = fault(r#"[{"@type":"Event","@id":"7","name":"A","startDate":"2031-08-01T20:00é"}]"#);
    assert!(about == subject && told.contains("is not of the form"), "{told}");
    let (about, told) = fault(r#"[{"@type":"Event","name":"A"}]"#);
    assert_eq!(
        (about, told.as_str()),
        (RejectSubject::BaseEvent(None), "@id, identifier or url is missing; startDate is missing")
    );
}

#[test]
fn a_node_that_cannot_be_read_or_kept_costs_no_other() {
    let good = r#"{"@type":"Event","@id":"1","name":"Good","startDate":"2031-08-01"}"#;
    let event = |rest: &str| format!(r#"{{"@type":"Event","@id":"2","name":"Bad","startDate":"2031-08-01"{rest}}}"#);
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    for bad in [
        event(r#","name":"half a character \ud83d""#),
        event(r#","offers":{"price":1e999}"#),
        event(&format!(r#","more":{deep}"#)),
        event(r#","organizer":{"@id":"a\u0000b"}"#),
        event(r#","offers":{"@id":"a\u0000b","price":1}"#),
        event(r#","offers":{"price":1,"validFrom":"soon\u0000"}"#),
        event(r#","superEvent":{"@id":"s","name":"a\u001bb"}"#),
        event(r#","superEvent":{"@id":"s","name":"NAME"}"#).replace("NAME", &"x".repeat(1_001)),
    ] {
        let document = format!("[{good},\n{bad}]");
        let ParsedFeed { base_events, rejects } = read(document.as_bytes()).unwrap();
        assert_eq!((ids(&base_events), rejects.len()), (vec!["1/1".to_owned()], 1), "{bad:.200}");
        assert_eq!(document[rejects[0].span.clone()], *bad);
        assert!(!rejects[0].reason.contains(char::is_control), "{}", rejects[0].reason);
    }
}

#[test]
fn a_node_that_is_far_too_long_is_refused_before_it_is_read() {
    let document = format!(r#"[{{"@type":"Event","x":[{}0]}}]"#, "0,".repeat(3_000_000));
    assert_eq!(read(document.as_bytes()).unwrap_err().code(), "over_limit");
}

#[test]
fn a_document_that_is_no_json_of_nodes_is_refused_for_its_reason() {
    for (document, code) in [
        ("", "empty_document"),
        (" \n", "empty_document"),
        ("[{\"@type\":\"Event\"", "truncated"),
        ("{\"@graph\":[", "truncated"),
        ("[{}] more", "malformed"),
        ("{\"@graph\": 7}", "malformed"),
        ("<eventList/>", "wrong_root"),
        ("\"text\"", "wrong_root"),
        (r#"{"error":"rate limited"}"#, "wrong_root"),
        ("\u{feff}[]", "byte_order_mark"),
    ] {
        assert_eq!(read(document.as_bytes()).expect_err(document).code(), code, "{document}");
    }
}

#[test]
fn a_document_that_is_cut_off_anywhere_is_never_taken() {
    let whole = fixtures::bytes("schema_org/graph.json");
    let end = whole.len() - 1;
    for length in 0..end {
        read(&whole[..length]).expect_err("a part is no document");
    }
    assert!(read(&whole[..end]).is_ok(), "only the last line feed was cut");
}
