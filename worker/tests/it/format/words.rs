//! What a sound feed may say, in all its words.

use chrono::DateTime;
use worker::provider::{
    item::{BaseEventItem, EventItem, PerformerItem, VenueItem, ZoneItem},
    local_time::LocalTime,
};

use super::{event, ids, read, read_sound};

/// A wall clock of the feed and the instant that it must become.
fn time(wall_clock: &str, utc: &str) -> LocalTime {
    LocalTime { wall_clock: wall_clock.to_owned(), instant: DateTime::parse_from_rfc3339(utc).unwrap().to_utc().into() }
}

fn choir() -> BaseEventItem {
    let zone = ZoneItem {
        source_id: "1".to_owned(),
        name: Some("Stalls".to_owned()),
        capacity: Some(120),
        price: 1850,
        numbered: Some(true),
    };
    let event = EventItem {
        source_id: "1".to_owned(),
        start: time("2031-05-04T19:30:00", "2031-05-04T17:30:00Z"),
        end: Some(time("2031-05-04T21:00:00", "2031-05-04T19:00:00Z")),
        sell_from: Some(time("2031-01-01T00:00:00", "2030-12-31T23:00:00Z")),
        sell_to: Some(time("2031-05-04T18:00:00", "2031-05-04T16:00:00Z")),
        sold_out: true,
        performers: vec![],
        venue: None,
        zones: vec![zone],
        span: 0..0,
    };
    BaseEventItem {
        source_id: "10".to_owned(),
        title: "Harbour Choir".to_owned(),
        sell_mode: "online".to_owned(),
        organizer_company_id: Some("7".to_owned()),
        performers: vec![],
        events: vec![event],
        span: 0..0,
    }
}

#[test]
fn the_words_of_events_of_plans_and_both_mixed_say_the_same() {
    for name in ["sound/event_words.xml", "sound/plan_words.xml", "sound/mixed_words.xml"] {
        let mut base_events = read_sound(name);
        let raw = crate::fixtures::text(name)[base_events[0].span.clone()].to_owned();
        assert!(["<base_event ", "<base_plan "].iter().any(|tag| raw.starts_with(tag)), "{name}: {raw}");
        assert!(["</base_event>", "</base_plan>"].iter().any(|tag| raw.ends_with(tag)), "{name}: {raw}");
        base_events[0].span = 0..0;
        let span = &mut base_events[0].events[0].span;
        let raw = crate::fixtures::text(name)[span.clone()].to_owned();
        assert!(["<event ", "<plan "].iter().any(|tag| raw.starts_with(tag)), "{name}: {raw}");
        assert!(["</event>", "</plan>"].iter().any(|tag| raw.ends_with(tag)), "{name}: {raw}");
        *span = 0..0;
        assert_eq!(base_events, [choir()], "{name}");
    }
}

#[test]
fn what_is_optional_may_be_missing() {
    let base_events = read_sound("sound/same_ids.xml");
    assert_eq!(base_events[0].organizer_company_id, None);
    let event = &base_events[0].events[0];
    assert_eq!((&event.end, &event.sell_from, &event.sell_to, event.sold_out), (&None, &None, &None, false));
    assert_eq!((&event.venue, event.performers.as_slice()), (&None, [].as_slice()));
    let zone = ZoneItem { source_id: "311".to_owned(), name: None, capacity: None, price: 5500, numbered: None };
    assert_eq!(event.zones, [zone]);
}

#[test]
fn dates_are_kept_as_given_and_become_instants_of_the_providers_zone() {
    let base_event = &read_sound("sound/dates.xml")[0];
    let start_and_end = |id: &str| {
        let event = event(base_event, id);
        (event.start.clone(), event.end.clone())
    };
    assert_eq!(start_and_end("lone"), (time("2031-05-04T19:30:00", "2031-05-04T17:30:00Z"), None));
    assert_eq!(
        start_and_end("bare"),
        (time("2031-05-04", "2031-05-03T22:00:00Z"), Some(time("2031-05-04", "2031-05-04T21:59:59.999999Z")))
    );
    assert_eq!(
        start_and_end("fraction"),
        (
            time("2031-05-04T19:30:00.25", "2031-05-04T17:30:00.25Z"),
            Some(time("2031-05-04T19:30:00.250001", "2031-05-04T17:30:00.250001Z"))
        )
    );
    assert_eq!(
        start_and_end("offset"),
        (time("2031-05-04T19:30:00", "2031-05-04T14:00:00Z"), Some(time("2031-05-04T15:00:00", "2031-05-04T15:00:00Z")))
    );
    // The clocks skip this hour: it is read with the offset before, and so ends when it starts.
    assert_eq!(
        start_and_end("skipped"),
        (time("2031-03-30T02:30:00", "2031-03-30T01:30:00Z"), Some(time("2031-03-30T03:30:00", "2031-03-30T01:30:00Z")))
    );
    let sale = event(base_event, "sale");
    assert_eq!(sale.sell_from, Some(time("2031-01-01", "2030-12-31T23:00:00Z")));
    assert_eq!(sale.sell_to, Some(time("2031-05-03", "2031-05-03T21:59:59.999999Z")));
}

#[test]
fn an_empty_attribute_says_as_little_as_a_missing_one() {
    let base_event = &read_sound("sound/dates.xml")[0];
    let emptied = event(base_event, "emptied");
    assert_eq!(emptied.start, time("2031-05-04T19:30:00", "2031-05-04T17:30:00Z"));
    assert_eq!((&emptied.end, emptied.sold_out), (&None, false));
}

#[test]
fn a_zone_that_stands_twice_in_an_event_is_two_zones() {
    let base_events = read_sound("sound/same_ids.xml");
    let gallery = |capacity, price, numbered| ZoneItem {
        source_id: "186".to_owned(),
        name: Some("Gallery".to_owned()),
        capacity: Some(capacity),
        price,
        numbered,
    };
    assert_eq!(base_events[1].events[0].zones, [gallery(2, 7500, Some(true)), gallery(16, 6500, None)]);
}

#[test]
fn an_event_id_in_two_base_events_is_two_events() {
    assert_eq!(ids(&read_sound("sound/same_ids.xml")), ["322/1642", "1591/1642"]);
}

#[test]
fn performers_stand_under_a_base_event_or_an_event() {
    let base_event = &read_sound("sound/performers_and_venue.xml")[0];
    let names = |performers: &[PerformerItem]| -> Vec<String> {
        performers.iter().map(|performer| format!("{} {}", performer.source_id, performer.name)).collect()
    };
    assert_eq!(names(&base_event.performers), ["12 The Kettles", "14 Late Guest"]);
    assert_eq!(names(&event(base_event, "1").performers), ["13 Ada Mill", "12 The Kettles"]);
    assert_eq!(names(&event(base_event, "2").performers), [""; 0]);
}

#[test]
fn a_venue_may_lie_anywhere_on_earth() {
    let base_event = &read_sound("sound/performers_and_venue.xml")[0];
    let hall = VenueItem {
        source_id: "7".to_owned(),
        name: "Corn Hall".to_owned(),
        latitude: 0.0,
        longitude: 179.99999,
        place_code: Some("ESBCN".to_owned()),
    };
    let venue = event(base_event, "1").venue.clone().unwrap();
    assert!(venue.latitude.is_sign_positive(), "a negative zero would be another place to a hash");
    assert_eq!(venue, hall);
    let field = event(base_event, "2").venue.clone().unwrap();
    assert_eq!((field.latitude, field.longitude, field.place_code), (90.0, -180.0, None));
}

#[test]
fn what_is_unknown_or_no_element_is_ignored() {
    let base_events = read_sound("sound/decorated.xml");
    assert_eq!(ids(&base_events), ["10/1"]);
    let BaseEventItem { title, events, .. } = &base_events[0];
    assert_eq!((title.as_str(), events[0].zones.len(), events[0].zones[0].price), ("Harbour Choir", 1, 1850));
}

#[test]
fn entities_are_resolved_and_texts_trimmed() {
    let base_events = read_sound("sound/escaped_titles.xml");
    let titles: Vec<&str> = base_events.iter().map(|base_event| base_event.title.as_str()).collect();
    assert_eq!(
        titles,
        ["Fish & Chips <live> \"now\" 'here'", "Café 🎵 \"quoted\"", "Ñandú       in two lines", "&amp; is not &"]
    );
}

#[test]
fn a_base_event_that_is_spread_over_elements_is_brought_together_under_the_last() {
    let base_events = read_sound("sound/spread_base_event.xml");
    assert_eq!(ids(&base_events), ["1/1", "1/2", "2/1"]);
    assert_eq!((base_events[0].title.as_str(), base_events[0].sell_mode.as_str()), ("New Title", "online"));
    assert_eq!((base_events[1].title.as_str(), base_events[1].events.len()), ("Between", 1));
}

#[test]
fn a_feed_with_nothing_on_sale_is_a_feed() {
    assert_eq!(read_sound("sound/nothing_on_sale.xml"), []);
}

#[test]
fn elements_may_lie_32_deep() {
    assert_eq!(read_sound("sound/32_elements_deep.xml"), []);
}

#[test]
fn a_declaration_may_name_utf_8_in_any_case_or_ascii_or_nothing() {
    for declaration in [
        "",
        "<?xml version=\"1.0\"?>",
        "<?xml version='1.0' encoding='utf-8' standalone='yes'?>",
        "<?xml version=\"1.1\" encoding=\"US-ASCII\"?>",
    ] {
        let document = format!("{declaration}<eventList><output/></eventList>");
        assert!(read(document.as_bytes()).is_ok(), "{declaration}");
    }
}
