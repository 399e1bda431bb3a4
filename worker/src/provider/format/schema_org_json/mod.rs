//! `schema-org-json`: [schema.org events](https://schema.org/Event) in JSON-LD, as websites publish them.
//!
//! The document is an array of nodes, an object with a `@graph`, or a single node. Nodes that are not events are ignored.
//! `docs/feed-format.md` is the reference for the properties. JSON-LD contexts are not resolved: names must be unprefixed, as they
//! usually are.

mod document;
mod node;

use std::{collections::HashMap, ops::Range};

use entity::EventStatus;
use serde::Deserialize;
use serde_json::Value;

use self::{document::JsonLdDocument, node::JsonLdNode};
use super::{
    Conventions, FeedDocumentError,
    clean_text::clean_paragraphs,
    values::{self, ItemErrors, name_field, parse_name},
};
use crate::provider::{
    item::{
        BaseEventItem, Coordinates, EventItem, FeedWarning, ItemDetails, ONLINE, ParsedFeed, PerformerItem, RejectSubject,
        RejectedItem, VenueItem, ZoneItem,
    },
    local_time::{DayEdge, LocalTime},
};

/// Parses a whole document.
pub(super) fn parse(document: &[u8], conventions: &Conventions) -> Result<ParsedFeed, FeedDocumentError> {
    let document = JsonLdDocument::parse(document)?;
    let nodes = document.raw_nodes();
    let names = nodes.filter_map(|(raw, _)| serde_json::from_str::<NamedNode>(raw).ok()?.into_pair()).collect();
    let mut reader = SchemaOrgReader { conventions, names, feed: ParsedFeed::default() };
    for (raw, span) in document.raw_nodes() {
        document.check_node_size(&span)?;
        match serde_json::from_str::<Value>(raw) {
            Ok(Value::Object(node)) if JsonLdNode(&node).is_event() => reader.read_event(JsonLdNode(&node), span),
            Ok(_) => {}
            // The document was only checked for its structure: a node may still contain half a surrogate pair or a number
            // outside the range of a double.
            Err(error) => {
                let reason = format!("the node is not valid JSON: {}", document::describe_json_error(&error));
                reader.feed.rejects.push(RejectedItem { span, subject: RejectSubject::BaseEvent(None), events: 1, reason });
            }
        }
    }
    Ok(reader.feed)
}

/// The properties of a node that other nodes may refer to.
#[derive(Deserialize)]
struct NamedNode {
    #[serde(rename = "@id")]
    id: Option<String>,
    name: Option<String>,
}

impl NamedNode {
    fn into_pair(self) -> Option<(String, String)> {
        self.id.zip(self.name)
    }
}

struct SchemaOrgReader<'a> {
    conventions: &'a Conventions,
    /// The names of nodes by `@id`, for nodes that contain only a reference.
    names: HashMap<String, String>,
    feed: ParsedFeed,
}

impl SchemaOrgReader<'_> {
    fn read_event(&mut self, node: JsonLdNode<'_>, span: Range<usize>) {
        let mut errors = ItemErrors::default();
        let source_id = errors.record(node.required_id());
        let name = errors.record(node.required("name", parse_name));
        let series = node.nodes("superEvent").next();
        let (base_event_id, title) = match series {
            None => (source_id.clone(), name),
            Some(series) => {
                let title = self.resolve_name(series).map(|title| name_field("superEvent.name", parse_name(&title)));
                (errors.record(series.required_id()), errors.record(title.transpose()).flatten().or(name))
            }
        };
        let organizer = node.nodes("organizer").next().and_then(JsonLdNode::id);
        let organizer = organizer.map(|id| name_field("organizer", values::parse_id(&id)));
        let organizer_company_id = errors.record(organizer.transpose()).flatten();
        let description = node.text("description").map(|text| clean_paragraphs(&text)).filter(|text| !text.is_empty());
        let event = self.read_details(node, source_id.clone(), span.clone(), &mut errors);
        match (base_event_id, title, event, errors.describe()) {
            (Some(base_event_id), Some(title), Some(event), None) => {
                let subject = RejectSubject::Event { base_event: base_event_id.clone(), event: source_id };
                for reason in errors.warnings {
                    let warning = FeedWarning { position: span.start, subject: Some(subject.clone()), reason };
                    self.feed.warnings.add(warning);
                }
                let sell_mode = node.text("eventStatus").map_or(ONLINE, |status| map_sell_mode(&status));
                self.feed.base_events.push(BaseEventItem {
                    source_id: base_event_id,
                    title,
                    sell_mode: sell_mode.to_owned(),
                    organizer_company_id,
                    details: ItemDetails { description, ..ItemDetails::default() },
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
                self.feed.rejects.push(RejectedItem { span, subject, events: 1, reason: reason.unwrap_or_default() });
            }
        }
    }

    fn read_details(
        &self,
        node: JsonLdNode<'_>,
        source_id: Option<String>,
        span: Range<usize>,
        errors: &mut ItemErrors,
    ) -> Option<EventItem> {
        let start = errors.record(node.required("startDate", |text| self.parse_time(text, DayEdge::Start)));
        let mut end = errors.tolerate(node.optional("endDate", |text| self.parse_time(text, DayEdge::End)));
        if let (Some(start), Some(known_end)) = (&start, &mut end)
            && let Err(error) = LocalTime::check_order(start, known_end)
        {
            errors.warn(format!("{error}; the event is imported without an end"));
            end = None;
        }
        let venue = node.nodes("location").find_map(|place| read_venue(place, errors));
        let performers = node.nodes("performer").filter_map(|performer| read_performer(performer, errors)).collect();
        let offers: Vec<JsonLdNode<'_>> = node.nodes("offers").collect();
        let mut zones = Vec::new();
        for (index, &offer) in offers.iter().enumerate() {
            self.read_offer(offer, index, &mut zones, errors);
        }
        let is_sold_out =
            |offer: &JsonLdNode<'_>| offer.text("availability").is_some_and(|availability| availability.ends_with("SoldOut"));
        let mut read_sale_time = |property, edge| {
            let offer = offers.iter().find(|offer| offer.text(property).is_some())?;
            errors.record(offer.optional(property, |text| self.parse_time(text, edge))).flatten()
        };
        let sell_from = read_sale_time("validFrom", DayEdge::Start);
        let sell_to = read_sale_time("validThrough", DayEdge::End);
        Some(EventItem {
            source_id: source_id?,
            name: None,
            status: EventStatus::default(),
            details: ItemDetails::default(),
            time_zone: None,
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

    /// An offer becomes a zone; an aggregate offer becomes two, with its lowest and its highest price.
    fn read_offer(&self, offer: JsonLdNode<'_>, index: usize, zones: &mut Vec<ZoneItem>, errors: &mut ItemErrors) {
        let currency = &self.conventions.currency;
        errors.record(offer.optional("priceCurrency", |code| currency.check_code(code)));
        let source_id = offer.id().unwrap_or_else(|| index.to_string());
        let source_id = errors.record(name_field("offer", values::parse_id(&source_id))).unwrap_or_default();
        let name = errors.record(offer.optional("name", parse_name)).flatten();
        let inventory = offer.nodes("inventoryLevel").next();
        let capacity =
            inventory.and_then(|inventory| errors.record(inventory.optional("value", values::parse_capacity)).flatten());
        let mut has_price = false;
        for property in ["price", "lowPrice", "highPrice"] {
            let price = offer.optional(property, |text| currency.parse_price(text));
            has_price |= !matches!(price, Ok(None));
            if let Some(price) = errors.record(price).flatten() {
                zones.push(ZoneItem {
                    source_id: source_id.clone(),
                    name: name.clone(),
                    capacity,
                    price,
                    currency: None,
                    numbered: None,
                });
            }
        }
        if !has_price {
            errors.push("an offer must have `price` or `lowPrice`".to_owned());
        }
    }

    /// The name of a node, or of the node that it refers to.
    fn resolve_name(&self, node: JsonLdNode<'_>) -> Option<String> {
        node.text("name").or_else(|| self.names.get(&node.text("@id")?).cloned())
    }

    /// Parses ISO 8601 as schema.org uses it: seconds are optional.
    fn parse_time(&self, text: &str, edge: DayEdge) -> Result<LocalTime, String> {
        let text = text.trim();
        let with_seconds = match text.split_at_checked("2021-06-30T21:00".len()) {
            Some((minutes, rest)) if minutes.contains('T') && !rest.starts_with(':') => format!("{minutes}:00{rest}"),
            _ => text.to_owned(),
        };
        LocalTime::parse(&with_seconds, self.conventions.time_zone, edge)
    }
}

/// Maps an `eventStatus` to a sell mode.
fn map_sell_mode(status: &str) -> &'static str {
    match status.rsplit(['/', ':']).next().unwrap_or(status) {
        "EventCancelled" => "cancelled",
        "EventPostponed" => "postponed",
        _ => ONLINE,
    }
}

/// A location without coordinates cannot be found by position; it is not a venue and not an error.
fn read_venue(location: JsonLdNode<'_>, errors: &mut ItemErrors) -> Option<VenueItem> {
    let geo = location.nodes("geo").next()?;
    let source_id = errors.record(location.id_or_name());
    let name = errors.record(location.required("name", parse_name));
    let latitude = errors.record(geo.required("latitude", values::parse_latitude));
    let longitude = errors.record(geo.required("longitude", values::parse_longitude));
    Some(VenueItem {
        source_id: source_id?,
        name: name?,
        coordinates: Some(Coordinates { latitude: latitude?, longitude: longitude? }),
        ..VenueItem::default()
    })
}

fn read_performer(performer: JsonLdNode<'_>, errors: &mut ItemErrors) -> Option<PerformerItem> {
    let source_id = errors.record(performer.id_or_name());
    let name = errors.record(performer.required("name", parse_name));
    Some(PerformerItem { source_id: source_id?, name: name? })
}
