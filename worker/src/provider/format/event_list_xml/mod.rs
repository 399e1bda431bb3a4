//! `event-list-xml`: base events with their events and the priced zones of each event.
//!
//! `docs/feed-format.md` is the reference. Elements and attributes have alternative names in real feeds (`plan` for `event`).
//! Unknown ones are ignored, so a provider may extend its feed without asking us. Those that resemble known ones result in a warning,
//! as do errors in optional details. `attributes` parses the attributes of each element.

mod attributes;
mod elements;

use self::elements::ElementScanner;
use super::{
    Conventions, ElementFilter, FeedDocumentError,
    pieces::{Boundary, FeedPiece, MAX_ITEMS, PieceFormat, PieceSettings},
    unknown_element::{KnownElement, describe_resemblance},
    values::ItemErrors,
    xml::{XmlAttributes, XmlElement, XmlReader, XmlStep},
};
use crate::provider::{
    item::{EventItem, FeedWarnings, HashedElement, ParsedFeed, RejectSubject, RejectedItem},
    time_zone,
};

/// More likely an error report or another format than an empty catalogue.
const NO_OUTPUT: &str = "the root element has no <output> element; send an empty one if nothing is on sale";
const OTHER_ELEMENTS: &str =
    "<output> has elements, but none of them is a <base_event> or <base_plan>; send an empty <output> if nothing is on sale";

const ROOTS: [&str; 2] = ["eventList", "planList"];
const IN_OUTPUT: [KnownElement; 2] = [
    KnownElement { name: "base_event", required: &[&["base_event_id"], &["title"], &["sell_mode"]] },
    KnownElement { name: "base_plan", required: &[&["base_plan_id"], &["title"], &["sell_mode"]] },
];
const PERFORMER: KnownElement = KnownElement { name: "performer", required: &[&["performer_id"], &["name"]] };
const IN_BASE_EVENT: [KnownElement; 3] = [
    KnownElement { name: "event", required: &[&["event_id"], &attributes::START] },
    KnownElement { name: "plan", required: &[&["plan_id"], &attributes::START] },
    PERFORMER,
];
const IN_EVENT: [KnownElement; 3] = [
    KnownElement { name: "zone", required: &[&["zone_id"], &["price"]] },
    KnownElement { name: "venue", required: &[&["venue_id"], &["name"]] },
    PERFORMER,
];

/// A document is split before base events. A marker may be wrong, but should rarely be.
pub(super) const PIECES: PieceFormat =
    PieceFormat { markers: ["<base_event", "<base_plan"], parse_piece, no_items: OTHER_ELEMENTS };

/// Parses a document from one boundary to the next, at the end of the bytes.
fn parse_piece(
    bytes: &[u8],
    start: &Boundary,
    PieceSettings { conventions, filter, max_items }: PieceSettings<'_>,
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
    let mut reader =
        EventListReader { xml, conventions, filter, feed: ParsedFeed::default(), items: 0, max_items, has_others: false };
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
    if has_output { Ok(reader.into_piece(Boundary::Document)) } else { Err(FeedDocumentError::NoItems { detail: NO_OUTPUT }) }
}

struct EventListReader<'a> {
    xml: XmlReader<'a>,
    conventions: &'a Conventions,
    filter: ElementFilter<'a>,
    feed: ParsedFeed,
    items: usize,
    max_items: usize,
    has_others: bool,
}

/// Where the reading of an `<output>` ended.
#[derive(PartialEq, Eq)]
enum OutputEnd {
    OfElement,
    OfInput,
}

/// A parsed event, before its base event is known to be valid.
type EventOutcome = Result<EventItem, RejectedItem>;

impl<'a> EventListReader<'a> {
    fn into_piece(mut self, end: Boundary) -> FeedPiece {
        self.collect_warnings();
        FeedPiece { feed: self.feed, items: self.items, has_others: self.has_others, end }
    }

    /// Reads the rest of the current `<output>`.
    fn read_output(&mut self) -> Result<OutputEnd, FeedDocumentError> {
        let scanner = ElementScanner::new(self.filter.seed, self.xml.namespaces());
        loop {
            let next = scanner.find(self.xml.rest(), self.xml.position());
            if let Some(known) = next.filter(|next| (self.filter.is_known)(next.hash)) {
                self.skip_known(known)?;
                continue;
            }
            match self.xml.step()? {
                XmlStep::Child(child) => match child.name() {
                    "base_event" | "base_plan" => self.read_base_event(&child, &scanner)?,
                    _ => {
                        self.has_others = true;
                        self.skip_unknown(&child, &IN_OUTPUT)?;
                    }
                },
                XmlStep::Closed => return Ok(OutputEnd::OfElement),
                XmlStep::EndOfInput => return Ok(OutputEnd::OfInput),
            }
        }
    }

    /// Skips an element with known bytes.
    fn skip_known(&mut self, known: HashedElement) -> Result<(), FeedDocumentError> {
        self.count_item(known.span.start)?;
        self.xml.skip_known(known.span.end - self.xml.position());
        self.feed.known.push(known);
        Ok(())
    }

    fn read_base_event(&mut self, element: &XmlElement<'a>, scanner: &ElementScanner) -> Result<(), FeedDocumentError> {
        self.collect_warnings();
        let rejects = self.feed.rejects.len();
        let attributes = self.read_item_attributes(element)?;
        let mut errors = ItemErrors::default();
        let parsed = attributes::parse_base_event(&attributes, self.conventions, &mut errors);
        let source_id = parsed.as_ref().map_or_else(|id| id.as_deref(), |base_event| Some(&base_event.source_id));
        let (mut warnings, mut performers) = (FeedWarnings::default(), Vec::new());
        let mut outcomes: Vec<EventOutcome> = Vec::new();
        while let Some(child) = self.xml.next_child()? {
            match child.name() {
                "event" | "plan" => outcomes.push(self.read_event(&child, source_id.unwrap_or_default())?),
                "performer" => performers.extend(self.read_detail(&child, &mut warnings, attributes::parse_performer)?),
                _ => self.skip_unknown(&child, &IN_BASE_EVENT)?,
            }
        }
        let span = element.start..self.xml.position();
        match parsed {
            Ok(mut base_event) => {
                base_event.performers = performers;
                base_event.span = span.clone();
                base_event.events.reserve_exact(outcomes.len());
                for outcome in outcomes {
                    match outcome {
                        Ok(mut event) => {
                            event.name.take_if(|name| *name == base_event.title);
                            base_event.events.push(event);
                        }
                        Err(reject) => self.feed.rejects.push(reject),
                    }
                }
                warnings.extend(element.start, errors.warnings);
                self.add_warnings(warnings, || RejectSubject::BaseEvent(Some(base_event.source_id.clone())));
                self.feed.base_events.push(base_event);
                if self.xml.warnings.count == 0 && self.feed.rejects.len() == rejects {
                    let found = scanner.find(self.xml.text_from(span.start), span.start);
                    self.feed.recognizable.extend(found.filter(|found| found.span == span));
                }
            }
            Err(source_id) => self.feed.rejects.push(RejectedItem {
                span,
                subject: RejectSubject::BaseEvent(source_id),
                events: outcomes.len(),
                reason: errors.describe().unwrap_or_default(),
            }),
        }
        self.collect_warnings();
        Ok(())
    }

    fn read_event(&mut self, element: &XmlElement<'a>, base_event: &str) -> Result<EventOutcome, FeedDocumentError> {
        let attributes = self.read_item_attributes(element)?;
        let currency = attributes.get("currency");
        let mut warnings = FeedWarnings::default();
        let (mut performers, mut zones, mut venue) = (Vec::new(), Vec::new(), None);
        while let Some(child) = self.xml.next_child()? {
            match child.name() {
                "zone" => {
                    let parse = |attributes: &XmlAttributes<'_>, errors: &mut ItemErrors| {
                        attributes::parse_zone(attributes, currency, &self.conventions.currency, errors)
                    };
                    zones.extend(self.read_detail(&child, &mut warnings, parse)?.into_iter().flatten().flatten());
                }
                "performer" => performers.extend(self.read_detail(&child, &mut warnings, attributes::parse_performer)?),
                "venue" => venue = self.read_detail(&child, &mut warnings, attributes::parse_venue)?,
                _ => self.skip_unknown(&child, &IN_EVENT)?,
            }
        }
        let span = element.start..self.xml.position();
        let time_zone = venue.as_ref().and_then(time_zone::of_venue);
        let mut errors = ItemErrors::default();
        // The venue's clock applies to the times in the attributes, which precede it.
        let zone = time_zone.unwrap_or(self.conventions.time_zone);
        match attributes::parse_event(&attributes, zone, self.conventions, &mut errors) {
            Ok(event) => {
                warnings.extend(element.start, errors.warnings);
                self.add_warnings(warnings, || RejectSubject::Event {
                    base_event: base_event.to_owned(),
                    event: Some(event.source_id.clone()),
                });
                Ok(Ok(EventItem { time_zone, performers, venue, zones, span, ..event }))
            }
            Err(event) => Ok(Err(RejectedItem {
                span,
                subject: RejectSubject::Event { base_event: base_event.to_owned(), event },
                events: 1,
                reason: errors.describe().unwrap_or_default(),
            })),
        }
    }

    /// Reads an element that is a detail of its parent. If one of its required attributes is missing or invalid, it is ignored.
    fn read_detail<T>(
        &mut self,
        element: &XmlElement<'a>,
        warnings: &mut FeedWarnings,
        parse: impl FnOnce(&XmlAttributes<'_>, &mut ItemErrors) -> Option<T>,
    ) -> Result<Option<T>, FeedDocumentError> {
        let attributes = self.read_item_attributes(element)?;
        let mut errors = ItemErrors::default();
        let detail = parse(&attributes, &mut errors);
        let name = element.name();
        warnings.extend(element.start, errors.describe().map(|reason| format!("{reason}; the {name} is ignored")));
        warnings.extend(element.start, errors.warnings);
        self.xml.leave()?;
        Ok(detail)
    }

    /// Adds the warnings of an accepted item.
    fn add_warnings(&mut self, mut warnings: FeedWarnings, subject: impl Fn() -> RejectSubject) {
        for warning in &mut warnings.listed {
            warning.subject = Some(subject());
        }
        self.xml.warnings.append(warnings);
    }

    /// Moves the warnings of the current base event to the feed, in the document's order.
    fn collect_warnings(&mut self) {
        let mut warnings = std::mem::take(&mut self.xml.warnings);
        warnings.listed.sort_by_key(|warning| warning.position);
        self.feed.warnings.append(warnings);
    }

    /// Reads the attributes of an element that becomes an item, and counts it.
    fn read_item_attributes<'e>(&mut self, element: &'e XmlElement<'a>) -> Result<XmlAttributes<'e>, FeedDocumentError> {
        self.count_item(element.start)?;
        self.xml.read_attributes(element)
    }

    fn count_item(&mut self, start: usize) -> Result<(), FeedDocumentError> {
        self.items += 1;
        if self.items > self.max_items {
            let (line, _) = self.xml.line_and_column(start);
            return Err(FeedDocumentError::OverLimit { line, limit: MAX_ITEMS, what: "items in a feed" });
        }
        Ok(())
    }

    /// Skips an unknown element where these elements are known.
    fn skip_unknown(&mut self, element: &XmlElement<'a>, known: &[KnownElement]) -> Result<(), FeedDocumentError> {
        let attributes = self.xml.read_attributes(element)?;
        if let Some(warning) = describe_resemblance(element.name(), &attributes, known) {
            self.xml.warnings.push(element.start, warning);
        }
        self.xml.leave()
    }
}
