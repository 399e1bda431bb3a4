//! What of a feed cannot be taken: where it stands, why, and that the rest goes in.

use worker::provider::{
    format::Locator,
    item::{ParsedFeed, Reject, RejectSubject},
    spool::Spool,
};

use super::{ids, read};
use crate::fixtures;

/// Reads a fixture with one reject and answers it with what else was taken.
fn rejected(name: &str) -> (Reject, Vec<String>) {
    let ParsedFeed { base_events, mut rejects } = read(&fixtures::bytes(&format!("rejects/{name}.xml"))).unwrap();
    assert_eq!(rejects.len(), 1, "{name}: {rejects:?}");
    (rejects.remove(0), ids(&base_events))
}

/// Line and column of a reject, and its element as it stands in the document.
fn place(name: &str, reject: &Reject) -> ((usize, usize), String) {
    let document = fixtures::text(&format!("rejects/{name}.xml"));
    let spool = Spool::from_bytes(document.clone());
    let place = Locator::new(&spool).locate(reject.span.start as u64).unwrap();
    (place, document[reject.span.clone()].to_owned())
}

#[test]
fn a_fault_in_an_event_rejects_that_event_alone() {
    let too_long = "event_id is over the limit of 255 characters";
    for (name, id, reason) in [
        (
            "impossible_date",
            Some("2"),
            "date `2021-09-31T20:00:00`: there is no such day; date `2021-09-31T21:00:00`: there is no such day",
        ),
        ("negative_price", Some("2"), "price `-5.00` is negative"),
        ("price_with_three_decimals", Some("2"), "price `5.005` is finer than EUR allows (2 decimals)"),
        ("one_bad_price_of_three", Some("2"), "price `five` is not a decimal number such as 20.00"),
        ("zone_without_id", Some("2"), "zone_id is missing"),
        ("missing_event_id", None, "event_id or plan_id is missing"),
        ("missing_start", Some("2"), "event_start_date or plan_start_date or event_date is missing"),
        ("end_before_start", Some("2"), "the end `2031-03-02T19:59:59` is before the start `2031-03-02T20:00:00`"),
        ("latitude_beyond_the_pole", Some("2"), "latitude `90.5` is no number of degrees from -90 to 90"),
        ("longitude_that_is_no_number", Some("2"), "longitude `NaN` is no number of degrees from -180 to 180"),
        ("sold_out_neither_true_nor_false", Some("2"), "sold_out `perhaps` is neither true nor false"),
        ("capacity_below_zero", Some("2"), "capacity `-1` is no whole number from 0 to 10000000"),
        ("too_long_id", None, too_long),
        ("control_character_in_a_name", Some("2"), "name holds a control character"),
        ("performer_without_name", Some("2"), "name is missing"),
        ("two_faults_at_once", Some("2"), "date `tomorrow` is not of the form 2021-06-30T21:00:00; price `-5.00` is negative"),
    ] {
        let (reject, taken) = rejected(name);
        assert_eq!(reject.reason, reason, "{name}");
        assert_eq!(reject.subject, RejectSubject::Event { base_event: "2".to_owned(), event: id.map(str::to_owned) }, "{name}");
        let (line_and_column, raw) = place(name, &reject);
        // Behind a comment with a letter of two bytes: columns are characters.
        assert_eq!(line_and_column, (6, 18), "{name}");
        assert!(raw.starts_with("<event ") && (raw.ends_with("/>") || raw.ends_with("</event>")), "{name}: {raw}");
        assert_eq!(taken, ["2/1", "2/3", "1/1"], "{name}: the rest goes in");
    }
}

#[test]
fn an_event_that_stands_twice_is_taken_once_and_rejected_once() {
    let (reject, taken) = rejected("event_twice");
    assert_eq!(reject.reason, "event `1` stands twice in base event `2`: the first one was taken");
    assert_eq!(reject.subject, RejectSubject::Event { base_event: "2".to_owned(), event: Some("1".to_owned()) });
    let (line_and_column, raw) = place("event_twice", &reject);
    assert_eq!((line_and_column, raw.as_str()), ((6, 18), "<event event_id=\"1\" event_date=\"2031-03-02\"/>"));
    assert_eq!(taken, ["2/1", "2/3", "1/1"]);
    let feed = read(&fixtures::bytes("rejects/event_twice.xml")).unwrap();
    assert_eq!(feed.base_events[0].events[0].start.wall_clock, "2031-03-01", "the first of the two is the one");
}

#[test]
fn a_fault_in_a_base_event_rejects_it_with_all_its_events_as_one() {
    for (name, id, reason) in [
        ("missing_title", Some("2"), "title is missing"),
        ("missing_sell_mode", Some("2"), "sell_mode is missing"),
        ("missing_base_event_id", None, "base_event_id or base_plan_id is missing"),
        ("too_long_title", Some("2"), "title is over the limit of 1000 characters"),
        ("base_performer_without_id", Some("2"), "performer_id is missing"),
    ] {
        let (reject, taken) = rejected(name);
        assert_eq!(reject.reason, reason, "{name}");
        assert_eq!(reject.subject, RejectSubject::BaseEvent(id.map(str::to_owned)), "{name}");
        let (line_and_column, raw) = place(name, &reject);
        assert_eq!(line_and_column, (4, 5), "{name}");
        assert!(raw.starts_with("<base_event ") && raw.ends_with("</base_event>"), "{name}: {raw}");
        assert_eq!(taken, ["1/1"], "{name}: the rest goes in");
    }
}

#[test]
fn rejects_stand_in_the_order_of_the_document() {
    let document = "<eventList><output>\
        <base_event base_event_id='1' sell_mode='online' title='One'>\
          <event event_id='1' event_date='2031-01-01'/><event event_id='2' event_date='2031-02-30'/>\
        </base_event>\
        <base_event base_event_id='2' sell_mode='online'/>\
        <base_event base_event_id='1' sell_mode='online' title='One'>\
          <event event_id='1' event_date='2031-01-01'/><event event_id='3' event_date='2031-02-30'/>\
        </base_event></output></eventList>";
    let feed = read(document.as_bytes()).unwrap();
    assert!(feed.rejects.is_sorted_by_key(|reject| reject.span.start), "{:?}", feed.rejects);
    let reasons: Vec<&str> = feed.rejects.iter().map(|reject| reject.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "date `2031-02-30`: there is no such day",
            "title is missing",
            "event `1` stands twice in base event `1`: the first one was taken",
            "date `2031-02-30`: there is no such day",
        ]
    );
    assert_eq!(ids(&feed.base_events), ["1/1"]);
}

#[test]
fn a_reason_stays_small_however_much_is_wrong() {
    let long = "9".repeat(60_000);
    let zones = "<zone zone_id='1' price='-1'/>".repeat(100);
    for (what, event) in [
        ("a long date", format!("<event event_id='1' event_date='{long}'/>")),
        ("a long clock", format!("<event event_id='1' event_date='2031-01-01T{long}'/>")),
        ("a long price", format!("<event event_id='1' event_date='2031-01-01'><zone zone_id='1' price='{long}'/></event>")),
        ("a long boolean", format!("<event event_id='1' event_date='2031-01-01' sold_out='{long}'/>")),
        (
            "a long latitude",
            format!(
                "<event event_id='1' event_date='2031-01-01'><venue venue_id='1' name='A' latitude='{long}' longitude='0'/></event>"
            ),
        ),
        ("a hundred faults", format!("<event event_id='1' event_date='2031-01-01'>{zones}</event>")),
    ] {
        let document = format!(
            "<eventList><output><base_event base_event_id='1' sell_mode='online' title='A'>{event}</base_event></output></eventList>"
        );
        let feed = read(document.as_bytes()).unwrap();
        assert_eq!(feed.rejects.len(), 1, "{what}");
        let length = feed.rejects[0].reason.len();
        assert!(length < 2_000, "{what}: the reason is {length} bytes long");
    }
}
