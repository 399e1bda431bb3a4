//! Baseline of a sync with unchanged content: parses a document in memory with quick-xml into structs of strings, on one
//! core, with only the checks of quick-xml.

use std::time::{Duration, Instant};

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event as XmlEvent},
};

use crate::Failure;

#[derive(Default)]
struct ParsedBaseEvent {
    id: String,
    title: String,
    sell_mode: String,
    organizer: String,
    performers: Vec<ParsedPerformer>,
    events: Vec<ParsedEvent>,
}

#[derive(Default)]
struct ParsedEvent {
    id: String,
    start: String,
    end: String,
    sell_from: String,
    sell_to: String,
    sold_out: String,
    venue: Option<ParsedVenue>,
    zones: Vec<ParsedZone>,
}

#[derive(Default)]
struct ParsedVenue {
    id: String,
    name: String,
    latitude: String,
    longitude: String,
    place_code: String,
}

#[derive(Default)]
struct ParsedPerformer {
    id: String,
    name: String,
}

#[derive(Default)]
struct ParsedZone {
    id: String,
    capacity: String,
    price: String,
    name: String,
    numbered: String,
}

/// A parsed document.
pub(crate) struct BaselineFeed {
    pub(crate) elapsed: Duration,
    /// CPU time.
    pub(crate) processor: Duration,
    /// Numbers of base events, events and zones.
    pub(crate) found: [usize; 3],
}

/// Parses a document on this thread.
pub(crate) fn read(document: &[u8]) -> Result<BaselineFeed, Failure> {
    let (started, cpu_started) = (Instant::now(), cpu_time()?);
    let base_events = parse(std::str::from_utf8(document)?)?;
    let (elapsed, processor) = (started.elapsed(), cpu_time()?.saturating_sub(cpu_started));
    let events = base_events.iter().map(|base_event| base_event.events.len()).sum();
    let zones = base_events.iter().flat_map(|base_event| &base_event.events).map(|event| event.zones.len()).sum();
    let found = [base_events.len(), events, zones];
    std::hint::black_box(base_events);
    Ok(BaselineFeed { elapsed, processor, found })
}

/// The CPU time of this thread.
fn cpu_time() -> Result<Duration, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split(' ').next().unwrap_or_default().parse()?))
}

fn parse(document: &str) -> Result<Vec<ParsedBaseEvent>, Failure> {
    let mut reader = Reader::from_str(document);
    let mut base_events: Vec<ParsedBaseEvent> = Vec::new();
    loop {
        let tag = match reader.read_event()? {
            XmlEvent::Start(tag) | XmlEvent::Empty(tag) => tag,
            XmlEvent::Eof => return Ok(base_events),
            _ => continue,
        };
        match tag.local_name().into_inner() {
            "base_event" => base_events.push(base_event(&tag)?),
            "performer" => {
                let performer = performer(&tag)?;
                base_events.last_mut().ok_or("a performer outside of a base event")?.performers.push(performer);
            }
            "event" => {
                let event = event(&tag)?;
                base_events.last_mut().ok_or("an event outside of a base event")?.events.push(event);
            }
            "venue" => {
                let venue = venue(&tag)?;
                base_events.last_mut().and_then(|last| last.events.last_mut()).ok_or("a venue outside of an event")?.venue =
                    Some(venue);
            }
            "zone" => {
                let zone = zone(&tag)?;
                base_events
                    .last_mut()
                    .and_then(|last| last.events.last_mut())
                    .ok_or("a zone outside of an event")?
                    .zones
                    .push(zone);
            }
            _ => {}
        }
    }
}

fn each(tag: &BytesStart<'_>, mut take: impl FnMut(&str, String)) -> Result<(), Failure> {
    for attribute in tag.attributes() {
        let attribute = attribute?;
        take(attribute.key.into_inner(), attribute.normalized_value(XmlVersion::Implicit1_0)?.into_owned());
    }
    Ok(())
}

fn base_event(tag: &BytesStart<'_>) -> Result<ParsedBaseEvent, Failure> {
    let mut read = ParsedBaseEvent::default();
    each(tag, |name, value| match name {
        "base_event_id" => read.id = value,
        "title" => read.title = value,
        "sell_mode" => read.sell_mode = value,
        "organizer_company_id" => read.organizer = value,
        _ => {}
    })?;
    Ok(read)
}

fn event(tag: &BytesStart<'_>) -> Result<ParsedEvent, Failure> {
    let mut read = ParsedEvent::default();
    each(tag, |name, value| match name {
        "event_id" => read.id = value,
        "event_start_date" => read.start = value,
        "event_end_date" => read.end = value,
        "sell_from" => read.sell_from = value,
        "sell_to" => read.sell_to = value,
        "sold_out" => read.sold_out = value,
        _ => {}
    })?;
    Ok(read)
}

fn venue(tag: &BytesStart<'_>) -> Result<ParsedVenue, Failure> {
    let mut read = ParsedVenue::default();
    each(tag, |name, value| match name {
        "venue_id" => read.id = value,
        "name" => read.name = value,
        "latitude" => read.latitude = value,
        "longitude" => read.longitude = value,
        "place_code" => read.place_code = value,
        _ => {}
    })?;
    Ok(read)
}

fn performer(tag: &BytesStart<'_>) -> Result<ParsedPerformer, Failure> {
    let mut read = ParsedPerformer::default();
    each(tag, |name, value| match name {
        "performer_id" => read.id = value,
        "name" => read.name = value,
        _ => {}
    })?;
    Ok(read)
}

fn zone(tag: &BytesStart<'_>) -> Result<ParsedZone, Failure> {
    let mut read = ParsedZone::default();
    each(tag, |name, value| match name {
        "zone_id" => read.id = value,
        "capacity" => read.capacity = value,
        "price" => read.price = value,
        "name" => read.name = value,
        "numbered" => read.numbered = value,
        _ => {}
    })?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::feed::BenchFeed;

    #[test]
    fn parses_the_whole_feed() {
        let feed = BenchFeed::with_mib(1);
        let found = read(&feed.bytes()).expect("a valid feed").found;
        let written = [feed.base_events, feed.event_count(), feed.zone_count()];
        assert_eq!(found.map(|count| count as u64), written);
    }
}
