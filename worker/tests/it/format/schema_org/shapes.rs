//! The shape of a document has no meaning: nested nodes, references, and all containers result in the same events.

use proptest::prelude::*;
use worker::provider::{format, item::BaseEventItem};

use super::{
    super::{
        any_bytes::{mutate, mutation},
        conventions,
    },
    parse,
};
use crate::fixtures;

/// An event of a generated document.
#[derive(Clone, Debug)]
struct Night {
    /// Unique in the document.
    id: usize,
    day: u8,
    performers: Vec<u8>,
    venue: Option<u8>,
    price: Option<u16>,
    series: Option<u8>,
    is_cancelled: bool,
}

/// A shape of a document.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Nested,
    ByReference,
    /// The events of a series are its `subEvent`s.
    InSeries,
    /// The events of a venue are its `event`s.
    InVenue,
    ItemList,
    DataFeed,
    /// As [`Shape::ByReference`], backwards and in two graphs.
    TwoGraphs,
    /// As [`Shape::ByReference`], with each node on its own line.
    JsonLines,
}

const SHAPES: [Shape; 8] = [
    Shape::Nested,
    Shape::ByReference,
    Shape::InSeries,
    Shape::InVenue,
    Shape::ItemList,
    Shape::DataFeed,
    Shape::TwoGraphs,
    Shape::JsonLines,
];

fn night() -> impl Strategy<Value = Night> {
    let optional = |max: u8| prop::option::of(0..max);
    (1..28_u8, prop::collection::vec(0..4_u8, 0..3), optional(3), prop::option::of(0..500_u16), optional(3), any::<bool>())
        .prop_map(|(day, performers, venue, price, series, is_cancelled)| Night {
            id: 0,
            day,
            performers,
            venue,
            price,
            series,
            is_cancelled,
        })
}

fn performer(number: u8) -> String {
    format!(r##"{{"@type":"MusicGroup","@id":"#p{number}","name":"Performer &amp; {number}"}}"##)
}

fn venue(number: u8, events: &str) -> String {
    format!(
        r##"{{"@type":"MusicVenue","@id":"#v{number}","name":"Hall {number}","geo":{{"latitude":4{number}.5,"longitude":2}}{events}}}"##
    )
}

fn offer(night: &Night, price: u16) -> String {
    format!(r##"{{"@type":"Offer","@id":"#o{}","price":"{price}.50","priceCurrency":"EUR"}}"##, night.id)
}

/// The series 0 has dates, and so is an event itself.
fn series(number: u8, events: &str) -> String {
    let dates = if number == 0 { r#","startDate":"2031-05-01","endDate":"2031-05-31""# } else { "" };
    format!(
        r##"{{"@type":"EventSeries","@id":"#s{number}","name":"Series {number}","description":"All {number}"{dates}{events}}}"##
    )
}

/// A node, or a reference to it.
fn link(node: String, is_reference: bool) -> String {
    let id = node.split("\"@id\":").nth(1).and_then(|rest| rest.split([',', '}']).next()).unwrap();
    if is_reference { format!(r#"{{"@id":{id}}}"#) } else { node }
}

fn event(night: &Night, shape: Shape) -> String {
    let Night { id, day, performers, price, is_cancelled, .. } = night;
    let is_reference = shape != Shape::Nested;
    let performers: Vec<String> = performers.iter().map(|number| link(performer(*number), is_reference)).collect();
    let status = if *is_cancelled { "EventCancelled" } else { "https://schema.org/EventScheduled" };
    let mut properties = vec![format!(
        r#""@type":"MusicEvent","@id":"e{id}","name":"Night {id}","startDate":"2031-05-{day:02}T20:00:00","performer":[{}],"eventStatus":"{status}""#,
        performers.join(",")
    )];
    if let Some(number) = night.venue.filter(|_| shape != Shape::InVenue) {
        properties.push(format!(r#""location":{}"#, link(venue(number, ""), is_reference)));
    }
    if let Some(price) = price {
        properties.push(format!(r#""offers":{}"#, link(offer(night, *price), is_reference)));
    }
    if let Some(number) = night.series.filter(|_| shape != Shape::InSeries) {
        properties.push(format!(r#""superEvent":{}"#, link(series(number, ""), is_reference)));
    }
    format!("{{{}}}", properties.join(","))
}

/// The events of these nights as a property of what they have in common.
fn list(nights: &[Night], shape: Shape, property: &str, is_member: impl Fn(&Night) -> bool) -> String {
    let events: Vec<String> = nights.iter().filter(|night| is_member(night)).map(|night| event(night, shape)).collect();
    if events.is_empty() { String::new() } else { format!(r#","{property}":[{}]"#, events.join(",")) }
}

/// The nodes to which the events refer, with the events that they contain in this shape.
fn definitions(nights: &[Night], shape: Shape) -> Vec<String> {
    let is_used = |number: u8, used: fn(&Night) -> Vec<u8>| nights.iter().any(|night| used(night).contains(&number));
    let mut nodes: Vec<String> =
        (0..4).filter(|number| is_used(*number, |night| night.performers.clone())).map(performer).collect();
    for number in (0..3).filter(|number| is_used(*number, |night| night.venue.into_iter().collect())) {
        let is_here = |night: &Night| shape == Shape::InVenue && night.venue == Some(number);
        nodes.push(venue(number, &list(nights, shape, "event", is_here)));
    }
    for number in (0..3).filter(|number| is_used(*number, |night| night.series.into_iter().collect())) {
        let is_part = |night: &Night| shape == Shape::InSeries && night.series == Some(number);
        nodes.push(series(number, &list(nights, shape, "subEvent", is_part)));
    }
    nodes.extend(nights.iter().filter_map(|night| Some(offer(night, night.price?))));
    nodes
}

fn document(nights: &[Night], shape: Shape) -> String {
    let is_contained = |night: &&Night| match shape {
        Shape::InSeries => night.series.is_some(),
        Shape::InVenue => night.venue.is_some(),
        _ => false,
    };
    let events: Vec<String> = nights.iter().filter(|night| !is_contained(night)).map(|night| event(night, shape)).collect();
    let wrap = |events: &[String], before: &str, after: &str| -> String {
        let events: Vec<String> = events.iter().map(|event| format!("{before}{event}{after}")).collect();
        events.join(",")
    };
    let mut nodes = if shape == Shape::Nested { Vec::new() } else { definitions(nights, shape) };
    match shape {
        Shape::ItemList => nodes.push(format!(
            r#"{{"@type":"ItemList","itemListElement":[{}]}}"#,
            wrap(&events, r#"{"@type":"ListItem","item":"#, "}")
        )),
        Shape::DataFeed => nodes.push(format!(
            r#"{{"@type":"DataFeed","dataFeedElement":[{}]}}"#,
            wrap(&events, r#"{"@type":"DataFeedItem","item":"#, "}")
        )),
        _ => nodes.extend(events),
    }
    if shape == Shape::TwoGraphs {
        nodes.reverse();
        let second = nodes.split_off(nodes.len() / 2);
        return format!(r#"[{{"@graph":[{}]}},{{"@graph":[{}]}}]"#, nodes.join(","), second.join(","));
    }
    if shape == Shape::JsonLines {
        return nodes.join("\n");
    }
    format!(r#"{{"@context":"https://schema.org","@graph":[{}]}}"#, nodes.join(","))
}

/// The items without their order and positions.
fn normalize(mut base_events: Vec<BaseEventItem>) -> Vec<BaseEventItem> {
    base_events.sort_by(|left, right| left.source_id.cmp(&right.source_id));
    for base_event in &mut base_events {
        base_event.span = 0..0;
        base_event.events.sort_by(|left, right| left.source_id.cmp(&right.source_id));
        base_event.events.iter_mut().for_each(|event| event.span = 0..0);
    }
    base_events
}

proptest! {
    #[test]
    fn a_mutated_document_has_only_valid_items(mutations in prop::collection::vec(mutation(), 1..6)) {
        let document = fixtures::text("schema_org/graph.json");
        let page = format!("<title>Jazz</title><script type=\"application/ld+json\">{document}</script>");
        for (format, document) in [("schema-org-json", document), ("schema-org-html", page)] {
            let document = mutate(document.into_bytes(), &mutations);
            let Ok(feed) = format::find(format).unwrap().parse(&document, &conventions()) else { continue };
            for reject in &feed.rejects {
                prop_assert!(!reject.reason.is_empty() && document[reject.span.clone()].starts_with(b"{"), "{reject:?}");
            }
            prop_assert!(feed.warnings.listed.iter().all(|warning| warning.position < document.len()));
            for event in feed.base_events.iter().flat_map(|base_event| &base_event.events) {
                prop_assert!(document[event.span.clone()].starts_with(b"{"), "{event:?}");
                prop_assert!(event.end.as_ref().is_none_or(|end| end.instant >= event.start.instant));
                prop_assert!(event.zones.iter().all(|zone| zone.price >= 0));
            }
        }
    }

    #[test]
    fn every_shape_of_a_document_has_the_same_events(mut nights in prop::collection::vec(night(), 1..8)) {
        nights.iter_mut().enumerate().for_each(|(id, night)| night.id = id);
        let read = |shape| {
            let document = document(&nights, shape);
            let feed = parse(document.as_bytes()).unwrap();
            assert_eq!((&feed.rejects, &feed.warnings.listed), (&vec![], &vec![]), "{document}");
            normalize(feed.base_events)
        };
        let nested = read(Shape::Nested);
        let has_dated_series = nights.iter().any(|night| night.series == Some(0));
        let events: usize = nested.iter().map(|base_event| base_event.events.len()).sum();
        prop_assert_eq!(events, nights.len() + usize::from(has_dated_series));
        for shape in SHAPES {
            prop_assert_eq!(&read(shape), &nested, "{:?}: {}", shape, document(&nights, shape));
        }
    }
}
