//! The filters `latitude`, `longitude` and `radius`: an area around a point.

use entity::sphere::{Direction, chord_squared, degrees_of_latitude};
use poem_openapi::registry::MetaSchema;
use serde::Serialize;

use crate::{
    database::sql::Sql,
    query::{ParameterKind, Parameters, serialize_text},
};

/// The parameters of an area.
pub(crate) const NEAR_PARAMETERS: [&str; 3] = ["latitude", "longitude", "radius"];
/// Half of the Earth's circumference at the equator, rounded up: the largest distance.
const MAX_RADIUS_KM: f64 = 20_038.0;
const LATITUDES: [f64; 2] = [-90.0, 90.0];
const LONGITUDES: [f64; 2] = [-180.0, 180.0];
const RADII: [f64; 2] = [0.0, MAX_RADIUS_KM];

/// The latitude of a point. The examples are the center of Barcelona.
#[derive(Debug)]
pub(crate) struct Latitude;

/// The longitude of a point.
#[derive(Debug)]
pub(crate) struct Longitude;

/// A distance from a point.
#[derive(Debug)]
pub(crate) struct Radius;

/// The points within a distance of a point, along great circles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Near {
    /// Degrees, -90 to 90.
    #[serde(serialize_with = "serialize_text")]
    pub latitude: f64,
    /// Degrees, -180 to 180.
    #[serde(serialize_with = "serialize_text")]
    pub longitude: f64,
    /// Kilometres.
    #[serde(serialize_with = "serialize_text")]
    pub radius: f64,
}

impl Near {
    /// Reads the three parameters, which must be given together.
    pub(crate) fn read(parameters: &mut Parameters<'_>) -> Option<Self> {
        let missing: Vec<&str> = NEAR_PARAMETERS.into_iter().filter(|name| !parameters.has(name)).collect();
        if missing.len() < NEAR_PARAMETERS.len() {
            for name in missing {
                parameters.add_error(name, "is required: `latitude`, `longitude` and `radius` must be given together");
            }
        }
        let latitude = parameters.get("latitude", |text| parse_number(text, LATITUDES));
        let longitude = parameters.get("longitude", |text| parse_number(text, LONGITUDES));
        let radius = parameters.get("radius", |text| parse_number(text, RADII));
        Some(Self { latitude: latitude?, longitude: longitude?, radius: radius? })
    }

    /// The center, and the radius in kilometres.
    pub(crate) fn area(&self) -> (Direction, f64) {
        (Direction::from_degrees(self.latitude, self.longitude), self.radius)
    }

    /// The condition that a row of `venue` is in the area. The range of latitudes can use an index; the chord is exact.
    pub(crate) fn condition(&self, sql: &mut Sql) -> String {
        let height = degrees_of_latitude(self.radius);
        let [south, north] = [self.latitude - height, self.latitude + height].map(|edge| sql.bind(edge));
        let (chord, max_chord) = (self.chord_squared(sql), sql.bind(chord_squared(self.radius)));
        format!("venue.latitude BETWEEN {south} AND {north} AND {chord} <= {max_chord}")
    }

    /// The squared chord from the point to a row of `venue`, in radii.
    pub(crate) fn chord_squared(&self, sql: &mut Sql) -> String {
        let Direction { x, y, z } = Direction::from_degrees(self.latitude, self.longitude);
        let parts = [("x", x), ("y", y), ("z", z)].map(|(part, value)| {
            let value = sql.bind(value);
            format!("(venue.direction_{part} - {value}) * (venue.direction_{part} - {value})")
        });
        parts.join(" + ")
    }
}

impl ParameterKind for Latitude {
    fn schema() -> MetaSchema {
        number(LATITUDES, 41.3874)
    }
}

impl ParameterKind for Longitude {
    fn schema() -> MetaSchema {
        number(LONGITUDES, 2.1686)
    }
}

impl ParameterKind for Radius {
    fn schema() -> MetaSchema {
        number(RADII, 5.0)
    }
}

fn number([min, max]: [f64; 2], example: f64) -> MetaSchema {
    MetaSchema {
        minimum: Some(min),
        maximum: Some(max),
        example: Some(example.into()),
        ..MetaSchema::new_with_format("number", "double")
    }
}

fn parse_number(text: &str, [min, max]: [f64; 2]) -> Result<f64, String> {
    match text.parse::<f64>() {
        // Adding zero turns -0 into 0, so that both have one canonical form.
        Ok(number) if (min..=max).contains(&number) => Ok(number + 0.0),
        _ => Err(format!("must be a number between {min} and {max}")),
    }
}
