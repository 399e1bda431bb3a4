//! Distances on the Earth, taken for a sphere.
//!
//! A point is kept as the [`Direction`] in which it lies from the centre, and a distance as the chord through the sphere: the great-circle
//! distance `d` between two points and the chord `c` between them, in radii, are bound by `c = 2 sin(d / 2R)`. That is the haversine
//! formula (R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984), whose `hav(d/R)` is a quarter of `c²`. In this form a
//! database compares distances by multiplying and adding alone, and neither the poles nor the antimeridian is a special case.

/// The mean radius of the Earth, R₁ of the IUGG, in kilometres (H. Moritz, "Geodetic Reference System 1980", Journal of Geodesy 74, 2000).
/// On the ellipsoid a distance differs from that on this sphere by half a percent at most.
pub const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// A square of a chord that no two points reach: the longest chord is the diameter, of 2 radii.
const MORE_THAN_ALL: f64 = 5.0;

/// Where a point lies from the centre of the Earth: a vector of length 1.
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
    /// That of a point given in degrees north (-90 to 90) and east (-180 to 180).
    #[must_use]
    pub fn from_degrees(latitude: f64, longitude: f64) -> Self {
        // A pole is one point whatever its longitude, and 180° east is 180° west: their sines and cosines would not be quite the same.
        if latitude.abs() >= 90.0 {
            return Self { x: 0.0, y: 0.0, z: 1.0_f64.copysign(latitude) };
        }
        let (z, across) = latitude.to_radians().sin_cos();
        let (east, ahead) = if longitude.abs() >= 180.0 { (0.0, -1.0) } else { longitude.to_radians().sin_cos() };
        Self { x: across * ahead, y: across * east, z }
    }
}

/// The square of the chord, in radii, between two points that are `km` kilometres apart on the surface; more than any if no two points are.
#[must_use]
pub fn chord_squared(km: f64) -> f64 {
    let angle = km / EARTH_RADIUS_KM;
    if angle >= std::f64::consts::PI { MORE_THAN_ALL } else { (2.0 * (angle / 2.0).sin()).powi(2) }
}

/// By how many degrees of latitude points that are at most `km` kilometres apart can differ, and a hair more.
#[must_use]
pub fn degrees_of_latitude(km: f64) -> f64 {
    const A_HAIR: f64 = 1e-6;
    (km / EARTH_RADIUS_KM).to_degrees() + A_HAIR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chord_between(one: Direction, other: Direction) -> f64 {
        (one.x - other.x).powi(2) + (one.y - other.y).powi(2) + (one.z - other.z).powi(2)
    }

    /// By the other textbook formula, which is exact everywhere: the arc tangent of the cross and the dot product.
    fn km_between(one: Direction, other: Direction) -> f64 {
        let cross = [one.y * other.z - one.z * other.y, one.z * other.x - one.x * other.z, one.x * other.y - one.y * other.x];
        let dot = one.x * other.x + one.y * other.y + one.z * other.z;
        cross.iter().map(|part| part * part).sum::<f64>().sqrt().atan2(dot) * EARTH_RADIUS_KM
    }

    #[test]
    fn known_distances() {
        let paris = Direction::from_degrees(48.856_6, 2.352_2);
        for (name, latitude, longitude, km) in [
            ("London", 51.507_4, -0.127_8, 343.56),
            ("Sydney", -33.868_8, 151.209_3, 16_960.0),
            ("Paris", 48.856_6, 2.352_2, 0.0),
        ] {
            let found = km_between(paris, Direction::from_degrees(latitude, longitude));
            assert!((found - km).abs() < 1.0, "{name}: {found} km");
        }
        let degree = km_between(Direction::from_degrees(0.0, 0.0), Direction::from_degrees(0.0, 1.0));
        assert!((degree - 111.195_08).abs() < 1e-4, "{degree}");
    }

    #[test]
    fn the_chord_is_that_of_the_distance() {
        for (one, other) in [
            ((0.0, 0.0), (0.0, 0.001)),
            ((89.9, 10.0), (89.9, -170.0)),
            ((10.0, 179.9), (10.0, -179.9)),
            ((1.0, 2.0), (-1.1, -178.0)),
        ] {
            let (one, other) = (Direction::from_degrees(one.0, one.1), Direction::from_degrees(other.0, other.1));
            let km = km_between(one, other);
            assert!(chord_between(one, other) <= chord_squared(km + 0.001), "{km} km");
            assert!(chord_between(one, other) > chord_squared(km - 0.001), "{km} km");
        }
    }

    #[test]
    fn one_point_has_one_direction() {
        assert_eq!(Direction::from_degrees(90.0, 0.0), Direction::from_degrees(90.0, -123.0));
        assert_eq!(Direction::from_degrees(-90.0, 17.0), Direction::from_degrees(-90.0, 0.0));
        assert_eq!(Direction::from_degrees(45.0, 180.0), Direction::from_degrees(45.0, -180.0));
        assert_ne!(Direction::from_degrees(90.0, 0.0), Direction::from_degrees(-90.0, 0.0));
    }

    #[test]
    fn half_the_globe_and_no_way_at_all() {
        let antipodes = chord_between(Direction::from_degrees(12.3, 45.6), Direction::from_degrees(-12.3, -134.4));
        assert!(antipodes <= chord_squared(20_015.2), "{antipodes}");
        assert!(antipodes > chord_squared(20_015.0), "{antipodes}");
        assert_eq!(chord_squared(0.0).to_bits(), 0.0_f64.to_bits());
    }
}
