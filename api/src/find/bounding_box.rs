//! The filter `bbox`: a rectangle of degrees.

use poem_openapi::registry::MetaSchema;
use serde::{Serialize, Serializer};

use crate::{
    database::sql::Sql,
    query::{ParameterKind, Parameters},
};

/// West, south, east and north in degrees, as in GeoJSON ([RFC 7946](https://www.rfc-editor.org/rfc/rfc7946#section-5)). If west is greater
/// than east, the rectangle crosses the antimeridian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundingBox {
    pub(super) west: f64,
    pub(super) south: f64,
    pub(super) east: f64,
    pub(super) north: f64,
}

/// Four numbers.
#[derive(Debug)]
pub(crate) struct BoundingBoxText;

impl BoundingBox {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Option<Self> {
        let requirement = "must be `west,south,east,north` in degrees, such as 2.05,41.32,2.23,41.47, with south not above north";
        parameters.get("bbox", |text| parse(text).ok_or_else(|| requirement.to_owned()))
    }

    /// The condition that a row of `venue` is in the rectangle.
    pub(super) fn condition(&self, sql: &mut Sql) -> String {
        let [west, south, east, north] = [self.west, self.south, self.east, self.north].map(|degrees| sql.bind(degrees));
        let between = if self.west <= self.east { "AND" } else { "OR" };
        format!(
            "venue.located AND venue.latitude BETWEEN {south} AND {north} \
             AND (venue.longitude >= {west} {between} venue.longitude <= {east})"
        )
    }

    /// Its west, if it crosses the antimeridian.
    pub(super) fn west_of_antimeridian(&self) -> Option<f64> {
        (self.west > self.east).then_some(self.west)
    }

    /// West, south, east and north in degrees. East is greater than 180 if the rectangle crosses the antimeridian.
    pub(crate) fn bounds(&self) -> [f64; 4] {
        let turn = if self.west > self.east { 360.0 } else { 0.0 };
        [self.west, self.south, self.east + turn, self.north]
    }

    /// The rectangle as one or two that do not cross the antimeridian.
    pub(super) fn split(&self) -> Vec<Self> {
        if self.west <= self.east {
            return vec![*self];
        }
        vec![Self { east: 180.0, ..*self }, Self { west: -180.0, ..*self }]
    }
}

fn parse(text: &str) -> Option<BoundingBox> {
    let numbers: Vec<f64> = text.split(',').map(|text| text.trim().parse().ok()).collect::<Option<_>>()?;
    let [west, south, east, north] = numbers[..] else { return None };
    let is_valid = [west, east].iter().all(|degrees| (-180.0..=180.0).contains(degrees))
        && [south, north].iter().all(|degrees| (-90.0..=90.0).contains(degrees))
        && south <= north;
    // Adding zero turns -0 into 0.
    is_valid.then_some(BoundingBox { west: west + 0.0, south: south + 0.0, east: east + 0.0, north: north + 0.0 })
}

impl Serialize for BoundingBox {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { west, south, east, north } = self;
        serializer.collect_str(&format_args!("{west},{south},{east},{north}"))
    }
}

impl ParameterKind for BoundingBoxText {
    fn schema() -> MetaSchema {
        let number = r"-?[0-9]+(\.[0-9]+)?";
        MetaSchema {
            pattern: Some(format!("^({number},{number},{number},{number})?$")),
            example: Some("2.05,41.32,2.23,41.47".into()),
            ..MetaSchema::new("string")
        }
    }
}
