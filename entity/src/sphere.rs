//! Distances on the Earth as a sphere.
//!
//! A point is stored as its [`Direction`] from the centre, and distances are compared as chords: the great-circle distance `d` of two points
//! and their chord `c` (in radii) satisfy `c = 2 sin(d / 2R)`. This is the haversine formula (R. W. Sinnott, "Virtues of the Haversine", Sky
//! and Telescope 68, 1984): its `hav(d/R)` is a quarter of `c²`. In this form a database compares distances with multiplications and
//! additions only, and neither the poles nor the antimeridian is a special case.

/// The mean radius of the Earth, R₁ of the IUGG, in kilometres (H. Moritz, "Geodetic Reference System 1980", Journal of Geodesy 74, 2000).
/// A distance on the ellipsoid differs by at most half a percent.
pub const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// More than the square of any chord: the longest chord is the diameter, 2 radii.
const ABOVE_ANY_CHORD: f64 = 5.0;

/// The direction of a point from the centre of the Earth: a vector of length 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Direction {
    /// Towards 0° north, 0° east.
    pub x: f64,
    /// Towards 0° north, 90° east.
    pub y: f64,
    /// Towards the north pole.
    pub z: f64,
}

impl Direction {
    /// The direction of what has no coordinates: it is within no distance of any point.
    pub const NOWHERE: Self = Self { x: 9.0, y: 9.0, z: 9.0 };

    /// Converts degrees north (-90 to 90) and east (-180 to 180).
    #[must_use]
    pub fn from_degrees(latitude: f64, longitude: f64) -> Self {
        // A pole is one point at every longitude, and 180° east equals 180° west: rounded sines and cosines would differ.
        if latitude.abs() >= 90.0 {
            return Self { x: 0.0, y: 0.0, z: 1.0_f64.copysign(latitude) };
        }
        let (z, across) = latitude.to_radians().sin_cos();
        let (east, ahead) = if longitude.abs() >= 180.0 { (0.0, -1.0) } else { longitude.to_radians().sin_cos() };
        Self { x: across * ahead, y: across * east, z }
    }

    /// The squared chord to another point, in radii.
    #[must_use]
    pub fn chord_squared_to(self, other: Self) -> f64 {
        (self.x - other.x).powi(2) + (self.y - other.y).powi(2) + (self.z - other.z).powi(2)
    }
}

/// The squared chord (in radii) of two points at a distance of `km` on the surface; above any chord if no two points are that far apart.
#[must_use]
pub fn chord_squared(km: f64) -> f64 {
    let angle = km / EARTH_RADIUS_KM;
    if angle >= std::f64::consts::PI { ABOVE_ANY_CHORD } else { (2.0 * (angle / 2.0).sin()).powi(2) }
}

/// The distance on the surface, in kilometres, of two points with a squared chord (in radii).
#[must_use]
pub fn km_of_chord_squared(chord_squared: f64) -> f64 {
    2.0 * (chord_squared.max(0.0).sqrt() / 2.0).min(1.0).asin() * EARTH_RADIUS_KM
}

/// How many degrees of latitude two points at a distance of at most `km` can differ, with a small margin for rounding.
#[must_use]
pub fn degrees_of_latitude(km: f64) -> f64 {
    const MARGIN: f64 = 1e-6;
    (km / EARTH_RADIUS_KM).to_degrees() + MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed independently, with the arc tangent of cross and dot product, which is exact everywhere.
    fn km_between(one: Direction, other: Direction) -> f64 {
        let cross = [one.y * other.z - one.z * other.y, one.z * other.x - one.x * other.z, one.x * other.y - one.y * other.x];
        let dot = one.x * other.x + one.y * other.y + one.z * other.z;
        cross.iter().map(|part| part * part).sum::<f64>().sqrt().atan2(dot) * EARTH_RADIUS_KM
    }

    #[test]
    fn computes_known_distances() {
        let paris = Direction::from_degrees(48.856_6, 2.352_2);
        for (name, latitude, longitude, km) in [
            ("London", 51.507_4, -0.127_8, 343.56),
            ("Sydney", -33.868_8, 151.209_3, 16_960.0),
            ("Paris", 48.856_6, 2.352_2, 0.0),
        ] {
            let computed = km_between(paris, Direction::from_degrees(latitude, longitude));
            assert!((computed - km).abs() < 1.0, "{name}: {computed} km");
        }
        let degree = km_between(Direction::from_degrees(0.0, 0.0), Direction::from_degrees(0.0, 1.0));
        assert!((degree - 111.195_08).abs() < 1e-4, "{degree}");
    }

    #[test]
    fn chords_correspond_to_distances() {
        for (one, other) in [
            ((0.0, 0.0), (0.0, 0.001)),
            ((89.9, 10.0), (89.9, -170.0)),
            ((10.0, 179.9), (10.0, -179.9)),
            ((1.0, 2.0), (-1.1, -178.0)),
        ] {
            let (one, other) = (Direction::from_degrees(one.0, one.1), Direction::from_degrees(other.0, other.1));
            let km = km_between(one, other);
            assert!(one.chord_squared_to(other) <= chord_squared(km + 0.001), "{km} km");
            assert!(one.chord_squared_to(other) > chord_squared(km - 0.001), "{km} km");
            assert!((km_of_chord_squared(one.chord_squared_to(other)) - km).abs() < 0.001, "{km} km");
        }
    }

    #[test]
    fn poles_and_antimeridian_have_one_direction() {
        assert_eq!(Direction::from_degrees(90.0, 0.0), Direction::from_degrees(90.0, -123.0));
        assert_eq!(Direction::from_degrees(-90.0, 17.0), Direction::from_degrees(-90.0, 0.0));
        assert_eq!(Direction::from_degrees(45.0, 180.0), Direction::from_degrees(45.0, -180.0));
        assert_ne!(Direction::from_degrees(90.0, 0.0), Direction::from_degrees(-90.0, 0.0));
    }

    #[test]
    fn handles_antipodes_and_distance_zero() {
        let antipodes = Direction::from_degrees(12.3, 45.6).chord_squared_to(Direction::from_degrees(-12.3, -134.4));
        assert!(antipodes <= chord_squared(20_015.2), "{antipodes}");
        assert!(antipodes > chord_squared(20_015.0), "{antipodes}");
        assert_eq!(chord_squared(0.0).to_bits(), 0.0_f64.to_bits());
    }
}
