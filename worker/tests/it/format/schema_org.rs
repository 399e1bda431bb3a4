//! The format `schema-org-json`.

use worker::provider::{
    category::CategoryMap,
    format::{self, Conventions, FeedDocumentError},
    item::{BaseEventItem, Coordinates, FeedWarning, ParsedFeed, RejectSubject},
};

use super::{event, ids};
use crate::fixtures;

fn parse(document: &[u8]) -> Result<ParsedFeed, FeedDocumentError> {
    let (currency, category_map) = ("EUR".parse().unwrap(), CategoryMap::default());
    let conventions = Conventions { time_zone: chrono_tz::Europe::Madrid, currency, category_map };
    format::find("schema-org-json").unwrap().parse(document, &conventions)
}

fn parse_valid(document: &str) -> Vec<BaseEventItem> {
    let ParsedFeed { base_events, rejects, .. } = parse(document.as_bytes()).unwrap();
    assert_eq!(rejects, [], "{document}");
    base_events
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
        ids(&base_events),
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
    assert_eq!((second.sold_out, &second.venue, second.zones.len()), (true, &None, 1));
}

#[test]
fn accepts_an_array_and_a_single_node() {
    let node = r#"{"@type":"Festival","url":"https://fest.example","name":"Fest","startDate":"2031-08-01"}"#;
    for document in [node.to_owned(), format!("[{node}]"), format!(" {{\"@graph\": [{node}]}}\n")] {
        assert_eq!(ids(&parse_valid(&document)), ["https://fest.example/https://fest.example"], "{document}");
    }
    assert_eq!(parse_valid("[]"), []);
}

#[test]
fn maps_the_event_status_to_a_sell_mode() {
    for (status, sell_mode) in [
        ("https://schema.org/EventCancelled", "cancelled"),
        ("schema:EventPostponed", "postponed"),
        ("EventRescheduled", "online"),
    ] {
        let document = format!(r#"[{{"@type":"Event","@id":"1","name":"A","startDate":"2031-08-01","eventStatus":"{status}"}}]"#);
        assert_eq!(parse_valid(&document)[0].sell_mode, sell_mode, "{status}");
    }
}

#[test]
fn rejects_an_event_with_an_error_and_reports_the_reason() {
    let event = |rest: &str| format!(r#"[{{"@type":"Event","@id":"7","name":"A","startDate":"2031-08-01"{rest}}}]"#);
    let subject = RejectSubject::Event { base_event: "7".to_owned(), event: Some("7".to_owned()) };
    for (rest, reason) in [
        (r#","offers":{"price":"1.005"}"#, "`price` must have at most 2 decimal places for EUR, got `1.005`"),
        (r#","offers":{"price":5,"priceCurrency":"USD"}"#, "`priceCurrency` must be the provider's currency EUR, got `USD`"),
        (r#","offers":{"name":"Hall"}"#, "an offer must have `price` or `lowPrice`"),
        (
            r#","location":{"name":"X","geo":{"latitude":91,"longitude":0}}"#,
            "`latitude` must be a number from -90 to 90, got `91`",
        ),
        (r#","performer":{"@type":"Person"}"#, "`@id`, `identifier`, `url` or `name` is missing"),
    ] {
        let (actual, text) = parse_reject(&event(rest));
        assert!(actual == subject && text.contains(reason), "{rest}: {text}");
    }
    let (actual, text) = parse_reject(r#"[{"@type":"Event","@id":"7","name":"A","startDate":"2031-08-01T20:00é"}]"#);
    assert!(actual == subject && text.contains("`startDate` must be a date such as"), "{text}");
    let (actual, text) = parse_reject(r#"[{"@type":"Event","name":"A"}]"#);
    assert_eq!(
        (actual, text.as_str()),
        (RejectSubject::BaseEvent(None), "`@id`, `identifier` or `url` is missing; `startDate` is missing")
    );
}

#[test]
fn an_invalid_end_is_ignored_with_a_warning() {
    for (end, reason) in [
        ("2031-07-31", "the end `2031-07-31` is before the start `2031-08-01`; the event is imported without an end"),
        ("late", "`endDate` must be a date such as 2021-06-30T21:00:00, got `late`; ignored"),
    ] {
        let document = format!(r#"[{{"@type":"Event","@id":"7","name":"A","startDate":"2031-08-01","endDate":"{end}"}}]"#);
        let ParsedFeed { base_events, rejects, warnings } = parse(document.as_bytes()).unwrap();
        assert_eq!((rejects, &base_events[0].events[0].end), (vec![], &None));
        let subject = Some(RejectSubject::Event { base_event: "7".to_owned(), event: Some("7".to_owned()) });
        assert_eq!(warnings.listed, [FeedWarning { position: 1, subject, reason: reason.to_owned() }]);
    }
}

#[test]
fn cleans_names_and_descriptions() {
    let document = r#"[{"@type":"Event","@id":"7","name":" Rock &amp;\n<b>Roll</b>\u0085","startDate":"2031-08-01",
                        "description":"<p>One</p><p>Two</p>"}]"#;
    let base_event = &parse_valid(document)[0];
    assert_eq!(base_event.title, "Rock & Roll…");
    assert_eq!(base_event.details.description.as_deref(), Some("One\n\nTwo"));
}

#[test]
fn rejects_an_invalid_node_and_accepts_the_others() {
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
        event(r#","superEvent":{"@id":"s","name":"NAME"}"#).replace("NAME", &"x".repeat(1_001)),
    ] {
        let document = format!("[{good},\n{bad}]");
        let ParsedFeed { base_events, rejects, .. } = parse(document.as_bytes()).unwrap();
        assert_eq!((ids(&base_events), rejects.len()), (vec!["1/1".to_owned()], 1), "{bad:.200}");
        assert_eq!(document[rejects[0].span.clone()], *bad);
        assert!(!rejects[0].reason.contains(char::is_control), "{}", rejects[0].reason);
    }
}

#[test]
fn rejects_a_document_with_a_node_over_the_limit() {
    let document = format!(r#"[{{"@type":"Event","x":[{}0]}}]"#, "0,".repeat(3_000_000));
    assert_eq!(parse(document.as_bytes()).unwrap_err().code(), "over_limit");
}

#[test]
fn rejects_documents_that_are_not_json_ld_with_their_reason_code() {
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
