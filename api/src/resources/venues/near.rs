//! A place: a point and how far around it.

use std::fmt::Write;

use entity::sphere::{Direction, chord_squared, degrees_of_latitude};

use crate::{
    database::sql::Sql,
    query::{Parameters, ValidationErrors},
};

/// The parameters of a place.
pub(crate) const PARAMETERS: [&str; 3] = ["latitude", "longitude", "radius"];
/// Half of the Earth's girth at the equator, rounded up: nothing is farther away.
const MAX_RADIUS_KM: f64 = 20_038.0;

/// The points within a radius of a point, along great circles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
    /// Kilometres.
    pub radius: f64,
}

impl Near {
    /// Reads the three parameters, which are given together or not at all.
    pub(crate) fn read(parameters: &Parameters<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let missing: Vec<&str> = PARAMETERS.into_iter().filter(|name| !parameters.has(name)).collect();
        if missing.len() == PARAMETERS.len() {
            return None;
        }
        for name in missing {
            errors.add(name, "is missing: a place is latitude, longitude and radius together");
        }
        let latitude = parameters.get("latitude", errors, |text| number(text, -90.0, 90.0, "degrees north"));
        let longitude = parameters.get("longitude", errors, |text| number(text, -180.0, 180.0, "degrees east"));
        let radius = parameters.get("radius", errors, |text| number(text, 0.0, MAX_RADIUS_KM, "kilometres"));
        Some(Self { latitude: latitude?, longitude: longitude?, radius: radius? })
    }

    /// The place in one form.
    pub(crate) fn filters(&self) -> [(&'static str, String); 3] {
        [("latitude", self.latitude.to_string()), ("longitude", self.longitude.to_string()), ("radius", self.radius.to_string())]
    }

    /// The condition that a row of `venue` lies there. The range of latitudes is what an index can serve; the chord decides.
    pub(crate) fn condition(&self, sql: &mut Sql) -> String {
        let Direction { x, y, z } = Direction::from_degrees(self.latitude, self.longitude);
        let band = degrees_of_latitude(self.radius);
        let [south, north] = [self.latitude - band, self.latitude + band].map(|edge| sql.bind(edge));
        let mut condition = format!("venue.latitude BETWEEN {south} AND {north} AND ");
        for (part, value) in [("x", x), ("y", y), ("z", z)] {
            let value = sql.bind(value);
            let plus = if part == "x" { "" } else { " + " };
            // A string takes whatever is written.
            let _written = write!(condition, "{plus}(venue.direction_{part} - {value}) * (venue.direction_{part} - {value})");
        }
        let most = sql.bind(chord_squared(self.radius));
        let _written = write!(condition, " <= {most}");
        condition
    }
}

fn number(text: &str, least: f64, most: f64, unit: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // Zero has one form only: -0 would be another question to the cache.
        Ok(number) if (least..=most).contains(&number) => Ok(number + 0.0),
        _ => Err(format!("want a number of {unit} from {least} to {most}")),
    }
}
