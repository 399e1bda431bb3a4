//! Peer of a sync whose content is the same: a bare quick-xml read of bytes in memory into structs of strings, on one core, with the
//! checks that quick-xml makes unasked and no others.

use std::time::{Duration, Instant};

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event as XmlEvent},
};

use crate::Failure;

#[derive(Default)]
struct BaseEvent {
    id: String,
    title: String,
    sell_mode: String,
    organizer: String,
    performers: Vec<Performer>,
    events: Vec<Event>,
}

#[derive(Default)]
struct Event {
    id: String,
    start: String,
    end: String,
    sell_from: String,
    sell_to: String,
    sold_out: String,
    venue: Option<Venue>,
    zones: Vec<Zone>,
}

#[derive(Default)]
struct Venue {
    id: String,
    name: String,
    latitude: String,
    longitude: String,
    place_code: String,
}

#[derive(Default)]
struct Performer {
    id: String,
    name: String,
}

#[derive(Default)]
struct Zone {
    id: String,
    capacity: String,
    price: String,
    name: String,
    numbered: String,
}

/// A whole read.
pub(crate) struct Read {
    pub(crate) elapsed: Duration,
    /// Time on a processor.
    pub(crate) processor: Duration,
    /// Base events, events and zones.
    pub(crate) found: [usize; 3],
}

/// Reads a document on this thread.
pub(crate) fn read(document: &[u8]) -> Result<Read, Failure> {
    let (begun, processor_begun) = (Instant::now(), processor_time()?);
    let base_events = parse(std::str::from_utf8(document)?)?;
    let (elapsed, processor) = (begun.elapsed(), processor_time()?.saturating_sub(processor_begun));
    let events = base_events.iter().map(|base_event| base_event.events.len()).sum();
    let zones = base_events.iter().flat_map(|base_event| &base_event.events).map(|event| event.zones.len()).sum();
    let found = [base_events.len(), events, zones];
    std::hint::black_box(base_events);
    Ok(Read { elapsed, processor, found })
}

/// How long this thread was on a processor.
fn processor_time() -> Result<Duration, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split(' ').next().unwrap_or_default().parse()?))
}

fn parse(document: &str) -> Result<Vec<BaseEvent>, Failure> {
    let mut reader = Reader::from_str(document);
    let mut base_events: Vec<BaseEvent> = Vec::new();
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
                base_events.last_mut().ok_or("a performer of nothing")?.performers.push(performer);
            }
            "event" => {
                let event = event(&tag)?;
                base_events.last_mut().ok_or("an event of nothing")?.events.push(event);
            }
            "venue" => {
                let venue = venue(&tag)?;
                base_events.last_mut().and_then(|last| last.events.last_mut()).ok_or("a venue of nothing")?.venue = Some(venue);
            }
            "zone" => {
                let zone = zone(&tag)?;
                base_events.last_mut().and_then(|last| last.events.last_mut()).ok_or("a zone of nothing")?.zones.push(zone);
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

fn base_event(tag: &BytesStart<'_>) -> Result<BaseEvent, Failure> {
    let mut read = BaseEvent::default();
    each(tag, |name, value| match name {
        "base_event_id" => read.id = value,
        "title" => read.title = value,
        "sell_mode" => read.sell_mode = value,
        "organizer_company_id" => read.organizer = value,
        _ => {}
    })?;
    Ok(read)
}

fn event(tag: &BytesStart<'_>) -> Result<Event, Failure> {
    let mut read = Event::default();
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

fn venue(tag: &BytesStart<'_>) -> Result<Venue, Failure> {
    let mut read = Venue::default();
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

fn performer(tag: &BytesStart<'_>) -> Result<Performer, Failure> {
    let mut read = Performer::default();
    each(tag, |name, value| match name {
        "performer_id" => read.id = value,
        "name" => read.name = value,
        _ => {}
    })?;
    Ok(read)
}

fn zone(tag: &BytesStart<'_>) -> Result<Zone, Failure> {
    let mut read = Zone::default();
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
    use crate::feed::Feed;

    #[test]
    fn the_peer_reads_the_whole_feed() {
        let feed = Feed::of_mib(1);
        let found = read(&feed.bytes()).expect("a sound feed").found;
        let written = [feed.base_events, feed.event_count(), feed.zone_count()];
        assert_eq!(found.map(|count| count as u64), written);
    }
}
