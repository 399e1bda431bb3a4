//! `schema-org-json`: events as [schema.org](https://schema.org/Event) describes them, in JSON-LD as sites publish it.
//!
//! The document is an array of nodes, an object with a `@graph` of them, or a single node; nodes that are no events are ignored.
//! `docs/feed-format.md` says what becomes of each property. JSON-LD contexts are not resolved: names are taken as they are usually
//! written, without a prefix.

use std::{collections::HashMap, fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Map, Value, error::Category, value::RawValue};

use super::{
    Conventions, FeedDocumentError,
    text::{checked_text, line_and_column},
    values::{self, Faults},
};
use crate::provider::{
    item::{BaseEventItem, EventItem, ONLINE, ParsedFeed, PerformerItem, Reject, RejectSubject, VenueItem, ZoneItem},
    local_time::{DayEdge, LocalTime},
};

/// Nodes of one document: what becomes of them is held in memory at once, at about a kilobyte each.
const MAX_NODES: usize = 1_000_000;
/// Length of one node. Its values are held in memory while it is read, at up to sixteen times its length; a kilobyte is usual.
const MAX_NODE_BYTES: usize = 4 * 1024 * 1024;

/// Reads a whole document.
pub(super) fn read(document: &[u8], conventions: &Conventions) -> Result<ParsedFeed, FeedDocumentError> {
    let text = checked_text(document)?;
    let nodes = nodes(text)?;
    let names = nodes.iter().filter_map(|raw| serde_json::from_str::<Named>(raw.get()).ok()?.into_pair()).collect();
    let mut reader = SchemaOrgReader { conventions, names, feed: ParsedFeed::default() };
    for raw in nodes {
        let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
        let span = start..start + raw.get().len();
        if raw.get().len() > MAX_NODE_BYTES {
            let (line, _) = line_and_column(document, start);
            return Err(FeedDocumentError::OverLimit { line, limit: MAX_NODE_BYTES, what: "bytes in a node" });
        }
        match serde_json::from_str::<Value>(raw.get()) {
            Ok(Value::Object(node)) if Node(&node).is_event() => reader.read_event(Node(&node), span),
            Ok(_) => {}
            // What is JSON by its form may still hold half a character or a number beyond all numbers.
            Err(error) => {
                let reason = format!("the node cannot be read: {error}");
                reader.feed.rejects.push(Reject { span, subject: RejectSubject::BaseEvent(None), events: 1, reason });
            }
        }
    }
    Ok(reader.feed)
}

/// The nodes of a document, unread.
fn nodes(text: &str) -> Result<Vec<&RawValue>, FeedDocumentError> {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow, rename = "@graph")]
        graph: Option<Nodes<'a>>,
        #[serde(rename = "@type")]
        kind: Option<IgnoredAny>,
    }

    match text.trim_start().chars().next() {
        None => Err(FeedDocumentError::Empty),
        Some('[') => Ok(serde_json::from_str::<Nodes<'_>>(text).map_err(not_json)?.0),
        Some('{') => match serde_json::from_str(text).map_err(not_json)? {
            Document { graph: Some(Nodes(nodes)), .. } => Ok(nodes),
            Document { kind: Some(_), .. } => Ok(vec![serde_json::from_str(text).map_err(not_json)?]),
            // An error report, for one: it must not pass for an empty catalogue.
            Document { .. } => Err(wrong_root("an object with neither @graph nor @type")),
        },
        Some(other) => Err(wrong_root(&format!("`{other}`"))),
    }
}

fn wrong_root(found: &str) -> FeedDocumentError {
    FeedDocumentError::WrongRoot {
        found: found.to_owned(),
        expected: "an array of nodes, or an object with a @graph of them".to_owned(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands the error over")]
fn not_json(error: serde_json::Error) -> FeedDocumentError {
    match error.classify() {
        Category::Eof => FeedDocumentError::Truncated,
        _ => FeedDocumentError::Malformed {
            line: error.line(),
            column: error.column(),
            detail: format!("this is not the JSON of a feed: {error}"),
        },
    }
}

/// A list of nodes that is counted while it is read.
struct Nodes<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Nodes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counting;

        impl<'de> Visitor<'de> for Counting {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array of nodes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
                let mut nodes = Vec::new();
                while let Some(node) = sequence.next_element()? {
                    if nodes.len() == MAX_NODES {
                        return Err(de::Error::custom(format!("over the limit of {MAX_NODES} nodes")));
                    }
                    nodes.push(node);
                }
                Ok(nodes)
            }
        }

        deserializer.deserialize_seq(Counting).map(Self)
    }
}

/// As much of a node as another may refer to.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "@id")]
    id: Option<String>,
    name: Option<String>,
}

impl Named {
    fn into_pair(self) -> Option<(String, String)> {
        self.id.zip(self.name)
    }
}

struct SchemaOrgReader<'a> {
    conventions: &'a Conventions,
    /// The names of nodes that others may refer to by their `@id` alone.
    names: HashMap<String, String>,
    feed: ParsedFeed,
}

impl SchemaOrgReader<'_> {
    fn read_event(&mut self, node: Node<'_>, span: Range<usize>) {
        let mut faults = Faults::default();
        let source_id = faults.take(node.required_id());
        let name = faults.take(node.required("name", values::name));
        let series = node.nodes("superEvent").next();
        let (base_event_id, title) = match series {
            None => (source_id.clone(), name),
            Some(series) => {
                let title = self.name_of(series).map_or(Ok(None), |title| values::name("superEvent.name", &title).map(Some));
                (faults.take(series.required_id()), faults.take(title).flatten().or(name))
            }
        };
        let organizer = node.nodes("organizer").next().and_then(Node::id);
        let organizer = faults.take(organizer.map(|id| values::id("organizer", &id)).transpose()).flatten();
        let event = self.read_details(node, source_id.clone(), span.clone(), &mut faults);
        match (base_event_id, title, event, faults.sentence()) {
            (Some(base_event_id), Some(title), Some(event), None) => {
                let sell_mode = node.text("eventStatus").map_or(ONLINE, |status| sell_mode(&status));
                self.feed.base_events.push(BaseEventItem {
                    source_id: base_event_id,
                    title,
                    sell_mode: sell_mode.to_owned(),
                    organizer_company_id: organizer,
                    performers: Vec::new(),
                    events: vec![event],
                    span,
                });
            }
            (base_event, _, _, reason) => {
                let subject = match base_event {
                    Some(base_event) => RejectSubject::Event { base_event, event: source_id },
                    None => RejectSubject::BaseEvent(None),
                };
                self.feed.rejects.push(Reject { span, subject, events: 1, reason: reason.unwrap_or_default() });
            }
        }
    }

    fn read_details(
        &self,
        node: Node<'_>,
        source_id: Option<String>,
        span: Range<usize>,
        faults: &mut Faults,
    ) -> Option<EventItem> {
        let start = faults.take(node.required("startDate", |_, text| self.local_time(text, DayEdge::Start)));
        let end = faults.take(node.optional("endDate", |_, text| self.local_time(text, DayEdge::End))).flatten();
        if let (Some(start), Some(end)) = (&start, &end)
            && end.instant < start.instant
        {
            faults.push(format!("the endDate `{}` is before the startDate `{}`", end.wall_clock, start.wall_clock));
        }
        let venue = node.nodes("location").find_map(|place| read_venue(place, faults));
        let performers = node.nodes("performer").filter_map(|performer| read_performer(performer, faults)).collect();
        let offers: Vec<Node<'_>> = node.nodes("offers").collect();
        let mut zones = Vec::new();
        for (number, &offer) in offers.iter().enumerate() {
            self.read_offer(offer, number, &mut zones, faults);
        }
        let is_sold_out =
            |offer: &Node<'_>| offer.text("availability").is_some_and(|availability| availability.ends_with("SoldOut"));
        let mut sale = |property, edge| {
            let offer = offers.iter().find(|offer| offer.text(property).is_some())?;
            faults.take(offer.optional(property, |_, text| self.local_time(text, edge))).flatten()
        };
        let (sell_from, sell_to) = (sale("validFrom", DayEdge::Start), sale("validThrough", DayEdge::End));
        Some(EventItem {
            source_id: source_id?,
            start: start?,
            end,
            sell_from,
            sell_to,
            sold_out: !offers.is_empty() && offers.iter().all(is_sold_out),
            performers,
            venue,
            zones,
            span,
        })
    }

    /// An offer is a zone; an aggregate of offers is two, its lowest and its highest.
    fn read_offer(&self, offer: Node<'_>, number: usize, zones: &mut Vec<ZoneItem>, faults: &mut Faults) {
        let ours = self.conventions.currency.code();
        if let Some(theirs) = offer.text("priceCurrency").filter(|theirs| theirs != ours) {
            faults.push(format!("priceCurrency `{theirs}` is not the provider's {ours}"));
        }
        let source_id = faults.take(values::id("offer", &offer.id().unwrap_or_else(|| number.to_string()))).unwrap_or_default();
        let name = faults.take(offer.optional("name", values::name)).flatten();
        let seats = offer.nodes("inventoryLevel").next();
        let capacity = seats.and_then(|seats| faults.take(seats.optional("value", values::capacity)).flatten());
        let prices: Vec<String> = ["price", "lowPrice", "highPrice"].iter().filter_map(|property| offer.text(property)).collect();
        if prices.is_empty() {
            faults.push("an offer has neither price nor lowPrice".to_owned());
        }
        for price in prices {
            if let Some(price) = faults.take(self.conventions.currency.parse_price(&price)) {
                zones.push(ZoneItem { source_id: source_id.clone(), name: name.clone(), capacity, price, numbered: None });
            }
        }
    }

    /// The name of a node that may only be a reference to another.
    fn name_of(&self, node: Node<'_>) -> Option<String> {
        node.text("name").or_else(|| self.names.get(&node.text("@id")?).cloned())
    }

    /// ISO 8601 as schema.org has it: the seconds may be missing.
    fn local_time(&self, text: &str, edge: DayEdge) -> Result<LocalTime, String> {
        let text = text.trim();
        let with_seconds = match text.split_at_checked("2021-06-30T21:00".len()) {
            Some((minutes, rest)) if minutes.contains('T') && !rest.starts_with(':') => format!("{minutes}:00{rest}"),
            _ => text.to_owned(),
        };
        LocalTime::parse(&with_seconds, self.conventions.time_zone, edge)
    }
}

/// What an `eventStatus` says of the sale.
fn sell_mode(status: &str) -> &'static str {
    match status.rsplit(['/', ':']).next().unwrap_or(status) {
        "EventCancelled" => "cancelled",
        "EventPostponed" => "postponed",
        _ => ONLINE,
    }
}

/// A place without coordinates is no venue that could be found, and no fault either.
fn read_venue(place: Node<'_>, faults: &mut Faults) -> Option<VenueItem> {
    let geo = place.nodes("geo").next()?;
    let source_id = faults.take(place.id_or_name());
    let name = faults.take(place.required("name", values::name));
    let latitude = faults.take(geo.required("latitude", |property, text| values::degrees(property, text, 90.0)));
    let longitude = faults.take(geo.required("longitude", |property, text| values::degrees(property, text, 180.0)));
    Some(VenueItem { source_id: source_id?, name: name?, latitude: latitude?, longitude: longitude?, place_code: None })
}

fn read_performer(performer: Node<'_>, faults: &mut Faults) -> Option<PerformerItem> {
    let source_id = faults.take(performer.id_or_name());
    let name = faults.take(performer.required("name", values::name));
    Some(PerformerItem { source_id: source_id?, name: name? })
}

/// An object of the document.
#[derive(Clone, Copy)]
struct Node<'a>(&'a Map<String, Value>);

impl<'a> Node<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// `Event` and every kind of it, such as `MusicEvent`; a series is what events are part of.
    fn is_event(self) -> bool {
        let is_kind = |kind: &Value| {
            let kind = kind.as_str().unwrap_or_default();
            kind.ends_with("Event") || ["Festival", "Hackathon"].contains(&kind)
        };
        match self.0.get("@type") {
            Some(Value::Array(kinds)) => kinds.iter().any(is_kind),
            Some(kind) => is_kind(kind),
            None => false,
        }
    }

    /// A property that is a text or a number and says something.
    fn text(self, property: &str) -> Option<String> {
        match self.0.get(property)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The objects of a property: one, several or none.
    fn nodes(self, property: &str) -> impl Iterator<Item = Self> {
        let values = match self.0.get(property) {
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        values.iter().filter_map(Self::of)
    }

    /// The first of what sites use to tell nodes apart.
    fn id(self) -> Option<String> {
        ["@id", "identifier", "sku", "url"].iter().find_map(|property| self.text(property))
    }

    fn required_id(self) -> Result<String, String> {
        values::id("@id", &self.id().ok_or("@id, identifier or url is missing")?)
    }

    /// For what has a name of its own: places and performers are often nothing but that.
    fn id_or_name(self) -> Result<String, String> {
        values::id("@id", &self.id().or_else(|| self.text("name")).ok_or("@id, identifier, url or name is missing")?)
    }

    fn required<T>(self, property: &str, read: impl FnOnce(&str, &str) -> Result<T, String>) -> Result<T, String> {
        self.optional(property, read)?.ok_or_else(|| format!("{property} is missing"))
    }

    fn optional<T>(self, property: &str, read: impl FnOnce(&str, &str) -> Result<T, String>) -> Result<Option<T>, String> {
        self.text(property).map(|text| read(property, &text)).transpose()
    }
}
