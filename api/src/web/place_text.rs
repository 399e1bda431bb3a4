//! Where a venue is, as people read it.

use super::map_view::{LandImage, MapView};
use crate::response::Nullable;

/// Where a point is.
#[derive(Debug)]
pub(super) struct PointMap {
    /// A map of another service that shows the point. It is contacted only if the reader follows the link.
    pub(super) url: String,
    /// The coasts around the point, which is in the middle of the map.
    pub(super) land: Vec<LandImage>,
}

impl PointMap {
    /// The map of a latitude and a longitude.
    pub(super) fn at((latitude, longitude): (f64, f64)) -> Self {
        let url = format!("https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=17/{latitude}/{longitude}");
        Self { url, land: MapView::around((latitude, longitude)).land() }
    }
}

/// The lines of an address that are known: the street, the city with its postal code, the region and the country.
pub(super) fn address_lines([address, postal_code, city, region, country]: [&Nullable<String>; 5]) -> Vec<String> {
    let city_line = [postal_code, city].into_iter().filter_map(|part| part.0.as_deref()).collect::<Vec<_>>().join(" ");
    // Some cities are regions, too.
    let region = region.0.clone().filter(|region| city.0.as_ref() != Some(region));
    let lines = [address.0.clone(), Some(city_line), region, country.0.clone()];
    lines.into_iter().flatten().filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_a_text_are_omitted() {
        let lines = |parts: [&str; 5]| {
            let parts = parts.map(|part| Nullable(Some(part.to_owned()).filter(|part| !part.is_empty())));
            address_lines(parts.each_ref())
        };
        assert_eq!(
            lines(["Rambla 113", "08004", "Barcelona", "Catalonia", "ES"]),
            ["Rambla 113", "08004 Barcelona", "Catalonia", "ES"]
        );
        assert_eq!(lines(["", "", "Madrid", "Madrid", ""]), ["Madrid"]);
        assert_eq!(lines([""; 5]), [""; 0]);
    }
}
