//! Property tests: parsing any bytes terminates, never panics, and returns only valid items.

use proptest::prelude::*;
use provider_sim::{SellMode, SimBaseEvent, SimCatalogue, SimEvent, SimPerformer};
use worker::provider::{
    item::{BaseEventItem, PerformerItem},
    local_time::LocalTime,
};

use super::parse;
use crate::fixtures;

/// One random change of a document.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    Replace(prop::sample::Index, u8),
    Delete(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, usize),
}

pub(crate) fn mutation() -> impl Strategy<Value = Mutation> {
    // Bytes with a meaning in XML are as frequent as all others together.
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"<>&;\"'=/!?[]-: \0".to_vec())];
    prop_oneof![
        (any::<prop::sample::Index>(), byte.clone()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (any::<prop::sample::Index>(), 1..40_usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        (any::<prop::sample::Index>(), prop::collection::vec(byte, 1..12)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<prop::sample::Index>(), 1..200_usize).prop_map(|(at, length)| Mutation::Repeat(at, length)),
    ]
}

pub(crate) fn mutate(mut document: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        let length = document.len();
        let index = |at: &prop::sample::Index| at.index(length.max(1));
        match mutation {
            Mutation::Replace(at, byte) => {
                if let Some(old) = document.get_mut(index(at)) {
                    *old = *byte;
                }
            }
            Mutation::Delete(at, count) => {
                document.drain(index(at).min(length)..(index(at) + count).min(length));
            }
            Mutation::Insert(at, bytes) => {
                document.splice(index(at).min(length)..index(at).min(length), bytes.iter().copied());
            }
            Mutation::Repeat(at, count) => {
                let piece = document[index(at).min(length)..(index(at) + count).min(length)].to_vec();
                document.splice(index(at).min(length)..index(at).min(length), piece);
            }
        }
    }
    document
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_feed_has_only_valid_items_and_rejects_inside_the_document(mutations in prop::collection::vec(mutation(), 1..6)) {
        let document = mutate(fixtures::bytes("three_polls/second.xml"), &mutations);
        if let Ok(feed) = parse(&document) {
            for reject in &feed.rejects {
                prop_assert!(!reject.reason.is_empty());
                prop_assert!(document[reject.span.clone()].starts_with(b"<"), "{reject:?}");
            }
            for event in feed.base_events.iter().flat_map(|base_event| &base_event.events) {
                prop_assert!(event.zones.iter().all(|zone| zone.price >= 0));
                prop_assert!(event.end.as_ref().is_none_or(|end| end.instant >= event.start.instant));
            }
        }
    }

    #[test]
    fn rejects_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(parse(&bytes).is_err());
    }

    #[test]
    fn accepts_or_rejects_any_value_without_panic(value in "\\PC{0,40}", attribute in prop::sample::select(ATTRIBUTES.to_vec())) {
        let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let document = fixtures::text("sound/performers_and_venue.xml");
        let at = document.find(&format!(" {attribute}=\"")).unwrap() + attribute.len() + 3;
        let end = at + document[at..].find('"').unwrap();
        let feed = parse(format!("{}{escaped}{}", &document[..at], &document[end..]).as_bytes()).unwrap();
        prop_assert!(feed.rejects.len() <= 1);
        prop_assert_eq!(feed.event_count() == 2, feed.rejects.is_empty());
    }
}

/// The attributes of the fixture that get random values.
const ATTRIBUTES: [&str; 9] =
    ["base_event_id", "sell_mode", "title", "event_date", "performer_id", "name", "latitude", "longitude", "place_code"];

#[test]
fn parses_a_generated_feed_completely() {
    for seed in 1..=5 {
        let catalogue = SimCatalogue { seed, churn: 20.0, ..SimCatalogue::default() };
        for poll in [0, 1, 7] {
            let feed = parse(catalogue.feed(poll).as_bytes()).unwrap();
            assert_eq!(feed.rejects, [], "seed {seed}, poll {poll}");
            let parsed: Vec<Vec<String>> = feed.base_events.iter().map(describe_parsed).collect();
            let generated: Vec<Vec<String>> =
                catalogue.base_events(poll).map(|base_event| describe_generated(&base_event)).collect();
            assert!(parsed == generated, "seed {seed}, poll {poll}");
        }
    }
}

/// A parsed base event: a line for itself and one for each event.
fn describe_parsed(base_event: &BaseEventItem) -> Vec<String> {
    let BaseEventItem { source_id, title, sell_mode, organizer_company_id, performers, events, .. } = base_event;
    let names = |performers: &[PerformerItem]| -> Vec<String> {
        performers.iter().map(|performer| format!("{} {}", performer.source_id, performer.name)).collect()
    };
    let mut lines =
        vec![format!("{source_id} {title} {} {organizer_company_id:?} {:?}", sell_mode == "online", names(performers))];
    for event in events {
        let time = |time: &Option<LocalTime>| time.as_ref().map(|time| time.wall_clock.clone()).unwrap_or_default();
        let (start, end) = (&event.start.wall_clock, time(&event.end));
        let venue = event
            .venue
            .as_ref()
            .and_then(|venue| Some((venue, venue.coordinates?)))
            .map(|(venue, at)| format!("{} {} {} {}", venue.source_id, venue.name, at.latitude, at.longitude));
        let zones: Vec<String> = event
            .zones
            .iter()
            .map(|zone| format!("{} {:?} {:?} {} {:?}", zone.source_id, zone.name, zone.capacity, zone.price, zone.numbered))
            .collect();
        let (sold, support) = (event.sold_out, names(&event.performers));
        lines.push(format!(
            "{} {start} {end} {} {} {sold} {venue:?} {support:?} {zones:?}",
            event.source_id,
            time(&event.sell_from),
            time(&event.sell_to)
        ));
    }
    lines
}

/// The same lines for a base event of the simulator.
fn describe_generated(base_event: &SimBaseEvent) -> Vec<String> {
    let SimBaseEvent { id, sell_mode, organizer_company_id, title, details: _, performers, events } = base_event;
    let names = |performers: &[SimPerformer]| -> Vec<String> {
        performers.iter().map(|performer| format!("{} {}", performer.id, performer.name)).collect()
    };
    let organizer = organizer_company_id.map(|id| id.to_string());
    let mut lines = vec![format!("{id} {title} {} {organizer:?} {:?}", *sell_mode == SellMode::Online, names(performers))];
    for event in events {
        let SimEvent { id, starts, ends, sell_from, sell_to, sold_out, status: _, name: _, venue, support, zones } = event;
        let venue = Some(format!("{} {} {} {}", venue.id, venue.name, venue.latitude, venue.longitude));
        let zones: Vec<String> = zones
            .iter()
            .map(|zone| {
                format!(
                    "{} {:?} {:?} {} {:?}",
                    zone.id,
                    Some(&zone.name),
                    Some(zone.capacity),
                    zone.price_cents,
                    Some(zone.numbered)
                )
            })
            .collect();
        let support = names(support.as_slice());
        lines.push(format!("{id} {starts:?} {ends:?} {sell_from:?} {sell_to:?} {sold_out} {venue:?} {support:?} {zones:?}"));
    }
    lines
}
