//! Where an event takes place, and who performs.

use super::{
    details::read_link_name,
    graph::JsonLdGraph,
    node::{JsonLdLink, JsonLdNode},
};
use crate::provider::{
    country::find_country,
    format::values::{self, ItemErrors, describe_missing, name_field},
    item::{Coordinates, PerformerItem, VenueItem},
};

/// Performers of one event: an orchestra has a hundred.
const MAX_PERFORMERS: usize = 1_000;
/// Length of an id that is a name.
const MAX_ID_CHARACTERS: usize = 255;

/// The performers of an event. One without a name is ignored.
pub(super) fn read_performers<'t>(
    performers: &[JsonLdLink<'t>],
    graph: &JsonLdGraph<'t>,
    errors: &mut ItemErrors,
) -> Vec<PerformerItem> {
    let read = |performer: &JsonLdLink<'t>| {
        let name = errors.tolerate(require_name(read_link_name(*performer), "a performer"))?;
        let source_id = read_id(*performer, graph, errors).unwrap_or_else(|| id_of_name(&name));
        Some(PerformerItem { source_id, name })
    };
    performers.iter().take(MAX_PERFORMERS).filter_map(read).collect()
}

/// The venue of an event: the first place that is not virtual and has a name.
pub(super) fn read_venue<'t>(
    locations: &[JsonLdLink<'t>],
    graph: &JsonLdGraph<'t>,
    errors: &mut ItemErrors,
) -> Option<VenueItem> {
    locations.iter().find_map(|location| match *location {
        JsonLdLink::Node(node) if node.types().contains(&"VirtualLocation") => None,
        JsonLdLink::Node(node) => read_place(node, graph, errors),
        JsonLdLink::Text(_) => {
            let name = errors.tolerate(read_link_name(*location))?;
            Some(VenueItem { source_id: id_of_name(&name), name, ..VenueItem::default() })
        }
    })
}

fn read_place<'t>(place: JsonLdNode<'t>, graph: &JsonLdGraph<'t>, errors: &mut ItemErrors) -> Option<VenueItem> {
    let venue = read_address(place, graph, errors);
    let name = place.name("name").map(|name| name.or_else(|| venue.address.clone()).or_else(|| venue.city.clone()));
    let name = errors.tolerate(require_name(name, "a location"))?;
    // Many cities have a `Town Hall`.
    let full_name = || id_of_name(&venue.city.as_ref().map_or_else(|| name.clone(), |city| format!("{name}, {city}")));
    let source_id = read_id(JsonLdLink::Node(place), graph, errors).unwrap_or_else(full_name);
    let coordinates = read_coordinates(place, graph, errors);
    Some(VenueItem { source_id, name, coordinates, ..venue })
}

/// A venue with only its address.
fn read_address<'t>(place: JsonLdNode<'t>, graph: &JsonLdGraph<'t>, errors: &mut ItemErrors) -> VenueItem {
    let address = match graph.links(place, "address").into_iter().next() {
        Some(JsonLdLink::Text(text)) => {
            let address = errors.tolerate(read_link_name(JsonLdLink::Text(text)));
            return VenueItem { address, ..VenueItem::default() };
        }
        Some(JsonLdLink::Node(address)) => address,
        None => place,
    };
    let country = graph.links(address, "addressCountry").into_iter().find_map(|country| match country {
        JsonLdLink::Node(node) => node.text("name").or_else(|| node.own_id()),
        JsonLdLink::Text(text) => Some(text).filter(|text| !text.is_empty()),
    });
    VenueItem {
        address: errors.tolerate(address.name("streetAddress")),
        city: errors.tolerate(address.name("addressLocality")),
        region: errors.tolerate(address.name("addressRegion")),
        country: country.and_then(|text| errors.tolerate(name_field("addressCountry", find_country(text)).map(Some))),
        postal_code: errors.tolerate(address.name("postalCode")),
        ..VenueItem::default()
    }
}

/// The coordinates of the place's `geo`, or else of the place itself.
fn read_coordinates<'t>(place: JsonLdNode<'t>, graph: &JsonLdGraph<'t>, errors: &mut ItemErrors) -> Option<Coordinates> {
    let geo = match graph.links(place, "geo").into_iter().next() {
        Some(JsonLdLink::Node(geo)) => geo,
        Some(JsonLdLink::Text("")) => return None,
        Some(JsonLdLink::Text(_)) => {
            errors.warn("`geo` must have `latitude` and `longitude`; ignored".to_owned());
            return None;
        }
        None => place,
    };
    let latitude = geo.optional("latitude", values::parse_latitude);
    let longitude = geo.optional("longitude", values::parse_longitude);
    let coordinates = match (latitude, longitude) {
        (Ok(None), Ok(None)) => Ok(None),
        (Ok(Some(latitude)), Ok(Some(longitude))) if latitude == 0.0 && longitude == 0.0 => {
            Err("the coordinates 0, 0 are in the ocean".to_owned())
        }
        (Ok(Some(latitude)), Ok(Some(longitude))) => Ok(Some(Coordinates { latitude, longitude })),
        (Err(error), _) | (_, Err(error)) => Err(error),
        (Ok(_), Ok(_)) => Err(describe_missing(&["latitude", "longitude"])),
    };
    errors.tolerate(coordinates)
}

fn read_id<'t>(link: JsonLdLink<'t>, graph: &JsonLdGraph<'t>, errors: &mut ItemErrors) -> Option<String> {
    let JsonLdLink::Node(node) = link else { return None };
    errors.tolerate(graph.find_id(node).map(|id| name_field("@id", values::parse_id(id))).transpose())
}

fn require_name(name: Result<Option<String>, String>, what: &str) -> Result<Option<String>, String> {
    name?.map(Some).ok_or_else(|| format!("{what} has no name"))
}

/// The id of something that has only a name.
pub(super) fn id_of_name(name: &str) -> String {
    name.chars().take(MAX_ID_CHARACTERS).collect()
}
