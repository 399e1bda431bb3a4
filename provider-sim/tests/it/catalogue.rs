//! The generated catalogue and its feed.

use std::collections::HashSet;
use std::fmt::Write;

use chrono::{Days, NaiveDate};
use provider_sim::{SellMode, SimBaseEvent, SimCatalogue};
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::Event as Token;

fn large() -> SimCatalogue {
    SimCatalogue { events: 2_000, ..SimCatalogue::default() }
}

fn base_events(catalogue: SimCatalogue) -> Vec<SimBaseEvent> {
    catalogue.base_events(0).collect()
}

#[test]
fn the_same_seed_produces_the_same_bytes() {
    let mut written = Vec::new();
    large().write_feed(3, &mut written).unwrap();
    assert!(written == large().feed(3).into_bytes());
}

#[test]
fn another_seed_produces_another_feed() {
    assert!(large().feed(0) != SimCatalogue { seed: 2, ..large() }.feed(0));
}

#[test]
fn another_anchor_moves_the_dates() {
    let anchor = large().anchor + Days::new(7);
    let moved = base_events(SimCatalogue { anchor, ..large() });
    for (here, there) in base_events(large()).iter().zip(&moved) {
        assert_eq!(here.events[0].starts + Days::new(7), there.events[0].starts);
        assert_eq!(here.title, there.title);
    }
}

#[test]
fn the_number_of_events_is_exact() {
    for events in (0..40).chain([999, 2_000]) {
        let catalogue = SimCatalogue { events, ..SimCatalogue::default() };
        let counts: Vec<usize> = catalogue.base_events(0).map(|base_event| base_event.events.len()).collect();
        assert_eq!(counts.iter().sum::<usize>() as u64, events);
        assert_eq!(counts.len() as u64, catalogue.base_event_count());
        assert!(counts.iter().all(|events| (1..=4).contains(events)), "{events}: {counts:?}");
    }
}

#[test]
fn a_base_event_does_not_depend_on_the_others() {
    let few = SimCatalogue { events: 100, ..large() };
    for index in 0..39 {
        assert_eq!(few.base_event(index, 0), large().base_event(index, 0));
    }
}

#[test]
fn event_ids_are_unique_only_within_their_base_event() {
    let mut everywhere = HashSet::new();
    let mut recurring = 0;
    for base_event in base_events(large()) {
        let mut here = HashSet::new();
        for event in &base_event.events {
            assert!(here.insert(event.id));
            recurring += usize::from(!everywhere.insert(event.id));
        }
    }
    assert!(recurring > 200, "{recurring}");
}

#[test]
fn some_events_have_two_zones_with_the_same_id() {
    let mut doubled = 0;
    for event in base_events(large()).into_iter().flat_map(|base_event| base_event.events) {
        assert_eq!(event.zones.len(), 4);
        let mut seen = HashSet::new();
        for zone in event.zones.iter().rev() {
            if !seen.insert(zone.id) {
                let twin = event.zones.iter().rfind(|other| other.id == zone.id).unwrap();
                assert_ne!(zone.price_cents, twin.price_cents);
                doubled += 1;
            }
        }
    }
    assert!((100..400).contains(&doubled), "{doubled}");
}

#[test]
fn one_in_ten_base_events_is_offline_and_one_in_ten_has_no_organizer() {
    let all = base_events(large());
    let offline = all.iter().filter(|base_event| base_event.sell_mode == SellMode::Offline).count();
    let unorganized = all.iter().filter(|base_event| base_event.organizer_company_id.is_none()).count();
    let about_a_tenth = all.len() / 14..all.len() / 7;
    assert!(about_a_tenth.contains(&offline), "{offline}");
    assert!(about_a_tenth.contains(&unorganized), "{unorganized}");
}

#[test]
fn sold_out_events_have_no_capacity() {
    let events: Vec<_> = base_events(large()).into_iter().flat_map(|base_event| base_event.events).collect();
    for event in &events {
        assert!(event.zones.iter().all(|zone| (zone.capacity == 0) == event.sold_out));
    }
    let sold_out = events.iter().filter(|event| event.sold_out).count();
    assert!((40..400).contains(&sold_out), "{sold_out}");
}

#[test]
fn performers_are_shared_and_have_unique_names() {
    let mut appearances = 0;
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    for base_event in base_events(large()) {
        assert!((1..=3).contains(&base_event.performers.len()));
        for performer in base_event.performers {
            appearances += 1;
            ids.insert(performer.id);
            names.insert(performer.name);
        }
    }
    assert_eq!(ids.len(), names.len());
    assert!(ids.len() * 4 < appearances * 3, "{} of {appearances}", ids.len());
}

#[test]
fn a_venue_id_identifies_a_venue() {
    let mut venues = Vec::new();
    for event in base_events(large()).into_iter().flat_map(|base_event| base_event.events) {
        if !venues.contains(&event.venue) {
            venues.push(event.venue);
        }
    }
    let ids: HashSet<_> = venues.iter().map(|venue| venue.id).collect();
    assert_eq!(ids.len(), venues.len());
    for mark in ['\'', '&', 'é', 'ñ', 'ø'] {
        assert!(venues.iter().any(|venue| venue.name.contains(mark)), "{mark}");
    }
}

#[test]
fn events_are_around_the_anchor() {
    let anchor = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let days: Vec<i64> = base_events(SimCatalogue { anchor, ..large() })
        .into_iter()
        .flat_map(|base_event| base_event.events)
        .map(|event| {
            assert!(event.sell_from < event.sell_to && event.sell_to < event.starts && event.starts < event.ends);
            (event.starts.date() - anchor).num_days()
        })
        .collect();
    let (first, last) = (*days.iter().min().unwrap(), *days.iter().max().unwrap());
    assert!((-61..-50).contains(&first), "{first}");
    assert!((280..=300).contains(&last), "{last}");
}

/// Checked with a third-party parser.
#[test]
fn the_feed_contains_the_values_of_the_items() {
    let catalogue = large();
    let feed = catalogue.feed(0);
    let mut reader = Reader::from_str(&feed);
    let mut read = String::new();
    loop {
        match reader.read_event().unwrap() {
            Token::Start(element) | Token::Empty(element) => {
                for attribute in element.attributes() {
                    let attribute = attribute.unwrap();
                    let value = attribute.normalized_value(XmlVersion::Implicit1_0).unwrap();
                    if ["title", "name", "price", "event_start_date"].contains(&attribute.key.as_ref()) {
                        writeln!(read, "{value}").unwrap();
                    }
                }
            }
            Token::Eof => break,
            _ => {}
        }
    }
    let mut expected = String::new();
    for base_event in catalogue.base_events(0) {
        writeln!(expected, "{}", base_event.title).unwrap();
        for performer in &base_event.performers {
            writeln!(expected, "{}", performer.name).unwrap();
        }
        for event in &base_event.events {
            writeln!(expected, "{}", event.starts.format("%Y-%m-%dT%H:%M:%S")).unwrap();
            writeln!(expected, "{}", event.venue.name).unwrap();
            if let Some(performer) = &event.support {
                writeln!(expected, "{}", performer.name).unwrap();
            }
            for zone in &event.zones {
                writeln!(expected, "{:.2}\n{}", f64::from(zone.price_cents) / 100.0, zone.name).unwrap();
            }
        }
    }
    assert!(read == expected);
}
