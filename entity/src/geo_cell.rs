//! Points as integers, so that an index of one column can find those of a region.

use crate::sphere::degrees_of_latitude;

/// Degrees that are added to a circle, so that rounding excludes no point of it.
const MARGIN: f64 = 1e-6;
/// A square of degrees as an integer. The bits of the longitude and the latitude alternate, as in a
/// [geohash](https://en.wikipedia.org/wiki/Geohash) (G. M. Morton, "A Computer Oriented Geodetic Data Base", IBM, 1966): the cells of any
/// larger square are one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GeoCell(pub i64);

impl GeoCell {
    /// Bits of each coordinate: half a metre at the equator.
    pub const BITS: u32 = 26;

    /// The cell of a point, in degrees north (-90 to 90) and east (-180 to 180).
    #[must_use]
    pub fn at(latitude: f64, longitude: f64) -> Self {
        Self((spread(scale(longitude, 180.0)) << 1 | spread(scale(latitude, 90.0))).cast_signed())
    }
}

/// A square of 1,024 by 1,024 cells of the whole globe: 20 km from north to south, and 39 km from west to east at the equator. One area, or
/// a few, contain a city and its surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GeoArea(pub i32);

impl GeoArea {
    /// How many of the last bits of a cell its area lacks.
    pub const SHIFT: u32 = 32;

    /// The areas that contain points within a distance of a point (latitude, longitude and kilometres), or `None` if they are more than `max`.
    #[must_use]
    pub fn within_radius((latitude, longitude, km): (f64, f64, f64), max: usize) -> Option<Vec<Self>> {
        let height = degrees_of_latitude(km);
        let (south, north) = (latitude - height, latitude + height);
        if south <= -90.0 || north >= 90.0 {
            return Self::within_degrees([-180.0, south.max(-90.0), 180.0, north.min(90.0)], max);
        }
        // A great circle touches the circle there (J. P. Matuschek, "Finding Points Within a Distance of a Latitude/Longitude", 2011).
        let width = (height.to_radians().sin() / latitude.to_radians().cos()).min(1.0).asin().to_degrees() + MARGIN;
        let (west, east) = (longitude - width, longitude + width);
        let parts = if west < -180.0 {
            vec![[-180.0, east], [west + 360.0, 180.0]]
        } else if east > 180.0 {
            vec![[west, 180.0], [-180.0, east - 360.0]]
        } else {
            vec![[west, east]]
        };
        let mut areas = Vec::new();
        for [west, east] in parts {
            areas.extend(Self::within_degrees([west, south, east, north], max)?);
        }
        areas.sort_unstable();
        areas.dedup();
        (areas.len() <= max).then_some(areas)
    }

    /// The areas of a rectangle (west, south, east and north), or `None` if they are more than `max`.
    #[must_use]
    pub fn within_degrees([west, south, east, north]: [f64; 4], max: usize) -> Option<Vec<Self>> {
        let column = |degrees| scale(degrees, 180.0) >> (Self::SHIFT / 2);
        let row = |degrees| scale(degrees, 90.0) >> (Self::SHIFT / 2);
        let (columns, rows) = (column(west)..=column(east), row(south)..=row(north));
        let count = (columns.end() - columns.start() + 1) * (rows.end() - rows.start() + 1);
        if count > max as u64 {
            return None;
        }
        let areas = columns.flat_map(|column| rows.clone().map(move |row| spread(column) << 1 | spread(row)));
        areas.map(|area| i32::try_from(area).ok().map(Self)).collect()
    }

    /// The area of a cell.
    #[must_use]
    pub fn of(cell: GeoCell) -> Self {
        Self((cell.0 >> Self::SHIFT) as i32)
    }
}

/// The position between `-limit` and `limit`, from 0 to 2²⁶ - 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is clamped")]
fn scale(degrees: f64, limit: f64) -> u64 {
    let cells = f64::from(1_u32 << GeoCell::BITS);
    ((degrees + limit) / (2.0 * limit) * cells).clamp(0.0, cells - 1.0) as u64
}

/// Inserts a zero before each of the lower 32 bits.
fn spread(bits: u64) -> u64 {
    let steps = [
        (16, 0x0000_FFFF_0000_FFFF),
        (8, 0x00FF_00FF_00FF_00FF),
        (4, 0x0F0F_0F0F_0F0F_0F0F),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ];
    steps.into_iter().fold(bits, |bits, (shift, mask)| (bits | bits << shift) & mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sphere::{Direction, chord_squared};

    #[test]
    fn cells_of_a_square_are_one_range() {
        // The first bits of Barcelona, 41.39 north, 2.17 east: east, north, west of 90°, south of 45°.
        let barcelona = GeoCell::at(41.387_4, 2.168_6).0;
        assert_eq!(barcelona >> (2 * GeoCell::BITS - 4), 0b1100);
        for (latitude, longitude) in [(0.0, 0.0), (44.999, 89.999), (20.0, 89.0)] {
            assert_eq!(GeoCell::at(latitude, longitude).0 >> (2 * GeoCell::BITS - 4), 0b1100, "{latitude} {longitude}");
        }
        assert_ne!(GeoCell::at(45.001, 2.0).0 >> (2 * GeoCell::BITS - 4), 0b1100);
    }

    #[test]
    fn the_areas_of_a_circle_contain_all_of_its_points() {
        for (latitude, longitude, km) in
            [(41.4, 2.2, 10.0), (0.0, 179.99, 25.0), (65.0, -179.9, 40.0), (-54.8, -68.3, 30.0), (78.2, 15.6, 3.0)]
        {
            let areas = GeoArea::within_radius((latitude, longitude, km), 64).unwrap();
            let center = Direction::from_degrees(latitude, longitude);
            for step in 0..40_000 {
                let (north, east) = (f64::from(step / 200 - 100) / 100.0, f64::from(step % 200 - 100) / 50.0);
                let longitude = (longitude + east + 180.0).rem_euclid(360.0) - 180.0;
                let point = Direction::from_degrees(latitude + north, longitude);
                if point.chord_squared_to(center) <= chord_squared(km) {
                    let area = GeoArea::of(GeoCell::at(latitude + north, longitude));
                    assert!(areas.contains(&area), "{latitude} {longitude} {km}: {north} {east}");
                }
            }
        }
        assert_eq!(GeoArea::within_radius((0.0, 0.0, 1_000.0), 64), None);
        assert_eq!(GeoArea::within_degrees([-180.0, -90.0, 180.0, 90.0], 64), None);
    }

    #[test]
    fn the_limits_are_the_first_and_the_last_cell() {
        assert_eq!(GeoCell::at(-90.0, -180.0), GeoCell(0));
        assert_eq!(GeoCell::at(90.0, 180.0), GeoCell((1 << (2 * GeoCell::BITS)) - 1));
        assert_ne!(GeoCell::at(41.387_4, 2.168_6), GeoCell::at(41.387_41, 2.168_6), "a metre apart");
    }
}
