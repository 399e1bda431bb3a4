//! Invalid items are rejected with their position and reason; all others are accepted.

use worker::provider::{
    format::Locator,
    item::{ParsedFeed, RejectSubject, RejectedItem},
    spool::Spool,
};

use super::{ids, parse};
use crate::fixtures;

/// Parses a fixture with one reject; returns it and the accepted ids.
fn parse_with_reject(name: &str) -> (RejectedItem, Vec<String>) {
    let ParsedFeed { base_events, mut rejects, .. } = parse(&fixtures::bytes(&format!("rejects/{name}.xml"))).unwrap();
    assert_eq!(rejects.len(), 1, "{name}: {rejects:?}");
    (rejects.remove(0), ids(&base_events))
}

/// Line and column of a reject, and the text of its element.
fn locate(name: &str, reject: &RejectedItem) -> ((usize, usize), String) {
    let document = fixtures::text(&format!("rejects/{name}.xml"));
    let spool = Spool::from_bytes(document.clone());
    let position = Locator::new(&spool).locate(reject.span.start as u64).unwrap();
    (position, document[reject.span.clone()].to_owned())
}

#[test]
fn rejects_only_the_event_with_an_error() {
    let too_long = "`event_id` must have at most 255 characters, got 256";
    for (name, id, reason) in [
        ("impossible_date", Some("2"), "`event_start_date` must be an existing date, got `2021-09-31T20:00:00`"),
        ("missing_event_id", None, "`event_id` or `plan_id` is missing"),
        ("missing_start", Some("2"), "`event_start_date`, `plan_start_date` or `event_date` is missing"),
        ("start_that_means_none", Some("2"), "`event_start_date`, `plan_start_date` or `event_date` is missing"),
        ("too_long_id", None, too_long),
        (
            "two_errors",
            None,
            "`event_id` or `plan_id` is missing; `event_date` must be a date such as 2021-06-30T21:00:00, got `tomorrow`",
        ),
    ] {
        let (reject, accepted) = parse_with_reject(name);
        assert_eq!(reject.reason, reason, "{name}");
        assert_eq!(reject.subject, RejectSubject::Event { base_event: "2".to_owned(), event: id.map(str::to_owned) }, "{name}");
        let (line_and_column, raw) = locate(name, &reject);
        // After a comment with a two-byte character: columns count characters.
        assert_eq!(line_and_column, (6, 18), "{name}");
        assert!(raw.starts_with("<event ") && (raw.ends_with("/>") || raw.ends_with("</event>")), "{name}: {raw}");
        assert_eq!(accepted, ["2/1", "2/3", "1/1"], "{name}: the others are accepted");
    }
}

#[test]
fn accepts_the_last_of_two_events_with_the_same_id_with_a_warning() {
    let document = fixtures::text("details/duplicate_event.xml");
    let feed = parse(document.as_bytes()).unwrap();
    assert_eq!((ids(&feed.base_events), feed.rejects), (["2/1", "2/3", "1/1"].map(str::to_owned).to_vec(), vec![]));
    assert_eq!(feed.base_events[0].events[0].start.wall_clock, "2031-03-02", "the last one is accepted");
    let warning = &feed.warnings.listed[0];
    assert_eq!(warning.reason, "event `1` occurs again in base event `2`; this entry is ignored, and the last one imported");
    let subject = RejectSubject::Event { base_event: "2".to_owned(), event: Some("1".to_owned()) };
    assert_eq!((feed.warnings.count, &warning.subject), (1, &Some(subject)));
    assert!(document[warning.position..].starts_with("<event event_id=\"1\" event_date=\"2031-03-01\"/>"));
}

#[test]
fn the_last_element_of_a_base_event_replaces_its_fields() {
    let element = |title: &str, rest: &str, event: &str| {
        format!(
            "<base_event base_event_id='1' sell_mode='online' title='{title}'{rest}><event event_id='{event}' event_date='2031-01-01'/></base_event>"
        )
    };
    let first = element("First", " organizer_company_id='7' url='https://x.example'", "1");
    let document = format!("<eventList><output>{first}{}</output></eventList>", element("Second", "", "2"));
    let feed = parse(document.as_bytes()).unwrap();
    let base_event = &feed.base_events[0];
    assert_eq!((ids(&feed.base_events), base_event.title.as_str()), (vec!["1/1".to_owned(), "1/2".to_owned()], "Second"));
    assert_eq!((&base_event.organizer_company_id, &base_event.details.url), (&None, &None));
}

#[test]
fn rejects_a_base_event_with_an_error_and_all_its_events() {
    for (name, id, reason) in [
        ("missing_title", Some("2"), "`title` is missing"),
        ("missing_sell_mode", Some("2"), "`sell_mode` is missing"),
        ("missing_base_event_id", None, "`base_event_id` or `base_plan_id` is missing"),
        ("too_long_title", Some("2"), "`title` must have at most 1000 characters, got 1001"),
    ] {
        let (reject, accepted) = parse_with_reject(name);
        assert_eq!(reject.reason, reason, "{name}");
        assert_eq!(reject.subject, RejectSubject::BaseEvent(id.map(str::to_owned)), "{name}");
        let (line_and_column, raw) = locate(name, &reject);
        assert_eq!(line_and_column, (4, 5), "{name}");
        assert!(raw.starts_with("<base_event ") && raw.ends_with("</base_event>"), "{name}: {raw}");
        assert_eq!(accepted, ["1/1"], "{name}: the others are accepted");
    }
}

#[test]
fn sorts_rejects_in_document_order() {
    let document = "<eventList><output>\
        <base_event base_event_id='1' sell_mode='online' title='One'>\
          <event event_id='1' event_date='2031-01-01'/><event event_id='2' event_date='2031-02-30'/>\
        </base_event>\
        <base_event base_event_id='2' sell_mode='online'/>\
        <base_event base_event_id='1' sell_mode='online' title='One'>\
          <event event_id='1' event_date='2031-01-01'/><event event_id='3' event_date='2031-02-30'/>\
        </base_event></output></eventList>";
    let feed = parse(document.as_bytes()).unwrap();
    assert!(feed.rejects.is_sorted_by_key(|reject| reject.span.start), "{:?}", feed.rejects);
    let reasons: Vec<&str> = feed.rejects.iter().map(|reject| reject.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "`event_date` must be an existing date, got `2031-02-30`",
            "`title` is missing",
            "`event_date` must be an existing date, got `2031-02-30`",
        ]
    );
    assert_eq!(ids(&feed.base_events), ["1/1"]);
}

#[test]
fn limits_the_length_of_a_reason() {
    let long = "9".repeat(60_000);
    for (what, event) in [
        ("a long date", format!("<event event_id='1' event_date='{long}'/>")),
        ("a long clock", format!("<event event_id='1' event_date='2031-01-01T{long}'/>")),
        ("a long id", format!("<event event_id='{long}' event_date='{long}'/>")),
    ] {
        let document = format!(
            "<eventList><output><base_event base_event_id='1' sell_mode='online' title='A'>{event}</base_event></output></eventList>"
        );
        let feed = parse(document.as_bytes()).unwrap();
        assert_eq!(feed.rejects.len(), 1, "{what}");
        let length = feed.rejects[0].reason.len();
        assert!(length < 2_000, "{what}: the reason is {length} bytes long");
    }
}
