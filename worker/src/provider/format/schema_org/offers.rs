//! The offers of an event: prices, sale period, and whether it is sold out.

use super::{
    details::read_url,
    graph::JsonLdGraph,
    node::{JsonLdLink, JsonLdNode},
    status::list_constants,
    times::TimeReader,
    value::{JsonValue, last_segment},
};
use crate::provider::{
    currency::Currency,
    format::values::{self, ItemErrors, name_field},
    item::ZoneItem,
    local_time::{DayEdge, LocalTime},
    price::PriceRange,
    quote::quote,
};

/// Offers of one event that are read. A hall has a dozen prices; thousands of offers are single seats.
const MAX_OFFERS: usize = 1_000;
/// Prices of one offer that are read, for example by age.
const MAX_PRICES: usize = 100;
const PRICES: [&str; 3] = ["price", "lowPrice", "highPrice"];
const SPECIFIED_PRICES: [&str; 3] = ["price", "minPrice", "maxPrice"];

/// What the offers of an event result in.
#[derive(Debug, Default)]
pub(super) struct EventOffers {
    pub(super) zones: Vec<ZoneItem>,
    pub(super) sold_out: bool,
    pub(super) sell_from: Option<LocalTime>,
    pub(super) sell_to: Option<LocalTime>,
    /// Where to buy.
    pub(super) url: Option<String>,
}

/// Reads the offers of one event.
pub(super) struct OfferReader<'r, 't> {
    pub(super) graph: &'r JsonLdGraph<'t>,
    pub(super) currency: &'r Currency,
    pub(super) times: TimeReader,
    pub(super) errors: &'r mut ItemErrors,
}

/// An offer, perhaps one of an `AggregateOffer`, which has the properties that they share.
#[derive(Clone, Copy)]
struct Offer<'t> {
    node: JsonLdNode<'t>,
    aggregate: Option<JsonLdNode<'t>>,
}

impl<'t> Offer<'t> {
    /// The node with this property.
    fn node_with(self, property: &str) -> JsonLdNode<'t> {
        self.aggregate.filter(|_| self.node.get(property).is_none()).unwrap_or(self.node)
    }

    fn is_sold_out(self) -> bool {
        let availability = self.node_with("availability").parts("availability");
        availability
            .into_iter()
            .flat_map(list_constants)
            .any(|name| ["soldout", "outofstock"].iter().any(|sold_out| last_segment(name).eq_ignore_ascii_case(sold_out)))
    }
}

impl<'t> OfferReader<'_, 't> {
    pub(super) fn read(mut self, event: JsonLdNode<'t>) -> EventOffers {
        let offers = self.list_offers(event);
        let mut zones = Vec::new();
        for (index, offer) in offers.iter().enumerate() {
            zones.extend(self.read_zones(*offer, offer.node, index));
        }
        if zones.is_empty() {
            // An aggregate of offers without prices may still have the lowest and the highest one.
            let aggregate = offers.iter().find_map(|offer| offer.aggregate);
            zones.extend(aggregate.into_iter().flat_map(|node| self.read_zones(Offer { node, aggregate: None }, node, 0)));
        }
        if zones.is_empty() && self.is_free(event) {
            let source_id = "free".to_owned();
            zones.push(ZoneItem { source_id, name: None, capacity: None, price: 0, currency: None, numbered: None });
        }
        let (sell_from, sell_to) = self.read_sale_period(&offers);
        let url = offers.iter().find_map(|offer| read_url(offer.node_with("url"), "url", None, self.errors));
        EventOffers {
            zones,
            sold_out: !offers.is_empty() && offers.iter().all(|offer| offer.is_sold_out()),
            sell_from,
            sell_to,
            // It may become the id of the event, so it does not depend on the server.
            url: url.or_else(|| self.read_ticket_url(event)),
        }
    }

    /// The URL of offers that are a text.
    fn read_ticket_url(&mut self, event: JsonLdNode<'t>) -> Option<String> {
        self.graph.links(event, "offers").into_iter().take(MAX_OFFERS).find_map(|link| match link {
            JsonLdLink::Text("") | JsonLdLink::Node(_) => None,
            JsonLdLink::Text(text) => self.errors.tolerate(name_field("offers", values::parse_url(text, None)).map(Some)),
        })
    }

    /// The offers, with those of aggregates in their place.
    fn list_offers(&mut self, event: JsonLdNode<'t>) -> Vec<Offer<'t>> {
        let mut offers = Vec::new();
        for node in self.graph.nodes(event, "offers") {
            let parts = self.graph.nodes(node, "offers");
            if parts.is_empty() {
                offers.push(Offer { node, aggregate: None });
            }
            offers.extend(parts.into_iter().take(MAX_OFFERS).map(|part| Offer { node: part, aggregate: Some(node) }));
            if offers.len() > MAX_OFFERS {
                self.errors.warn(format!("only the first {MAX_OFFERS} offers are imported"));
                offers.truncate(MAX_OFFERS);
                break;
            }
        }
        offers
    }

    /// A zone for each price of the offer: one, or the lowest and the highest one. An offer without a price only has a URL.
    fn read_zones(&mut self, offer: Offer<'t>, node: JsonLdNode<'t>, index: usize) -> Vec<ZoneItem> {
        let mut prices = self.read_prices(offer, node, &PRICES);
        let shared = offer.node_with("priceCurrency");
        for specification in self.graph.nodes(node, "priceSpecification").into_iter().take(MAX_PRICES) {
            prices.extend(self.read_specified_prices(specification, shared));
            if prices.len() > 2 * MAX_PRICES {
                break;
            }
        }
        if prices.len() > 2 * MAX_PRICES {
            self.errors.warn(format!("only the first {MAX_PRICES} prices of an offer are imported"));
            prices.truncate(2 * MAX_PRICES);
        }
        if prices.is_empty() {
            return Vec::new();
        }
        let id = node.id().map(|id| name_field("offer", values::parse_id(id)));
        let source_id = self.errors.tolerate(id.transpose()).unwrap_or_else(|| index.to_string());
        let name = self.errors.tolerate(node.name("name"));
        let capacity = self.read_capacity(node);
        let mut zones: Vec<ZoneItem> = Vec::with_capacity(prices.len());
        for (price, currency) in prices {
            if !zones.iter().any(|zone| zone.price == price && zone.currency == currency) {
                let (source_id, name) = (source_id.clone(), name.clone());
                zones.push(ZoneItem { source_id, name, capacity, price, currency, numbered: None });
            }
        }
        zones
    }

    /// The prices of a specification, or of the components of one without a price. `shared` may have the currency.
    fn read_specified_prices(&mut self, node: JsonLdNode<'t>, shared: JsonLdNode<'t>) -> Vec<(i64, Option<Currency>)> {
        let prices = self.read_prices(Offer { node, aggregate: Some(shared) }, node, &SPECIFIED_PRICES);
        if !prices.is_empty() {
            return prices;
        }
        let shared = if node.get("priceCurrency").is_some() { node } else { shared };
        let components = self.graph.nodes(node, "priceComponent").into_iter().take(MAX_PRICES);
        let offers = components.map(|component| Offer { node: component, aggregate: Some(shared) });
        offers.flat_map(|offer| self.read_prices(offer, offer.node, &SPECIFIED_PRICES)).take(2 * MAX_PRICES + 1).collect()
    }

    /// The prices of these properties, with their currency if it is not the provider's.
    fn read_prices(
        &mut self,
        offer: Offer<'t>,
        node: JsonLdNode<'t>,
        properties: &[&'static str],
    ) -> Vec<(i64, Option<Currency>)> {
        let parts = |property: &'static str| node.parts(property).into_iter().map(move |part| (property, part));
        let values = properties.iter().flat_map(|property| parts(property)).filter(|(_, part)| !is_blank(part));
        let values: Vec<(&str, &JsonValue<'t>)> = values.take(MAX_PRICES + 1).collect();
        if values.is_empty() {
            return Vec::new();
        }
        let code = offer.node_with("priceCurrency").text("priceCurrency");
        let other = match code.map_or(Ok(None), |code| values::parse_other_currency(code, self.currency)) {
            Ok(other) => other,
            Err(error) => {
                self.errors.warn(format!("`priceCurrency` {error}; the offer is ignored"));
                return Vec::new();
            }
        };
        let currency = other.as_ref().unwrap_or(self.currency);
        let mut prices = Vec::new();
        for (property, value) in values {
            let range = match value {
                JsonValue::Number(digits) => PriceRange::read_number(digits, currency),
                JsonValue::Object(object) if value.text().is_none() => {
                    Err(format!("must be a number or a text, got {}", quote(object.raw)))
                }
                value => PriceRange::read(value.text().unwrap_or_default(), currency),
            };
            if let Some(PriceRange { low, high }) = self.errors.tolerate(name_field(property, range).map(Some)) {
                prices.push((low, other.clone()));
                prices.push((high, other.clone()));
            }
        }
        prices
    }

    fn read_capacity(&mut self, offer: JsonLdNode<'t>) -> Option<i64> {
        let level = self.graph.links(offer, "inventoryLevel").into_iter().find_map(|level| match level {
            JsonLdLink::Node(node) => node.text("value"),
            JsonLdLink::Text(text) => Some(text).filter(|text| !text.is_empty()),
        })?;
        self.errors.tolerate(name_field("inventoryLevel", values::parse_capacity(level)).map(Some))
    }

    fn is_free(&mut self, event: JsonLdNode<'t>) -> bool {
        let words = event.parts("isAccessibleForFree").into_iter().find_map(|value| list_constants(value).into_iter().next());
        let is_free = words.map(|word| name_field("isAccessibleForFree", values::parse_boolean(last_segment(word))));
        self.errors.tolerate(is_free.transpose()).unwrap_or(false)
    }

    /// The widest of all sale periods. An offer without a start or an end of its sale has always been, or will always be on sale; one
    /// without both has no data.
    fn read_sale_period(&mut self, offers: &[Offer<'t>]) -> (Option<LocalTime>, Option<LocalTime>) {
        let mut read = |offer: &Offer<'t>, properties: [&str; 2], edge| -> Vec<LocalTime> {
            let nodes = properties.map(|property| (property, offer.node_with(property)));
            nodes.into_iter().filter_map(|(property, node)| self.times.read_optional(node, property, edge, self.errors)).collect()
        };
        let mut periods = Vec::new();
        for offer in offers {
            let start = read(offer, ["validFrom", "availabilityStarts"], DayEdge::Start).into_iter().min_by_key(instant);
            let end = read(offer, ["validThrough", "availabilityEnds"], DayEdge::End).into_iter().max_by_key(instant);
            if start.is_some() || end.is_some() {
                periods.push((start, end));
            }
        }
        let (starts, ends): (Vec<_>, Vec<_>) = periods.into_iter().unzip();
        let starts: Option<Vec<LocalTime>> = starts.into_iter().collect();
        let ends: Option<Vec<LocalTime>> = ends.into_iter().collect();
        let first = starts.and_then(|starts| starts.into_iter().min_by_key(instant));
        (first, ends.and_then(|ends| ends.into_iter().max_by_key(instant)))
    }
}

/// Whether a value counts as missing.
fn is_blank(value: &JsonValue<'_>) -> bool {
    matches!(value, JsonValue::Text(text) if text.trim_ascii().is_empty())
}

fn instant(time: &LocalTime) -> i64 {
    time.instant.0
}
