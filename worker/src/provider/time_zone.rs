//! The time zones of venues: where a feed does not name them, they follow from the coordinates.

use std::{cell::RefCell, collections::HashMap, sync::LazyLock};

use chrono_tz::Tz;
use tzf_rs::EmbeddedFinder;

use super::item::{Coordinates, VenueItem};

/// The borders of all time zones, simplified by up to a hundred meters. They stay compressed in the binary: 4 MiB, and a microsecond
/// for each search.
static BORDERS: LazyLock<EmbeddedFinder> = LazyLock::new(EmbeddedFinder::new);

/// Coordinates that each thread remembers. Few feeds have more venues, and all of them need less than a megabyte.
const MAX_CACHED: usize = 8192;

thread_local! {
    /// A feed repeats its venues in most of its events.
    static CACHE: RefCell<HashMap<[u64; 2], Option<Tz>>> = RefCell::default();
}

/// The time zone of a venue: as the feed states it, or else at its coordinates; `None` if neither is known.
#[must_use]
pub fn of_venue(venue: &VenueItem) -> Option<Tz> {
    venue.time_zone.or_else(|| venue.coordinates.and_then(of_coordinates))
}

fn of_coordinates(coordinates: Coordinates) -> Option<Tz> {
    let Coordinates { latitude, longitude } = coordinates;
    let key = [latitude.to_bits(), longitude.to_bits()];
    CACHE.with_borrow_mut(|cache| {
        if cache.len() == MAX_CACHED {
            cache.clear();
        }
        *cache.entry(key).or_insert_with(|| find_on_land(BORDERS.get_tz_name(longitude, latitude)))
    })
}

/// The zone with this name, unless it is one of the sea (`Etc/GMT+9`): coordinates there, such as 0,0, are more likely wrong.
fn find_on_land(name: &str) -> Option<Tz> {
    if name.starts_with("Etc/") { None } else { name.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn venue(latitude: f64, longitude: f64) -> VenueItem {
        VenueItem { coordinates: Some(Coordinates { latitude, longitude }), ..VenueItem::default() }
    }

    #[test]
    fn finds_the_zone_of_coordinates_on_land() {
        for (latitude, longitude, expected) in [
            (41.374, 2.169, Some(Tz::Europe__Madrid)),
            (28.124, -15.436, Some(Tz::Atlantic__Canary)),
            (-33.857, 151.215, Some(Tz::Australia__Sydney)),
            // The two sides of a border in one city: El Paso and Ciudad Juárez.
            (31.772, -106.461, Some(Tz::America__Denver)),
            (31.735, -106.480, Some(Tz::America__Ciudad_Juarez)),
            (0.0, 0.0, None),
            (-50.0, -140.0, None),
            (90.0, 180.0, None),
        ] {
            assert_eq!(of_venue(&venue(latitude, longitude)), expected, "{latitude},{longitude}");
        }
    }

    #[test]
    fn the_zone_of_the_feed_precedes_the_coordinates() {
        let venue = VenueItem { time_zone: Some(Tz::Asia__Tokyo), ..venue(41.374, 2.169) };
        assert_eq!(of_venue(&venue), Some(Tz::Asia__Tokyo));
        assert_eq!(of_venue(&VenueItem::default()), None);
    }

    #[test]
    fn more_venues_than_are_cached_are_found_too() {
        for degrees in 0..MAX_CACHED + 10 {
            let longitude = 2.0 + f64::from(u16::try_from(degrees).expect("small")) / 1_000_000.0;
            assert_eq!(of_venue(&venue(41.6, longitude)), Some(Tz::Europe__Madrid), "{longitude}");
        }
    }
}
