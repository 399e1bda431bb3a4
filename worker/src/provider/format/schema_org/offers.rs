//! The offers of an event: prices, sale period, and whether it is sold out.

use super::{
    details::read_url,
    graph::JsonLdGraph,
    node::{JsonLdLink, JsonLdNode},
    status::find_constant,
    times::TimeReader,
    value::JsonValue,
};
use crate::provider::{
    currency::Currency,
    format::values::{self, ItemErrors, name_field},
    item::ZoneItem,
    local_time::{DayEdge, LocalTime},
    price::PriceRange,
};

/// Offers of one event that are read. A hall has a dozen prices; thousands of offers are single seats.
const MAX_OFFERS: usize = 1_000;
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
        availability.into_iter().filter_map(find_constant).any(|name| {
            let name = name.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(name);
            ["soldout", "outofstock"].iter().any(|sold_out| name.eq_ignore_ascii_case(sold_out))
        })
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
        EventOffers {
            zones,
            sold_out: !offers.is_empty() && offers.iter().all(|offer| offer.is_sold_out()),
            sell_from,
            sell_to,
            // It may become the id of the event, so it does not depend on the server.
            url: offers.iter().find_map(|offer| read_url(offer.node_with("url"), "url", None, self.errors)),
        }
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
        for specification in self.graph.nodes(node, "priceSpecification") {
            let specified = Offer { node: specification, aggregate: Some(offer.node_with("priceCurrency")) };
            prices.extend(self.read_prices(specified, specification, &SPECIFIED_PRICES));
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

    /// The prices of these properties, with their currency if it is not the provider's.
    fn read_prices(&mut self, offer: Offer<'t>, node: JsonLdNode<'t>, properties: &[&str]) -> Vec<(i64, Option<Currency>)> {
        let values = properties.iter().filter_map(|property| Some((*property, find_price(node.get(property)?)?)));
        let values: Vec<(&str, &JsonValue<'t>)> = values.collect();
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
        self.errors.tolerate(event.optional("isAccessibleForFree", values::parse_boolean)).unwrap_or(false)
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

fn instant(time: &LocalTime) -> i64 {
    time.instant.0
}

/// The first value that is a price, even a blank one.
fn find_price<'t>(value: &'t JsonValue<'t>) -> Option<&'t JsonValue<'t>> {
    value.parts().into_iter().find(|part| part.text().is_some())
}
