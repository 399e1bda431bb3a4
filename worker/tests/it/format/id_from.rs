//! Ids that are read from another property of the provider.

use worker::provider::{
    format::{self, Conventions},
    item::{ParsedFeed, RejectSubject},
};

use super::{conventions, ids};

fn parse(format: &str, id_from: &str, document: &str) -> ParsedFeed {
    let format = format::find(format).unwrap();
    let id_from = format.accept_id_from(&id_from.parse().unwrap()).unwrap();
    format.parse(document.as_bytes(), &Conventions { id_from, ..conventions() }).unwrap()
}

/// An event with these properties in JSON-LD.
fn node(properties: &str) -> String {
    format!(r#"{{"@type":"Event","name":"Jazz","startDate":"2031-07-01T20:00",{properties}}}"#)
}

fn parse_nodes(id_from: &str, nodes: &[String]) -> ParsedFeed {
    parse("schema-org-json", id_from, &format!("[{}]", nodes.join(",")))
}

/// A VEVENT with these lines.
fn vevent(lines: &str) -> String {
    format!("BEGIN:VEVENT\nSUMMARY:Jam\n{lines}\nEND:VEVENT\n")
}

fn parse_calendar(id_from: &str, vevents: &[String]) -> ParsedFeed {
    parse("icalendar", id_from, &format!("BEGIN:VCALENDAR\nVERSION:2.0\n{}END:VCALENDAR\n", vevents.concat()))
}

#[test]
fn a_path_leads_to_a_value() {
    for (id_from, properties) in [
        ("identifier", r#""@id":"a","identifier":7"#),
        ("identifier", r#""identifier":{"@type":"PropertyValue","value":"7"}"#),
        ("identifier.value", r#""identifier":[{"propertyID":"x"},{"value":7}]"#),
        ("offers.sku", r#""offers":[{"price":5},{"sku":"7"}]"#),
        ("@id", r#""@id":"7","identifier":"a""#),
        ("url", r#""@id":"a","https://schema.org/url":"7""#),
        ("location.branchCode", r##""location":{"@id":"#hall"}},{"@id":"#hall","@type":"Place","name":"Hall","branchCode":7"##),
    ] {
        let feed = parse_nodes(id_from, &[node(properties)]);
        assert_eq!(feed.rejects, [], "{id_from}");
        assert_eq!(ids(&feed.base_events), ["7/7#2031-07-01T20:00:00"], "{id_from}");
    }
}

#[test]
fn dates_with_one_value_are_events_of_one_base_event() {
    let later = node(r#""sku":"7""#).replace("2031-07-01", "2031-07-02");
    let feed = parse_nodes("sku", &[node(r#""@id":"a","sku":"7""#), later]);
    assert_eq!(ids(&feed.base_events), ["7/7#2031-07-01T20:00:00", "7/7#2031-07-02T20:00:00"]);
}

#[test]
fn an_event_without_the_property_is_rejected() {
    for properties in [r#""@id":"a""#, r#""@id":"a","sku":"""#, r#""@id":"a","sku":null"#] {
        let reject = parse_nodes("sku", &[node(properties)]).rejects.remove(0);
        assert_eq!(reject.subject, RejectSubject::BaseEvent(None));
        assert_eq!(reject.reason, "`sku` is missing, which is the `id_from` of the provider");
    }
    let blank_node = parse_nodes("@id", &[node(r#""@id":"_:b0","sku":"7""#)]);
    assert!(blank_node.rejects[0].reason.starts_with("`@id` is missing"));
    let no_uid = parse_calendar("URL", &[vevent("UID:1\nDTSTART:20310701T200000")]);
    assert_eq!(no_uid.rejects[0].reason, "`URL` is missing, which is the `id_from` of the provider");
}

#[test]
fn series_performers_and_venues_have_the_property_or_their_usual_id() {
    let properties = r##""sku":"7","superEvent":{"@id":"#s","name":"Nights","sku":"nights"},
        "performer":[{"@id":"#p1","sku":"p1","name":"A"},{"@id":"#p2","name":"B"}],"location":{"@id":"#v","sku":"v","name":"C"}"##;
    let base_event = parse_nodes("sku", &[node(properties)]).base_events.remove(0);
    let event = &base_event.events[0];
    assert_eq!((base_event.source_id.as_str(), event.source_id.as_str()), ("nights", "7#2031-07-01T20:00:00"));
    let performers: Vec<&str> = event.performers.iter().map(|performer| performer.source_id.as_str()).collect();
    assert_eq!((performers, event.venue.as_ref().unwrap().source_id.as_str()), (vec!["p1", "#p2"], "v"));
}

#[test]
fn calendars_have_one_property() {
    let events = [
        vevent("UID:changes\nX-Event-ID:7\nDTSTART:20310701T200000"),
        vevent("X-EVENT-ID:7\nDTSTART:20310702T200000"),
        vevent("UID:series\nX-EVENT-ID:8\nDTSTART:20310801T200000\nRRULE:FREQ=DAILY;COUNT=2"),
        vevent("UID:series\nRECURRENCE-ID:20310802T200000\nDTSTART:20310802T210000"),
    ];
    let feed = parse_calendar("x-event-id", &events);
    assert_eq!(feed.rejects, []);
    let expected = ["7/7/20310701T180000Z", "7/7/20310702T180000Z", "8/8/20310801T180000Z", "8/8/20310802T180000Z"];
    assert_eq!(ids(&feed.base_events), expected);
    assert_eq!(feed.base_events[1].events[1].start.wall_clock, "2031-08-02T21:00:00", "the override has the UID of its series");

    // The UID is the usual one.
    assert_eq!(ids(&parse_calendar("uid", &[vevent("UID:1\nDTSTART:20310701T200000")]).base_events), ["1/1"]);
}
