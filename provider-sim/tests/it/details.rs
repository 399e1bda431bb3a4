//! The details of a generated catalogue.

use std::collections::{HashMap, HashSet};

use provider_sim::{SimBaseEvent, SimCatalogue, SimDetails, SimEvent, SimStatus};

const PLAIN: SimCatalogue = SimCatalogue {
    seed: 3,
    events: 2_000,
    zones: 2,
    churn: 25.0,
    anchor: chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(),
    details: false,
};
const DETAILED: SimCatalogue = SimCatalogue { details: true, ..PLAIN };

fn remove_details(mut base_event: SimBaseEvent) -> SimBaseEvent {
    base_event.details = SimDetails::default();
    for event in &mut base_event.events {
        (event.status, event.name, event.venue.address) = (None, None, None);
    }
    base_event
}

#[test]
fn a_catalogue_without_details_is_otherwise_the_same() {
    for poll in [0, 7] {
        let without: Vec<SimBaseEvent> = DETAILED.base_events(poll).map(remove_details).collect();
        assert!(without == PLAIN.base_events(poll).collect::<Vec<_>>());
    }
    let feed = PLAIN.feed(0);
    for attribute in
        ["status", "category", "description", "organizer_name", "url", "image_url", "address", "city", "country", "time_zone"]
    {
        assert!(!feed.contains(&format!(" {attribute}=")), "{attribute}");
        assert!(DETAILED.feed(0).contains(&format!(" {attribute}=")), "{attribute}");
    }
}

#[test]
fn some_events_do_not_take_place_as_announced() {
    let events: Vec<SimEvent> = DETAILED.base_events(0).flat_map(|base_event| base_event.events).collect();
    let mut counts = HashMap::new();
    for event in &events {
        *counts.entry(format!("{:?}", event.status.unwrap())).or_insert(0) += 1;
    }
    assert!((30..=100).contains(&counts["Cancelled"]), "{counts:?}");
    assert!(counts["Scheduled"] > 1_600 && counts.len() == 5, "{counts:?}");
    let named = events.iter().filter(|event| event.name.is_some()).count();
    assert!((100..=400).contains(&named), "{named}");
    assert!(DETAILED.feed(0).contains(" status=\"moved_online\""));
}

/// An event that moves is rescheduled until it returns to its first date.
#[test]
fn a_moved_event_is_rescheduled() {
    let mut moved = 0;
    for (index, poll) in (0..50).flat_map(|index| (0..40).map(move |poll| (index, poll))) {
        let [now, first] = [poll, 0].map(|poll| DETAILED.base_event(index, poll).map_or(vec![], |base_event| base_event.events));
        for (event, before) in now.iter().zip(&first) {
            if event.starts > before.starts && before.status == Some(SimStatus::Scheduled) {
                assert_eq!(event.status, Some(SimStatus::Rescheduled));
                moved += 1;
            }
        }
    }
    assert!(moved > 100, "{moved}");
}

#[test]
fn texts_categories_and_addresses_vary() {
    let base_events: Vec<SimBaseEvent> = DETAILED.base_events(0).collect();
    let texts = |of: &dyn Fn(&SimBaseEvent) -> Option<String>| -> HashSet<String> { base_events.iter().filter_map(of).collect() };
    assert!(texts(&|base_event| base_event.details.category.map(str::to_owned)).len() > 12);
    assert!(texts(&|base_event| base_event.details.organizer_name.clone()).len() == 40);
    let urls = texts(&|base_event| base_event.details.url.clone());
    assert!(urls.len() > base_events.len() * 9 / 10 && urls.iter().all(|url| url.starts_with("https://")));
    let images = texts(&|base_event| base_event.details.image_url.clone());
    assert!(images.len() > base_events.len() * 4 / 5 && images.len() < base_events.len(), "{}", images.len());
    let descriptions = texts(&|base_event| base_event.details.description.clone());
    for word in ["the", "después", "après", "Einlass"] {
        assert!(descriptions.iter().any(|description| description.contains(word)), "{word}");
    }
    let mut cities = HashSet::new();
    for event in base_events.iter().flat_map(|base_event| &base_event.events) {
        let address = event.venue.address.as_ref().unwrap();
        assert!(event.venue.place_code.starts_with(address.country), "{address:?}");
        let text = format!("{}{}", address.street, address.postal_code);
        assert!(address.street.contains(|character: char| character.is_ascii_digit()) && !text.contains(['#', '{']), "{text}");
        cities.insert((address.city, address.region, address.country, address.time_zone));
    }
    assert_eq!(cities.len(), 44);
}
