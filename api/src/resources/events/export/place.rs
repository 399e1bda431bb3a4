//! Where an event takes place, as texts for people.

use crate::find::EventView;

/// The venue of an event, its street, its city with the postal code, its region and its country.
pub(super) fn place_lines(event: &EventView) -> Vec<String> {
    let Some(venue) = event.venue() else { return Vec::new() };
    let city: Vec<&str> = [&event.postal_code, &event.city].into_iter().filter_map(|text| text.as_deref()).collect();
    let lines = [
        Some(venue.name.to_owned()),
        event.address.clone(),
        (!city.is_empty()).then(|| city.join(" ")),
        event.region.clone(),
        event.country.clone(),
    ];
    lines.into_iter().flatten().collect()
}
