//! The attributes of each element of `event-list-xml`. An error is recorded for a missing or invalid required attribute, and a warning
//! for an invalid optional one.

use chrono_tz::Tz;

use crate::provider::{
    country::find_country,
    currency::Currency,
    format::{
        Conventions,
        values::{self, ItemErrors, describe_missing, name_field},
        xml::XmlAttributes,
    },
    item::{BaseEventItem, Coordinates, EventItem, ItemDetails, PerformerItem, VenueItem, ZoneItem},
    local_time::{DayEdge, LocalTime, means_none},
    price::PriceRange,
};

const BASE_EVENT_ID: [&str; 2] = ["base_event_id", "base_plan_id"];
const EVENT_ID: [&str; 2] = ["event_id", "plan_id"];
pub(super) const START: [&str; 3] = ["event_start_date", "plan_start_date", "event_date"];
const END: [&str; 2] = ["event_end_date", "plan_end_date"];

/// Parses a base event without its children. The error is its id, if it has a valid one.
pub(super) fn parse_base_event(
    attributes: &XmlAttributes<'_>,
    conventions: &Conventions,
    errors: &mut ItemErrors,
) -> Result<BaseEventItem, Option<String>> {
    let source_id = errors.record(attributes.required(&BASE_EVENT_ID, values::parse_id));
    let title = errors.record(attributes.required(&["title"], values::parse_name));
    let sell_mode = errors.record(attributes.required(&["sell_mode"], values::parse_id));
    let (Some(source_id), Some(title), Some(sell_mode)) = (source_id.clone(), title, sell_mode) else { return Err(source_id) };
    Ok(BaseEventItem {
        source_id,
        title,
        sell_mode,
        organizer_company_id: errors.tolerate(attributes.optional(&["organizer_company_id"], values::parse_id)),
        details: parse_details(attributes, conventions, errors),
        performers: Vec::new(),
        events: Vec::new(),
        span: 0..0,
    })
}

/// Parses an event without its children, with times in this zone. The error is its id, if it has a valid one.
pub(super) fn parse_event(
    attributes: &XmlAttributes<'_>,
    zone: Tz,
    conventions: &Conventions,
    errors: &mut ItemErrors,
) -> Result<EventItem, Option<String>> {
    let source_id = errors.record(attributes.required(&EVENT_ID, values::parse_id));
    let start = parse_time(attributes, &START, zone, DayEdge::Start);
    let start = errors.record(start.and_then(|start| start.ok_or_else(|| describe_missing(&START))));
    let (Some(source_id), Some(start)) = (source_id.clone(), start) else { return Err(source_id) };
    let mut end = errors.tolerate(parse_time(attributes, &END, zone, DayEdge::End));
    if let Some(known_end) = &mut end
        && let Err(error) = LocalTime::check_order(&start, known_end)
    {
        errors.warn(format!("{error}; the end is ignored"));
        end = None;
    }
    end = end.or_else(|| start.end_of_day(zone));
    let status = errors.tolerate(attributes.optional(&["status"], values::parse_status));
    Ok(EventItem {
        source_id,
        name: errors.tolerate(attributes.optional(&["name"], values::parse_name)),
        status: status.unwrap_or_default(),
        details: parse_details(attributes, conventions, errors),
        time_zone: None,
        start,
        end,
        sell_from: errors.tolerate(parse_time(attributes, &["sell_from"], zone, DayEdge::Start)),
        sell_to: errors.tolerate(parse_time(attributes, &["sell_to"], zone, DayEdge::End)),
        sold_out: errors.tolerate(attributes.optional(&["sold_out"], values::parse_boolean)).unwrap_or(false),
        performers: Vec::new(),
        venue: None,
        zones: Vec::new(),
        span: 0..0,
    })
}

/// Parses a zone, given the currency of its event as written. A range of prices is two zones, with its lowest and its highest price.
pub(super) fn parse_zone(
    attributes: &XmlAttributes<'_>,
    event_currency: Option<&str>,
    provider_currency: &Currency,
    errors: &mut ItemErrors,
) -> Option<[Option<ZoneItem>; 2]> {
    let source_id = errors.record(attributes.required(&["zone_id"], values::parse_id));
    let code = attributes.get("currency").or(event_currency);
    let currency = code.map(|code| name_field("currency", values::parse_other_currency(code, provider_currency))).transpose();
    let currency = errors.record(currency).map(Option::flatten);
    let price = currency.as_ref().map(|currency| {
        let currency = currency.as_ref().unwrap_or(provider_currency);
        attributes.required(&["price"], |text| parse_price(text.trim(), currency))
    });
    let PriceRange { low, high } = price.and_then(|price| errors.record(price))?;
    let lowest = ZoneItem {
        source_id: source_id?,
        name: errors.tolerate(attributes.optional(&["name"], values::parse_name)),
        capacity: errors.tolerate(attributes.optional(&["capacity"], values::parse_capacity)),
        price: low,
        currency: currency?,
        numbered: errors.tolerate(attributes.optional(&["numbered"], values::parse_boolean)),
    };
    let highest = (high > low).then(|| ZoneItem { price: high, ..lowest.clone() });
    Some([Some(lowest), highest])
}

/// Parses a price. Nearly all have the documented form, and a feed has millions of them.
fn parse_price(text: &str, currency: &Currency) -> Result<PriceRange, String> {
    currency.parse_price(text).map(PriceRange::from).or_else(|_| PriceRange::read(text, currency))
}

/// Parses a performer.
pub(super) fn parse_performer(attributes: &XmlAttributes<'_>, errors: &mut ItemErrors) -> Option<PerformerItem> {
    let source_id = errors.record(attributes.required(&["performer_id"], values::parse_id));
    let name = errors.record(attributes.required(&["name"], values::parse_name));
    Some(PerformerItem { source_id: source_id?, name: name? })
}

/// Parses a venue.
pub(super) fn parse_venue(attributes: &XmlAttributes<'_>, errors: &mut ItemErrors) -> Option<VenueItem> {
    let source_id = errors.record(attributes.required(&["venue_id"], values::parse_id));
    let name = errors.record(attributes.required(&["name"], values::parse_name));
    let mut parse_name = |attribute| errors.tolerate(attributes.optional(&[attribute], values::parse_name));
    let (address, city, region) = (parse_name("address"), parse_name("city"), parse_name("region"));
    let postal_code = parse_name("postal_code");
    Some(VenueItem {
        source_id: source_id?,
        name: name?,
        coordinates: errors.tolerate(parse_coordinates(attributes)),
        place_code: errors.tolerate(attributes.optional(&["place_code"], values::parse_id)),
        address,
        city,
        region,
        country: errors.tolerate(attributes.optional(&["country"], find_country)),
        postal_code,
        time_zone: errors.tolerate(attributes.optional(&["time_zone"], values::parse_time_zone)),
    })
}

fn parse_coordinates(attributes: &XmlAttributes<'_>) -> Result<Option<Coordinates>, String> {
    let latitude = attributes.optional(&["latitude"], values::parse_latitude)?;
    let longitude = attributes.optional(&["longitude"], values::parse_longitude)?;
    match (latitude, longitude) {
        (Some(latitude), Some(longitude)) => Ok(Some(Coordinates { latitude, longitude })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(describe_missing(&["latitude"])),
        (Some(_), None) => Err(describe_missing(&["longitude"])),
    }
}

fn parse_details(attributes: &XmlAttributes<'_>, conventions: &Conventions, errors: &mut ItemErrors) -> ItemDetails {
    let parse_url = |value: &str| values::parse_url(value, Some(&conventions.origin));
    ItemDetails {
        category: attributes.get("category").and_then(|words| conventions.category_map.find(&[], &[words])),
        description: errors.tolerate(attributes.optional(&["description"], values::parse_description)),
        url: errors.tolerate(attributes.optional(&["url"], parse_url)),
        image_url: errors.tolerate(attributes.optional(&["image_url"], parse_url)),
        organizer_name: errors.tolerate(attributes.optional(&["organizer_name"], values::parse_name)),
    }
}

/// Parses a date, unless it is one that means none.
fn parse_time(attributes: &XmlAttributes<'_>, names: &[&str], zone: Tz, edge: DayEdge) -> Result<Option<LocalTime>, String> {
    let parse = |text: &str| match text.trim() {
        none if means_none(none) => Ok(None),
        text => LocalTime::parse(text, zone, edge).map(Some),
    };
    attributes.optional(names, parse).map(Option::flatten)
}
