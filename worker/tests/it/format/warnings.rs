//! Warnings reject nothing: unknown elements that resemble known ones, and control characters.

use worker::provider::{format::Locator, item::ParsedFeed, spool::Spool};

use super::parse;
use crate::fixtures;

/// `sound/performers_and_venue.xml` with a changed part, and its warnings with their lines and columns.
fn parse_changed(original: &str, changed: &str) -> (ParsedFeed, Vec<String>) {
    let document = fixtures::text("sound/performers_and_venue.xml");
    assert!(document.contains(original), "{original}");
    let document = document.replacen(original, changed, 1);
    let feed = parse(document.as_bytes()).unwrap_or_else(|error| panic!("{changed}: {error}"));
    assert_eq!(feed.warnings.count, feed.warnings.listed.len());
    let (spool, mut warnings) = (Spool::from_bytes(document.clone()), Vec::new());
    let mut locator = Locator::new(&spool);
    for warning in &feed.warnings.listed {
        let start = &document[warning.position..];
        let (line, column) = locator.locate(warning.position as u64).unwrap();
        assert_eq!(document.lines().nth(line - 1).unwrap().chars().nth(column - 1), start.chars().next());
        warnings.push(warning.reason.clone());
    }
    (feed, warnings)
}

#[test]
fn an_unknown_element_that_resembles_a_known_one_results_in_a_warning() {
    for (changed, name, similar) in [
        ("<zoen/>", "zoen", "zone"),
        ("<Zone/>", "Zone", "zone"),
        ("<zo>text</zo>", "zo", "zone"),
        ("<zones><zone zone_id=\"1\" price=\"1\"/></zones>", "zones", "zone"),
        ("<perfromers/>", "perfromers", "performer"),
        ("<vnue venue_id=\"7\"/>", "vnue", "venue"),
        ("<x:vevnue xmlns:x=\"u\"/>", "vevnue", "venue"),
        ("<garbled zone_id=\"1\" price=\"6.00\"/>", "garbled", "zone"),
        ("<garbled venue_id=\"1\" name=\"Hall\"/>", "garbled", "venue"),
    ] {
        let (feed, warnings) = parse_changed("<venue ", &format!("{changed}<venue "));
        assert_eq!(warnings, [format!("unknown element `<{name}>` is ignored; did you mean `<{similar}>`?")], "{changed}");
        assert_eq!(feed.rejects, [], "{changed}");
    }
}

#[test]
fn elements_around_events_result_in_warnings_too() {
    for (place, changed, expected) in [
        ("</base_event>", "<evnt/>", "unknown element `<evnt>` is ignored; did you mean `<event>`?"),
        (
            "</base_event>",
            "<e2 event_id=\"9\" event_date=\"2031-01-01\"/>",
            "unknown element `<e2>` is ignored; did you mean `<event>`?",
        ),
        ("</output>", "<base_evnet/>", "unknown element `<base_evnet>` is ignored; did you mean `<base_event>`?"),
    ] {
        assert_eq!(parse_changed(place, &format!("{changed}{place}")).1, [expected], "{changed}");
    }
}

#[test]
fn other_unknown_elements_and_attributes_are_ignored_without_a_warning() {
    for changed in [
        "<tag>folk</tag>",
        "<seat_map zone_id=\"1\"/>",
        "<promoter venue_id=\"7\"><zone/></promoter>",
        "<zone_plan zone_idx=\"1\"/>",
    ] {
        assert_eq!(parse_changed("<venue ", &format!("{changed}<venue ")).1, [""; 0], "{changed}");
    }
    assert_eq!(parse(&fixtures::bytes("sound/decorated.xml")).unwrap().warnings.listed, []);
}

#[test]
fn control_characters_are_replaced_or_removed_with_a_warning() {
    for (value, expected) in [
        ("Don&#146;t look", "Don’t look"),
        ("Don\u{92}t look", "Don’t look"),
        ("two&#10;&#9; lines&#13;", "two lines"),
        ("d&#127;e&#x81;l\u{7f}", "del"),
        ("ver\u{b}tical\u{1f}", "ver tical"),
    ] {
        let (feed, warnings) = parse_changed("title=\"", &format!("title=\"{value} "));
        assert_eq!(warnings, ["control characters in `title` were replaced or removed"], "{value:?}");
        let title = &feed.base_events[0].title;
        assert!(title.starts_with(&format!("{expected} ")), "{value:?}: {title}");
    }
    // The white space of the document itself is normalized by XML.
    let (feed, warnings) = parse_changed("title=\"", "title=\"two\n\tlines ");
    assert_eq!((warnings, feed.base_events[0].title.starts_with("two lines ")), (vec![], true));
}

#[test]
fn a_reference_that_xml_does_not_define_is_read_as_text_with_a_warning() {
    for (value, expected, reason) in [
        ("Rock & Roll", "Rock & Roll", "has `&`, which is not a reference in XML; read as text"),
        ("A&B", "A&B", "has `&`, which is not a reference in XML; read as text"),
        ("Caf&eacute;&nbsp;Sol", "Café Sol", "has `&eacute;`, which is not a reference in XML; read as text"),
        ("Back&#8;space", "Backspace", "has `&#8;`, which is not allowed in XML; removed"),
    ] {
        let (feed, warnings) = parse_changed("title=\"", &format!("title=\"{value} "));
        assert_eq!(warnings, [format!("`title` {reason}")], "{value:?}");
        assert_eq!(feed.rejects, [], "{value}");
        let title = &feed.base_events[0].title;
        assert!(title.starts_with(&format!("{expected} ")), "{value:?}: {title}");
    }
    let (feed, warnings) = parse_changed("sell_mode=", "url=\"https://a.example/?a=1&b=2&copy=3\" sell_mode=");
    assert_eq!(feed.base_events[0].details.url.as_deref(), Some("https://a.example/?a=1&b=2&copy=3"));
    assert_eq!(warnings.len(), 1);
}

#[test]
fn a_thousand_warnings_are_listed_and_all_are_counted() {
    let document = fixtures::text("sound/small.xml").replacen("<zone ", &format!("{}<zone ", "<zoen/>".repeat(1_500)), 1);
    let warnings = parse(document.as_bytes()).unwrap().warnings;
    assert_eq!((warnings.count, warnings.listed.len()), (1_500, 1_000));
}
