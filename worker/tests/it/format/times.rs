//! Dates and times on the venue's clock.

use chrono_tz::Tz;
use worker::provider::item::EventItem;

use super::parse;

/// The only event of a provider in Madrid, with these attributes and children. The second element is the number of warnings.
fn parse_event(attributes: &str, children: &str) -> (EventItem, usize) {
    let document = format!(
        "<eventList><output><base_event base_event_id='1' sell_mode='online' title='A'><event event_id='1' {attributes}>{children}\
         </event></base_event></output></eventList>"
    );
    let mut feed = parse(document.as_bytes()).unwrap();
    assert_eq!(feed.rejects, [], "{attributes}");
    (feed.base_events.remove(0).events.remove(0), feed.warnings.count)
}

fn start(event: &EventItem) -> (&str, String) {
    (&event.start.wall_clock, event.start.instant.to_utc().unwrap().to_rfc3339())
}

#[test]
fn a_time_without_an_offset_is_on_the_venues_clock() {
    for (venue, zone, instant) in [
        ("", None, "2031-07-04T18:00:00+00:00"),
        ("<venue venue_id='1' name='Sea' latitude='0' longitude='0'/>", None, "2031-07-04T18:00:00+00:00"),
        (
            "<venue venue_id='1' name='Pier' latitude='28.124' longitude='-15.436'/>",
            Some(Tz::Atlantic__Canary),
            "2031-07-04T19:00:00+00:00",
        ),
        ("<venue venue_id='1' name='Hall' time_zone='Asia/Tokyo'/>", Some(Tz::Asia__Tokyo), "2031-07-04T11:00:00+00:00"),
        (
            "<venue venue_id='1' name='Hall' time_zone='Asia/Tokyo' latitude='28.124' longitude='-15.436'/>",
            Some(Tz::Asia__Tokyo),
            "2031-07-04T11:00:00+00:00",
        ),
    ] {
        let (event, warnings) = parse_event("event_date='2031-07-04T20:00:00'", venue);
        assert_eq!((event.time_zone, warnings), (zone, 0), "{venue}");
        assert_eq!(start(&event), ("2031-07-04T20:00:00", instant.to_owned()), "{venue}");
    }
}

#[test]
fn an_instant_is_shown_on_the_venues_clock() {
    for (text, venue, wall_clock) in [
        ("2031-06-30T19:00:00Z", "", "2031-06-30T21:00:00"),
        ("2031-06-30T22:30:00Z", "", "2031-07-01T00:30:00"),
        ("2031-06-30T22:30:00Z", "<venue venue_id='1' name='Hall' time_zone='America/New_York'/>", "2031-06-30T18:30:00"),
    ] {
        let (event, _) = parse_event(&format!("event_date='{text}' event_end_date='{text}'"), venue);
        assert_eq!(event.start.wall_clock, wall_clock, "{text}");
        assert_eq!(event.end.as_ref(), Some(&event.start), "{text}");
    }
}

#[test]
fn a_date_that_means_none_is_missing() {
    for none in ["0001-01-01T00:00:00", "0000-00-00 00:00:00", "0001-01-01T00:00:00Z"] {
        let attributes = format!("event_date='2031-07-04T20:00:00' event_end_date='{none}' sell_from=' {none}' sell_to='{none}'");
        let (event, warnings) = parse_event(&attributes, "");
        assert_eq!((event.end, event.sell_from, event.sell_to, warnings), (None, None, None, 0), "{none}");
    }
}

#[test]
fn an_end_in_or_after_a_skipped_hour_is_not_before_the_start() {
    for (start, end) in [
        ("2031-03-30T02:30:00", "2031-03-30T03:00:00"),
        ("2031-03-30T02:59:59", "2031-03-30T03:00:00"),
        ("2031-03-30T01:30:00", "2031-03-30T02:15:00"),
    ] {
        let (event, warnings) = parse_event(&format!("event_date='{start}' event_end_date='{end}'"), "");
        let known_end = event.end.unwrap();
        assert!(known_end.instant >= event.start.instant, "{start} to {end}");
        assert_eq!((known_end.wall_clock.as_str(), warnings), (end, 0));
    }
}
