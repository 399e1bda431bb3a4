//! Valid `event-list-xml` feeds, with all alternative names.

use chrono::DateTime;
use entity::EventStatus;
use provider_sim::{SimCatalogue, SimDetails};
use worker::provider::{
    item::{BaseEventItem, Coordinates, EventItem, ItemDetails, PerformerItem, VenueItem, ZoneItem},
    local_time::LocalTime,
};

use super::{event, ids, parse, parse_valid};

/// A wall-clock time of the feed and the expected instant.
fn time(wall_clock: &str, utc: &str) -> LocalTime {
    LocalTime { wall_clock: wall_clock.to_owned(), instant: DateTime::parse_from_rfc3339(utc).unwrap().to_utc().into() }
}

fn choir() -> BaseEventItem {
    let zone = ZoneItem {
        source_id: "1".to_owned(),
        name: Some("Stalls".to_owned()),
        capacity: Some(120),
        price: 1850,
        currency: None,
        numbered: Some(true),
    };
    let event = EventItem {
        source_id: "1".to_owned(),
        name: None,
        status: EventStatus::Scheduled,
        details: ItemDetails::default(),
        time_zone: None,
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
        details: ItemDetails::default(),
        performers: vec![],
        events: vec![event],
        span: 0..0,
    }
}

#[test]
fn accepts_event_names_plan_names_and_both_mixed() {
    for name in ["sound/event_words.xml", "sound/plan_words.xml", "sound/mixed_words.xml"] {
        let mut base_events = parse_valid(name);
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
fn accepts_missing_optional_values() {
    let base_events = parse_valid("sound/same_ids.xml");
    assert_eq!(base_events[0].organizer_company_id, None);
    let event = &base_events[0].events[0];
    assert_eq!((&event.end, &event.sell_from, &event.sell_to, event.sold_out), (&None, &None, &None, false));
    assert_eq!((&event.venue, event.performers.as_slice()), (&None, [].as_slice()));
    let zone = ZoneItem { source_id: "311".to_owned(), name: None, capacity: None, price: 5500, currency: None, numbered: None };
    assert_eq!(event.zones, [zone]);
}

#[test]
fn converts_dates_in_the_providers_zone() {
    let base_event = &parse_valid("sound/dates.xml")[0];
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
        (time("2031-05-04T16:00:00", "2031-05-04T14:00:00Z"), Some(time("2031-05-04T17:00:00", "2031-05-04T15:00:00Z")))
    );
    // The clocks skip this hour. It is read with the previous offset, so the event ends when it starts.
    assert_eq!(
        start_and_end("skipped"),
        (time("2031-03-30T02:30:00", "2031-03-30T01:30:00Z"), Some(time("2031-03-30T03:30:00", "2031-03-30T01:30:00Z")))
    );
    let sale = event(base_event, "sale");
    assert_eq!(sale.sell_from, Some(time("2031-01-01", "2030-12-31T23:00:00Z")));
    assert_eq!(sale.sell_to, Some(time("2031-05-03", "2031-05-03T21:59:59.999999Z")));
}

#[test]
fn treats_an_empty_attribute_as_missing() {
    let base_event = &parse_valid("sound/dates.xml")[0];
    let emptied = event(base_event, "emptied");
    assert_eq!(emptied.start, time("2031-05-04T19:30:00", "2031-05-04T17:30:00Z"));
    assert_eq!((&emptied.end, emptied.sold_out), (&None, false));
}

#[test]
fn accepts_two_zones_with_the_same_id_in_an_event() {
    let base_events = parse_valid("sound/same_ids.xml");
    let gallery = |capacity, price, numbered| ZoneItem {
        source_id: "186".to_owned(),
        name: Some("Gallery".to_owned()),
        capacity: Some(capacity),
        price,
        currency: None,
        numbered,
    };
    assert_eq!(base_events[1].events[0].zones, [gallery(2, 7500, Some(true)), gallery(16, 6500, None)]);
}

#[test]
fn accepts_the_same_event_id_in_two_base_events() {
    assert_eq!(ids(&parse_valid("sound/same_ids.xml")), ["322/1642", "1591/1642"]);
}

#[test]
fn reads_performers_of_base_events_and_of_events() {
    let base_event = &parse_valid("sound/performers_and_venue.xml")[0];
    let names = |performers: &[PerformerItem]| -> Vec<String> {
        performers.iter().map(|performer| format!("{} {}", performer.source_id, performer.name)).collect()
    };
    assert_eq!(names(&base_event.performers), ["12 The Kettles", "14 Late Guest"]);
    assert_eq!(names(&event(base_event, "1").performers), ["13 Ada Mill", "12 The Kettles"]);
    assert_eq!(names(&event(base_event, "2").performers), [""; 0]);
}

#[test]
fn accepts_coordinates_at_the_limits() {
    let base_event = &parse_valid("sound/performers_and_venue.xml")[0];
    let hall = VenueItem {
        source_id: "7".to_owned(),
        name: "Corn Hall".to_owned(),
        coordinates: Some(Coordinates { latitude: 0.0, longitude: 179.99999 }),
        place_code: Some("ESBCN".to_owned()),
        ..VenueItem::default()
    };
    let venue = event(base_event, "1").venue.clone().unwrap();
    assert!(venue.coordinates.unwrap().latitude.is_sign_positive(), "a negative zero would have another hash");
    assert_eq!(venue, hall);
    let field = event(base_event, "2").venue.clone().unwrap();
    assert_eq!(field.coordinates, Some(Coordinates { latitude: 90.0, longitude: -180.0 }));
    assert_eq!(field.place_code, None);
}

#[test]
fn ignores_unknown_elements_and_attributes_comments_and_texts() {
    let base_events = parse_valid("sound/decorated.xml");
    assert_eq!(ids(&base_events), ["10/1"]);
    let BaseEventItem { title, events, .. } = &base_events[0];
    assert_eq!((title.as_str(), events[0].zones.len(), events[0].zones[0].price), ("Harbour Choir", 1, 1850));
}

#[test]
fn resolves_entities_and_trims_texts() {
    let base_events = parse_valid("sound/escaped_titles.xml");
    let titles: Vec<&str> = base_events.iter().map(|base_event| base_event.title.as_str()).collect();
    assert_eq!(titles, ["Fish & Chips <live> \"now\" 'here'", "Café 🎵 \"quoted\"", "Ñandú in two lines", "& is not &"]);
}

#[test]
fn merges_the_elements_of_a_base_event_at_the_last_one() {
    let base_events = parse_valid("sound/spread_base_event.xml");
    assert_eq!(ids(&base_events), ["1/1", "1/2", "2/1"]);
    assert_eq!((base_events[0].title.as_str(), base_events[0].sell_mode.as_str()), ("New Title", "online"));
    assert_eq!((base_events[1].title.as_str(), base_events[1].events.len()), ("Between", 1));
}

#[test]
fn accepts_an_empty_feed() {
    assert_eq!(parse_valid("sound/nothing_on_sale.xml"), []);
}

#[test]
fn accepts_32_nested_elements() {
    assert_eq!(parse_valid("sound/32_elements_deep.xml"), []);
}

#[test]
fn accepts_a_declaration_of_utf_8_or_ascii_or_none() {
    for declaration in [
        "",
        "<?xml version=\"1.0\"?>",
        "<?xml version='1.0' encoding='utf-8' standalone='yes'?>",
        "<?xml version=\"1.1\" encoding=\"US-ASCII\"?>",
    ] {
        let document = format!("{declaration}<eventList><output/></eventList>");
        assert!(parse(document.as_bytes()).is_ok(), "{declaration}");
    }
}

#[test]
fn reads_all_details_of_a_generated_catalogue() {
    let catalogue = SimCatalogue { events: 1_000, details: true, ..SimCatalogue::default() };
    let feed = parse(catalogue.feed(0).as_bytes()).unwrap();
    assert_eq!((&feed.rejects, &feed.warnings.listed), (&vec![], &vec![]));
    for (item, generated) in feed.base_events.iter().zip(catalogue.base_events(0)) {
        let texts = |details: &SimDetails| (details.description.clone(), details.url.clone(), details.organizer_name.clone());
        let read = (item.details.description.clone(), item.details.url.clone(), item.details.organizer_name.clone());
        assert_eq!(read, texts(&generated.details));
        assert!(item.details.category.is_some(), "{:?}", generated.details.category);
        for (event, generated) in item.events.iter().zip(&generated.events) {
            assert_eq!(event.name.as_deref(), generated.name);
            assert_eq!(format!("{:?}", event.status), format!("{:?}", generated.status.unwrap()));
            let (venue, address) = (event.venue.as_ref().unwrap(), generated.venue.address.as_ref().unwrap());
            assert_eq!(venue.time_zone.map(chrono_tz::Tz::name), Some(address.time_zone));
            let read = [&venue.address, &venue.city, &venue.region, &venue.country, &venue.postal_code];
            let expected = [address.street.as_str(), address.city, address.region, address.country, address.postal_code.as_str()];
            assert_eq!(read.map(Option::as_deref), expected.map(Some));
        }
    }
}
