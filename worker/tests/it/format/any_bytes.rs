//! Whatever the bytes are, the reader comes to an end and tells the truth about them.

use proptest::prelude::*;
use provider_sim::{SellMode, SimBaseEvent, SimCatalogue, SimEvent, SimPerformer};
use worker::provider::{
    item::{BaseEventItem, PerformerItem},
    local_time::LocalTime,
};

use super::read;
use crate::fixtures;

/// One change of a document.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    Replace(prop::sample::Index, u8),
    Delete(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, usize),
}

pub(crate) fn mutation() -> impl Strategy<Value = Mutation> {
    // Bytes that mean something to XML are drawn as often as all others together.
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"<>&;\"'=/!?[]-: \0".to_vec())];
    prop_oneof![
        (any::<prop::sample::Index>(), byte.clone()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (any::<prop::sample::Index>(), 1..40_usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        (any::<prop::sample::Index>(), prop::collection::vec(byte, 1..12)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<prop::sample::Index>(), 1..200_usize).prop_map(|(at, length)| Mutation::Repeat(at, length)),
    ]
}

pub(crate) fn mutated(mut document: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        let length = document.len();
        let place = |at: &prop::sample::Index| at.index(length.max(1));
        match mutation {
            Mutation::Replace(at, byte) => {
                if let Some(old) = document.get_mut(place(at)) {
                    *old = *byte;
                }
            }
            Mutation::Delete(at, count) => {
                document.drain(place(at).min(length)..(place(at) + count).min(length));
            }
            Mutation::Insert(at, bytes) => {
                document.splice(place(at).min(length)..place(at).min(length), bytes.iter().copied());
            }
            Mutation::Repeat(at, count) => {
                let piece = document[place(at).min(length)..(place(at) + count).min(length)].to_vec();
                document.splice(place(at).min(length)..place(at).min(length), piece);
            }
        }
    }
    document
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_feed_is_read_or_refused_and_its_rejects_lie_in_it(mutations in prop::collection::vec(mutation(), 1..6)) {
        let document = mutated(fixtures::bytes("three_answers/second.xml"), &mutations);
        if let Ok(feed) = read(&document) {
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
    fn bytes_of_any_kind_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn a_value_of_any_kind_is_taken_or_rejected_and_never_panics(value in "\\PC{0,40}", attribute in prop::sample::select(ATTRIBUTES.to_vec())) {
        let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let document = fixtures::text("sound/performers_and_venue.xml");
        let at = document.find(&format!(" {attribute}=\"")).unwrap() + attribute.len() + 3;
        let end = at + document[at..].find('"').unwrap();
        let feed = read(format!("{}{escaped}{}", &document[..at], &document[end..]).as_bytes()).unwrap();
        prop_assert!(feed.rejects.len() <= 1);
        prop_assert_eq!(feed.event_count() == 2, feed.rejects.is_empty());
    }
}

/// The attributes of the fixture whose values are drawn.
const ATTRIBUTES: [&str; 9] =
    ["base_event_id", "sell_mode", "title", "event_date", "performer_id", "name", "latitude", "longitude", "place_code"];

#[test]
fn a_generated_feed_is_read_completely() {
    for seed in 1..=5 {
        let catalogue = SimCatalogue { seed, churn: 20.0, ..SimCatalogue::default() };
        for poll in [0, 1, 7] {
            let feed = read(catalogue.feed(poll).as_bytes()).unwrap();
            assert_eq!(feed.rejects, [], "seed {seed}, poll {poll}");
            let read: Vec<Vec<String>> = feed.base_events.iter().map(as_read).collect();
            let said: Vec<Vec<String>> = catalogue.base_events(poll).map(|base_event| as_said(&base_event)).collect();
            assert!(read == said, "seed {seed}, poll {poll}");
        }
    }
}

/// What was read of a base event: a line for itself and one for each event.
fn as_read(base_event: &BaseEventItem) -> Vec<String> {
    let BaseEventItem { source_id, title, sell_mode, organizer_company_id, performers, events, .. } = base_event;
    let bill = |performers: &[PerformerItem]| -> Vec<String> {
        performers.iter().map(|performer| format!("{} {}", performer.source_id, performer.name)).collect()
    };
    let mut lines =
        vec![format!("{source_id} {title} {} {organizer_company_id:?} {:?}", sell_mode == "online", bill(performers))];
    for event in events {
        let time = |time: &Option<LocalTime>| time.as_ref().map(|time| time.wall_clock.clone()).unwrap_or_default();
        let (start, end) = (&event.start.wall_clock, time(&event.end));
        let venue = event
            .venue
            .as_ref()
            .map(|venue| format!("{} {} {} {}", venue.source_id, venue.name, venue.latitude, venue.longitude));
        let zones: Vec<String> = event
            .zones
            .iter()
            .map(|zone| format!("{} {:?} {:?} {} {:?}", zone.source_id, zone.name, zone.capacity, zone.price, zone.numbered))
            .collect();
        let (sold, support) = (event.sold_out, bill(&event.performers));
        lines.push(format!(
            "{} {start} {end} {} {} {sold} {venue:?} {support:?} {zones:?}",
            event.source_id,
            time(&event.sell_from),
            time(&event.sell_to)
        ));
    }
    lines
}

/// The same as the provider says it.
fn as_said(base_event: &SimBaseEvent) -> Vec<String> {
    let SimBaseEvent { id, sell_mode, organizer_company_id, title, performers, events } = base_event;
    let bill = |performers: &[SimPerformer]| -> Vec<String> {
        performers.iter().map(|performer| format!("{} {}", performer.id, performer.name)).collect()
    };
    let organizer = organizer_company_id.map(|id| id.to_string());
    let mut lines = vec![format!("{id} {title} {} {organizer:?} {:?}", *sell_mode == SellMode::Online, bill(performers))];
    for event in events {
        let SimEvent { id, starts, ends, sell_from, sell_to, sold_out, venue, support, zones } = event;
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
        let support = bill(support.as_slice());
        lines.push(format!("{id} {starts:?} {ends:?} {sell_from:?} {sell_to:?} {sold_out} {venue:?} {support:?} {zones:?}"));
    }
    lines
}
