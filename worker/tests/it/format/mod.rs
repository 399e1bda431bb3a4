//! Feed formats: bytes in, items and rejects out, without a database.

pub(crate) mod any_bytes;
mod details;
mod icalendar;
mod icalendar_zones;
mod id_from;
mod rejects;
mod schema_org;
mod times;
mod untrusted;
mod warnings;
mod well_formed;
mod words;

use chrono::{NaiveDate, NaiveTime};
use worker::provider::{
    category::CategoryMap,
    format::{self, Conventions, FeedDocumentError, ReadMonth},
    item::{BaseEventItem, EventItem, ParsedFeed},
};

use crate::fixtures;

/// The month in which documents are read.
fn month(first_day: &str) -> ReadMonth {
    let day: NaiveDate = first_day.parse().unwrap();
    ReadMonth::of(day.and_time(NaiveTime::MIN).and_utc().into())
}

/// The conventions of a provider in Madrid, in January 2031.
fn conventions() -> Conventions {
    let (currency, category_map) = ("EUR".parse().unwrap(), CategoryMap::default());
    let origin = "https://feeds.example/".parse().unwrap();
    let month = month("2031-01-01");
    Conventions { time_zone: chrono_tz::Europe::Madrid, currency, category_map, id_from: None, origin, month }
}

/// Parses a document of a provider in Madrid.
pub(crate) fn parse(document: &[u8]) -> Result<ParsedFeed, FeedDocumentError> {
    format::find("event-list-xml").unwrap().parse(document, &conventions())
}

/// Parses a fixture without errors.
fn parse_valid(name: &str) -> Vec<BaseEventItem> {
    let ParsedFeed { base_events, rejects, .. } = parse(&fixtures::bytes(name)).unwrap();
    assert_eq!(rejects, [], "{name}");
    base_events
}

/// The event with this id.
fn event<'a>(base_event: &'a BaseEventItem, id: &str) -> &'a EventItem {
    base_event.events.iter().find(|event| event.source_id == id).unwrap()
}

/// The ids of all events, each after the id of its base event: `322/1642`.
fn ids(base_events: &[BaseEventItem]) -> Vec<String> {
    let pairs = base_events.iter().flat_map(|base| base.events.iter().map(move |event| (base, event)));
    pairs.map(|(base, event)| format!("{}/{}", base.source_id, event.source_id)).collect()
}
