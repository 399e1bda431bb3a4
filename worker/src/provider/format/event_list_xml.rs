//! `event-list-xml`: the feed of base events, their events and the priced zones of each.
//!
//! `docs/feed-format.md` is its reference. Every element and attribute has a second name in the field (`plan` for `event`);
//! unknown ones are ignored, so that a provider may add to its feed without asking us.

use super::{
    Conventions, FeedDocumentError,
    pieces::{Boundary, MAX_ITEMS, Piece, Pieces},
    values::{self, Faults},
    xml::{Attributes, Element, Next, XmlReader},
};
use crate::provider::{
    item::{BaseEventItem, EventItem, ParsedFeed, PerformerItem, Reject, RejectSubject, VenueItem, ZoneItem},
    local_time::{DayEdge, LocalTime},
};

const ROOTS: [&str; 2] = ["eventList", "planList"];
const BASE_EVENT_ID: [&str; 2] = ["base_event_id", "base_plan_id"];
const EVENT_ID: [&str; 2] = ["event_id", "plan_id"];
const START: [&str; 3] = ["event_start_date", "plan_start_date", "event_date"];
const END: [&str; 2] = ["event_end_date", "plan_end_date"];

/// How a document is cut: in front of base events. The places need not be right, only likely.
pub(super) const PIECES: Pieces = Pieces { markers: ["<base_event", "<base_plan"], read: read_piece };

/// Reads a document from one boundary to the next, at the end of the bytes.
fn read_piece(bytes: &[u8], from: &Boundary, conventions: &Conventions, max_items: usize) -> Result<Piece, FeedDocumentError> {
    let (xml, root, mut output) = match from {
        Boundary::Document => {
            let (xml, root) = XmlReader::open(bytes, &ROOTS)?;
            (xml, root.full_name().to_owned(), None)
        }
        Boundary::BaseEvents { root, output } => {
            (XmlReader::resume(bytes, &[root.clone(), output.clone()]), root.clone(), Some(output.clone()))
        }
    };
    let mut has_output = output.is_some();
    let mut reader = EventListReader { xml, conventions, feed: ParsedFeed::default(), items: 0, max_items };
    loop {
        if let Some(output) = output.take()
            && reader.read_output()? == OutputEnd::OfInput
        {
            return Ok(reader.into_piece(Boundary::BaseEvents { root, output }));
        }
        let Some(child) = reader.xml.next_child()? else { break };
        if child.name() == "output" {
            has_output = true;
            output = Some(child.full_name().to_owned());
            reader.xml.attributes(&child)?;
        } else {
            reader.xml.skip(&child)?;
        }
    }
    reader.xml.finish()?;
    if has_output { Ok(reader.into_piece(Boundary::Document)) } else { Err(FeedDocumentError::NoItems { element: "output" }) }
}

struct EventListReader<'a> {
    xml: XmlReader<'a>,
    conventions: &'a Conventions,
    feed: ParsedFeed,
    items: usize,
    max_items: usize,
}

/// What ended the reading of an `<output>`.
#[derive(PartialEq, Eq)]
enum OutputEnd {
    OfElement,
    OfInput,
}

/// An event that was read to its end, before it is known whether its base event is taken.
type EventOutcome = Result<EventItem, Reject>;

impl<'a> EventListReader<'a> {
    fn into_piece(self, until: Boundary) -> Piece {
        Piece { feed: self.feed, items: self.items, until }
    }

    /// Reads what is left of an output that was entered.
    fn read_output(&mut self) -> Result<OutputEnd, FeedDocumentError> {
        loop {
            match self.xml.next()? {
                Next::Child(child) => match child.name() {
                    "base_event" | "base_plan" => self.read_base_event(&child)?,
                    _ => self.xml.skip(&child)?,
                },
                Next::Closed => return Ok(OutputEnd::OfElement),
                Next::EndOfInput => return Ok(OutputEnd::OfInput),
            }
        }
    }

    fn read_base_event(&mut self, element: &Element<'a>) -> Result<(), FeedDocumentError> {
        let mut faults = Faults::default();
        let attributes = self.enter(element)?;
        let source_id = faults.take(required(&attributes, &BASE_EVENT_ID, values::id));
        let title = faults.take(required(&attributes, &["title"], values::name));
        let sell_mode = faults.take(required(&attributes, &["sell_mode"], values::id));
        let organizer_company_id = faults.take(optional(&attributes, &["organizer_company_id"], values::id)).flatten();

        let mut performers = Vec::new();
        let mut outcomes: Vec<EventOutcome> = Vec::new();
        while let Some(child) = self.xml.next_child()? {
            match child.name() {
                "event" | "plan" => outcomes.push(self.read_event(&child, source_id.as_deref().unwrap_or_default())?),
                "performer" => performers.extend(self.read_performer(&child, &mut faults)?),
                _ => self.xml.skip(&child)?,
            }
        }

        match (source_id, title, sell_mode, faults.sentence()) {
            (Some(source_id), Some(title), Some(sell_mode), None) => {
                let mut events = Vec::with_capacity(outcomes.len());
                for outcome in outcomes {
                    match outcome {
                        Ok(event) => events.push(event),
                        Err(reject) => self.feed.rejects.push(reject),
                    }
                }
                self.feed.base_events.push(BaseEventItem {
                    source_id,
                    title,
                    sell_mode,
                    organizer_company_id,
                    performers,
                    events,
                    span: element.start..self.xml.position(),
                });
            }
            (source_id, _, _, reason) => self.feed.rejects.push(Reject {
                span: element.start..self.xml.position(),
                subject: RejectSubject::BaseEvent(source_id),
                events: outcomes.len(),
                reason: reason.unwrap_or_default(),
            }),
        }
        Ok(())
    }

    fn read_event(&mut self, element: &Element<'a>, base_event: &str) -> Result<EventOutcome, FeedDocumentError> {
        let mut faults = Faults::default();
        let attributes = self.enter(element)?;
        let source_id = faults.take(required(&attributes, &EVENT_ID, values::id));
        let start = faults.take(required(&attributes, &START, |_, text| self.local_time(text, DayEdge::Start)));
        let end = faults.take(optional(&attributes, &END, |_, text| self.local_time(text, DayEdge::End))).flatten();
        let sell_from =
            faults.take(optional(&attributes, &["sell_from"], |_, text| self.local_time(text, DayEdge::Start))).flatten();
        let sell_to = faults.take(optional(&attributes, &["sell_to"], |_, text| self.local_time(text, DayEdge::End))).flatten();
        let sold_out = faults.take(optional(&attributes, &["sold_out"], values::boolean)).flatten().unwrap_or(false);
        if let (Some(start), Some(end)) = (&start, &end)
            && end.instant < start.instant
        {
            faults.push(format!("the end `{}` is before the start `{}`", end.wall_clock, start.wall_clock));
        }

        let (mut performers, mut zones, mut venue) = (Vec::new(), Vec::new(), None);
        while let Some(child) = self.xml.next_child()? {
            match child.name() {
                "zone" => zones.extend(self.read_zone(&child, &mut faults)?),
                "performer" => performers.extend(self.read_performer(&child, &mut faults)?),
                "venue" => venue = self.read_venue(&child, &mut faults)?,
                _ => self.xml.skip(&child)?,
            }
        }

        let span = element.start..self.xml.position();
        Ok(match (source_id, start, faults.sentence()) {
            (Some(source_id), Some(start), None) => {
                Ok(EventItem { source_id, start, end, sell_from, sell_to, sold_out, performers, venue, zones, span })
            }
            (event, _, reason) => Err(Reject {
                span,
                subject: RejectSubject::Event { base_event: base_event.to_owned(), event },
                events: 1,
                reason: reason.unwrap_or_default(),
            }),
        })
    }

    /// The attributes of an element that becomes something.
    fn enter<'e>(&mut self, element: &'e Element<'a>) -> Result<Attributes<'e>, FeedDocumentError> {
        self.items += 1;
        if self.items > self.max_items {
            let (line, _) = self.xml.line_and_column(element.start);
            return Err(FeedDocumentError::OverLimit { line, limit: MAX_ITEMS, what: "items in a feed" });
        }
        self.xml.attributes(element)
    }

    fn read_zone(&mut self, element: &Element<'a>, faults: &mut Faults) -> Result<Option<ZoneItem>, FeedDocumentError> {
        let attributes = self.enter(element)?;
        let source_id = faults.take(required(&attributes, &["zone_id"], values::id));
        let price = faults.take(required(&attributes, &["price"], |_, text| self.conventions.currency.parse_price(text)));
        let name = faults.take(optional(&attributes, &["name"], values::name)).flatten();
        let capacity = faults.take(optional(&attributes, &["capacity"], values::capacity)).flatten();
        let numbered = faults.take(optional(&attributes, &["numbered"], values::boolean)).flatten();
        self.xml.leave()?;
        Ok(source_id.zip(price).map(|(source_id, price)| ZoneItem { source_id, name, capacity, price, numbered }))
    }

    fn read_performer(&mut self, element: &Element<'a>, faults: &mut Faults) -> Result<Option<PerformerItem>, FeedDocumentError> {
        let attributes = self.enter(element)?;
        let source_id = faults.take(required(&attributes, &["performer_id"], values::id));
        let name = faults.take(required(&attributes, &["name"], values::name));
        self.xml.leave()?;
        Ok(source_id.zip(name).map(|(source_id, name)| PerformerItem { source_id, name }))
    }

    fn read_venue(&mut self, element: &Element<'a>, faults: &mut Faults) -> Result<Option<VenueItem>, FeedDocumentError> {
        let attributes = self.enter(element)?;
        let source_id = faults.take(required(&attributes, &["venue_id"], values::id));
        let name = faults.take(required(&attributes, &["name"], values::name));
        let latitude = faults.take(required(&attributes, &["latitude"], |name, text| values::degrees(name, text, 90.0)));
        let longitude = faults.take(required(&attributes, &["longitude"], |name, text| values::degrees(name, text, 180.0)));
        let place_code = faults.take(optional(&attributes, &["place_code"], values::id)).flatten();
        self.xml.leave()?;
        Ok(match (source_id, name, latitude, longitude) {
            (Some(source_id), Some(name), Some(latitude), Some(longitude)) => {
                Some(VenueItem { source_id, name, latitude, longitude, place_code })
            }
            _ => None,
        })
    }

    fn local_time(&self, text: &str, edge: DayEdge) -> Result<LocalTime, String> {
        LocalTime::parse(text.trim(), self.conventions.time_zone, edge)
    }
}

fn required<T>(
    attributes: &Attributes<'_>,
    names: &[&'static str],
    read: impl FnOnce(&str, &str) -> Result<T, String>,
) -> Result<T, String> {
    optional(attributes, names, read)?.ok_or_else(|| format!("{} is missing", names.join(" or ")))
}

fn optional<T>(
    attributes: &Attributes<'_>,
    names: &[&'static str],
    read: impl FnOnce(&str, &str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    attributes.get(names).map(|value| read(names.first().copied().unwrap_or_default(), value)).transpose()
}
