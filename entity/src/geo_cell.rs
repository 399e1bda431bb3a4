//! Points as integers, so that an index of one column can find those of a region.

/// Bits of each coordinate: half a metre at the equator.
const BITS: u32 = 26;

/// A square of degrees as an integer. The bits of the longitude and the latitude alternate, as in a
/// [geohash](https://en.wikipedia.org/wiki/Geohash) (G. M. Morton, "A Computer Oriented Geodetic Data Base", IBM, 1966): the cells of any
/// larger square are one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GeoCell(pub i64);

impl GeoCell {
    /// The cell of a point, in degrees north (-90 to 90) and east (-180 to 180).
    #[must_use]
    pub fn at(latitude: f64, longitude: f64) -> Self {
        Self((spread(scale(longitude, 180.0)) << 1 | spread(scale(latitude, 90.0))).cast_signed())
    }
}

/// The position between `-limit` and `limit`, from 0 to 2²⁶ - 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is clamped")]
fn scale(degrees: f64, limit: f64) -> u64 {
    let cells = f64::from(1_u32 << BITS);
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

    #[test]
    fn cells_of_a_square_are_one_range() {
        // The first bits of Barcelona, 41.39 north, 2.17 east: east, north, west of 90°, south of 45°.
        let barcelona = GeoCell::at(41.387_4, 2.168_6).0;
        assert_eq!(barcelona >> (2 * BITS - 4), 0b1100);
        for (latitude, longitude) in [(0.0, 0.0), (44.999, 89.999), (20.0, 89.0)] {
            assert_eq!(GeoCell::at(latitude, longitude).0 >> (2 * BITS - 4), 0b1100, "{latitude} {longitude}");
        }
        assert_ne!(GeoCell::at(45.001, 2.0).0 >> (2 * BITS - 4), 0b1100);
    }

    #[test]
    fn the_limits_are_the_first_and_the_last_cell() {
        assert_eq!(GeoCell::at(-90.0, -180.0), GeoCell(0));
        assert_eq!(GeoCell::at(90.0, 180.0), GeoCell((1 << (2 * BITS)) - 1));
        assert_ne!(GeoCell::at(41.387_4, 2.168_6), GeoCell::at(41.387_41, 2.168_6), "a metre apart");
    }
}
