//! `event-list-xml`: base events with their events and the priced zones of each event.
//!
//! `docs/feed-format.md` is the reference. Elements and attributes have alternative names in real feeds (`plan` for `event`).
//! Unknown ones are ignored, so a provider may extend its feed without asking us. Those that resemble known ones result in a warning.

use entity::EventStatus;

use super::{
    Conventions, FeedDocumentError,
    pieces::{Boundary, FeedPiece, MAX_ITEMS, PieceFormat},
    unknown_element::{KnownElement, describe_resemblance},
    values::{self, ItemErrors},
    xml::{XmlAttributes, XmlElement, XmlReader, XmlStep},
};
use crate::provider::{
    item::{
        BaseEventItem, Coordinates, EventItem, ItemDetails, ParsedFeed, PerformerItem, RejectSubject, RejectedItem, VenueItem,
        ZoneItem,
    },
    local_time::{DayEdge, LocalTime},
};

const ROOTS: [&str; 2] = ["eventList", "planList"];
const BASE_EVENT_ID: [&str; 2] = ["base_event_id", "base_plan_id"];
const EVENT_ID: [&str; 2] = ["event_id", "plan_id"];
const START: [&str; 3] = ["event_start_date", "plan_start_date", "event_date"];
const END: [&str; 2] = ["event_end_date", "plan_end_date"];

const IN_OUTPUT: [KnownElement; 2] = [
    KnownElement { name: "base_event", required: &[&["base_event_id"], &["title"], &["sell_mode"]] },
    KnownElement { name: "base_plan", required: &[&["base_plan_id"], &["title"], &["sell_mode"]] },
];
const PERFORMER: KnownElement = KnownElement { name: "performer", required: &[&["performer_id"], &["name"]] };
const IN_BASE_EVENT: [KnownElement; 3] = [
    KnownElement { name: "event", required: &[&["event_id"], &START] },
    KnownElement { name: "plan", required: &[&["plan_id"], &START] },
    PERFORMER,
];
const IN_EVENT: [KnownElement; 3] = [
    KnownElement { name: "zone", required: &[&["zone_id"], &["price"]] },
    KnownElement { name: "venue", required: &[&["venue_id"], &["name"]] },
    PERFORMER,
];

/// A document is split before base events. A marker may be wrong, but should rarely be.
pub(super) const PIECES: PieceFormat = PieceFormat { markers: ["<base_event", "<base_plan"], parse_piece };

/// Parses a document from one boundary to the next, at the end of the bytes.
fn parse_piece(
    bytes: &[u8],
    start: &Boundary,
    conventions: &Conventions,
    max_items: usize,
) -> Result<FeedPiece, FeedDocumentError> {
    let (xml, root, mut output) = match start {
        Boundary::Document => {
            let (xml, root) = XmlReader::open(bytes, &ROOTS)?;
            (xml, root.full_name().to_owned(), None)
        }
        Boundary::BaseEvents { root, output, namespaces } => {
            let ancestors = vec![root.clone(), output.clone()];
            (XmlReader::resume(bytes, ancestors, namespaces.clone()), root.clone(), Some(output.clone()))
        }
    };
    let mut has_output = output.is_some();
    let mut reader = EventListReader { xml, conventions, feed: ParsedFeed::default(), items: 0, max_items };
    loop {
        if let Some(output) = output.take()
            && reader.read_output()? == OutputEnd::OfInput
        {
            let namespaces = reader.xml.namespaces().cloned();
            return Ok(reader.into_piece(Boundary::BaseEvents { root, output, namespaces }));
        }
        let Some(child) = reader.xml.next_child()? else { break };
        if child.name() == "output" {
            has_output = true;
            output = Some(child.full_name().to_owned());
            reader.xml.read_attributes(&child)?;
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

/// Where the reading of an `<output>` ended.
#[derive(PartialEq, Eq)]
enum OutputEnd {
    OfElement,
    OfInput,
}

/// A parsed event, before its base event is known to be valid.
type EventOutcome = Result<EventItem, RejectedItem>;

/// The fields of a base event itself.
struct BaseEventFields {
    source_id: Option<String>,
    title: Option<String>,
    sell_mode: Option<String>,
    organizer_company_id: Option<String>,
}

/// The attributes of an event. `None` for those that are missing or invalid.
struct EventFields {
    source_id: Option<String>,
    start: Option<LocalTime>,
    end: Option<LocalTime>,
    sell_from: Option<LocalTime>,
    sell_to: Option<LocalTime>,
    sold_out: bool,
}

impl<'a> EventListReader<'a> {
    fn into_piece(mut self, end: Boundary) -> FeedPiece {
        self.feed.warnings = self.xml.warnings;
        FeedPiece { feed: self.feed, items: self.items, end }
    }

    /// Reads the rest of the current `<output>`.
    fn read_output(&mut self) -> Result<OutputEnd, FeedDocumentError> {
        loop {
            match self.xml.step()? {
                XmlStep::Child(child) => match child.name() {
                    "base_event" | "base_plan" => self.read_base_event(&child)?,
                    _ => self.skip_unknown(&child, &IN_OUTPUT)?,
                },
                XmlStep::Closed => return Ok(OutputEnd::OfElement),
                XmlStep::EndOfInput => return Ok(OutputEnd::OfInput),
            }
        }
    }

    fn read_base_event(&mut self, element: &XmlElement<'a>) -> Result<(), FeedDocumentError> {
        let mut errors = ItemErrors::default();
        let attributes = self.read_item_attributes(element)?;
        let fields = BaseEventFields {
            source_id: errors.record(attributes.required(&BASE_EVENT_ID, values::parse_id)),
            title: errors.record(attributes.required(&["title"], values::parse_name)),
            sell_mode: errors.record(attributes.required(&["sell_mode"], values::parse_id)),
            organizer_company_id: errors.record(attributes.optional(&["organizer_company_id"], values::parse_id)).flatten(),
        };
        let mut performers = Vec::new();
        let mut outcomes: Vec<EventOutcome> = Vec::new();
        while let Some(child) = self.xml.next_child()? {
            match child.name() {
                "event" | "plan" => outcomes.push(self.read_event(&child, fields.source_id.as_deref().unwrap_or_default())?),
                "performer" => performers.extend(self.read_performer(&child, &mut errors)?),
                _ => self.skip_unknown(&child, &IN_BASE_EVENT)?,
            }
        }
        let span = element.start..self.xml.position();
        let BaseEventFields { source_id, title, sell_mode, organizer_company_id } = fields;
        match (source_id, title, sell_mode, errors.describe()) {
            (Some(source_id), Some(title), Some(sell_mode), None) => {
                let mut events = Vec::with_capacity(outcomes.len());
                for outcome in outcomes {
                    match outcome {
                        Ok(event) => events.push(event),
                        Err(reject) => self.feed.rejects.push(reject),
                    }
                }
                let base_event = BaseEventItem {
                    source_id,
                    title,
                    sell_mode,
                    organizer_company_id,
                    details: ItemDetails::default(),
                    performers,
                    events,
                    span,
                };
                self.feed.base_events.push(base_event);
            }
            (source_id, _, _, reason) => self.feed.rejects.push(RejectedItem {
                span,
                subject: RejectSubject::BaseEvent(source_id),
                events: outcomes.len(),
                reason: reason.unwrap_or_default(),
            }),
        }
        Ok(())
    }

    fn read_event(&mut self, element: &XmlElement<'a>, base_event: &str) -> Result<EventOutcome, FeedDocumentError> {
        let mut errors = ItemErrors::default();
        let attributes = self.read_item_attributes(element)?;
        let fields = self.parse_event_fields(&attributes, &mut errors);
        let (mut performers, mut zones, mut venue) = (Vec::new(), Vec::new(), None);
        while let Some(child) = self.xml.next_child()? {
            match child.name() {
                "zone" => zones.extend(self.read_zone(&child, &mut errors)?),
                "performer" => performers.extend(self.read_performer(&child, &mut errors)?),
                "venue" => venue = self.read_venue(&child, &mut errors)?,
                _ => self.skip_unknown(&child, &IN_EVENT)?,
            }
        }
        let span = element.start..self.xml.position();
        let EventFields { source_id, start, end, sell_from, sell_to, sold_out } = fields;
        Ok(match (source_id, start, errors.describe()) {
            (Some(source_id), Some(start), None) => Ok(EventItem {
                source_id,
                name: None,
                status: EventStatus::default(),
                details: ItemDetails::default(),
                time_zone: None,
                start,
                end,
                sell_from,
                sell_to,
                sold_out,
                performers,
                venue,
                zones,
                span,
            }),
            (event, _, reason) => Err(RejectedItem {
                span,
                subject: RejectSubject::Event { base_event: base_event.to_owned(), event },
                events: 1,
                reason: reason.unwrap_or_default(),
            }),
        })
    }

    fn parse_event_fields(&self, attributes: &XmlAttributes<'_>, errors: &mut ItemErrors) -> EventFields {
        let start_of_day = |text: &str| self.parse_time(text, DayEdge::Start);
        let end_of_day = |text: &str| self.parse_time(text, DayEdge::End);
        let fields = EventFields {
            source_id: errors.record(attributes.required(&EVENT_ID, values::parse_id)),
            start: errors.record(attributes.required(&START, start_of_day)),
            end: errors.record(attributes.optional(&END, end_of_day)).flatten(),
            sell_from: errors.record(attributes.optional(&["sell_from"], start_of_day)).flatten(),
            sell_to: errors.record(attributes.optional(&["sell_to"], end_of_day)).flatten(),
            sold_out: errors.record(attributes.optional(&["sold_out"], values::parse_boolean)).flatten().unwrap_or(false),
        };
        if let (Some(start), Some(end)) = (&fields.start, &fields.end) {
            errors.record(LocalTime::check_order(start, end));
        }
        fields
    }

    /// Reads the attributes of an element that becomes an item, and counts it.
    fn read_item_attributes<'e>(&mut self, element: &'e XmlElement<'a>) -> Result<XmlAttributes<'e>, FeedDocumentError> {
        self.items += 1;
        if self.items > self.max_items {
            let (line, _) = self.xml.line_and_column(element.start);
            return Err(FeedDocumentError::OverLimit { line, limit: MAX_ITEMS, what: "items in a feed" });
        }
        self.xml.read_attributes(element)
    }

    /// Skips an unknown element where these elements are known.
    fn skip_unknown(&mut self, element: &XmlElement<'a>, known: &[KnownElement]) -> Result<(), FeedDocumentError> {
        let attributes = self.xml.read_attributes(element)?;
        if let Some(warning) = describe_resemblance(element.name(), &attributes, known) {
            self.xml.warnings.push(element.start, warning);
        }
        self.xml.leave()
    }

    fn read_zone(&mut self, element: &XmlElement<'a>, errors: &mut ItemErrors) -> Result<Option<ZoneItem>, FeedDocumentError> {
        let attributes = self.read_item_attributes(element)?;
        let parse_price = |text: &str| self.conventions.currency.parse_price(text);
        let source_id = errors.record(attributes.required(&["zone_id"], values::parse_id));
        let price = errors.record(attributes.required(&["price"], parse_price));
        let name = errors.record(attributes.optional(&["name"], values::parse_name)).flatten();
        let capacity = errors.record(attributes.optional(&["capacity"], values::parse_capacity)).flatten();
        let numbered = errors.record(attributes.optional(&["numbered"], values::parse_boolean)).flatten();
        self.xml.leave()?;
        Ok(source_id.zip(price).map(|(source_id, price)| ZoneItem { source_id, name, capacity, price, currency: None, numbered }))
    }

    fn read_performer(
        &mut self,
        element: &XmlElement<'a>,
        errors: &mut ItemErrors,
    ) -> Result<Option<PerformerItem>, FeedDocumentError> {
        let attributes = self.read_item_attributes(element)?;
        let source_id = errors.record(attributes.required(&["performer_id"], values::parse_id));
        let name = errors.record(attributes.required(&["name"], values::parse_name));
        self.xml.leave()?;
        Ok(source_id.zip(name).map(|(source_id, name)| PerformerItem { source_id, name }))
    }

    fn read_venue(&mut self, element: &XmlElement<'a>, errors: &mut ItemErrors) -> Result<Option<VenueItem>, FeedDocumentError> {
        let attributes = self.read_item_attributes(element)?;
        let source_id = errors.record(attributes.required(&["venue_id"], values::parse_id));
        let name = errors.record(attributes.required(&["name"], values::parse_name));
        let latitude = errors.record(attributes.required(&["latitude"], values::parse_latitude));
        let longitude = errors.record(attributes.required(&["longitude"], values::parse_longitude));
        let place_code = errors.record(attributes.optional(&["place_code"], values::parse_id)).flatten();
        self.xml.leave()?;
        Ok(match (source_id, name, latitude, longitude) {
            (Some(source_id), Some(name), Some(latitude), Some(longitude)) => Some(VenueItem {
                source_id,
                name,
                coordinates: Some(Coordinates { latitude, longitude }),
                place_code,
                ..VenueItem::default()
            }),
            _ => None,
        })
    }

    fn parse_time(&self, text: &str, edge: DayEdge) -> Result<LocalTime, String> {
        LocalTime::parse(text.trim(), self.conventions.time_zone, edge)
    }
}
