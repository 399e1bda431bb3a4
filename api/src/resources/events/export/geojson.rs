//! `.geojson`: events as features of a map ([RFC 7946](https://www.rfc-editor.org/rfc/rfc7946)).

use poem_openapi::{Enum, Object, types::Example};
use serde::Serialize;

use super::{ExportContext, ExportFormat};
use crate::{
    error::ApiError,
    find::EventView,
    resources::events::Event,
    response::{EventId, FileFormat, Nullable},
};

/// Events as features of a map.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct EventCollection {
    /// The type of the GeoJSON object.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: CollectionKind,
    /// The events, in the order that `sort` requests.
    pub features: Vec<EventFeature>,
}

/// An event at the point of its venue.
#[derive(Clone, Debug, Object, Serialize)]
pub struct EventFeature {
    /// The type of the GeoJSON object.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: FeatureKind,
    /// The permanent id of the event.
    pub id: EventId,
    /// The point of the venue; null if it is not known.
    pub geometry: Nullable<VenuePoint>,
    /// The event.
    pub properties: Event,
}

/// A point.
#[derive(Clone, Debug, Object, Serialize)]
pub struct VenuePoint {
    /// The type of the GeoJSON object.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: PointKind,
    /// Longitude and latitude (WGS 84).
    #[oai(validator(min_items = 2, max_items = 2))]
    pub coordinates: Vec<f64>,
}

/// The type of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
pub enum CollectionKind {
    /// The only one.
    FeatureCollection,
}

/// The type of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
pub enum FeatureKind {
    /// The only one.
    Feature,
}

/// The type of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
pub enum PointKind {
    /// The only one.
    Point,
}

/// A collection while it is written.
#[derive(Clone, Debug)]
pub(crate) struct GeoJson {
    has_point: bool,
    is_empty: bool,
}

impl FileFormat for GeoJson {
    const MEDIA_TYPE: &'static str = "application/geo+json";

    type Schema = EventCollection;
}

impl ExportFormat for GeoJson {
    const PATH: &'static str = "/events.geojson";
    const TAIL: &'static [u8] = b"]}";

    fn new(context: &ExportContext) -> Self {
        Self { has_point: context.has_point, is_empty: true }
    }

    fn write(&mut self, event: EventView, body: &mut Vec<u8>) -> Result<(), ApiError> {
        if !self.is_empty {
            body.push(b',');
        }
        self.is_empty = false;
        let feature = EventFeature::new(Event::new(event, self.has_point));
        serde_json::to_writer(body, &feature).map_err(ApiError::Encoding)
    }

    fn head(&self, _: &ExportContext) -> Result<Vec<u8>, ApiError> {
        Ok(br#"{"type":"FeatureCollection","features":["#.to_vec())
    }
}

impl EventFeature {
    fn new(event: Event) -> Self {
        let venue = event.venue.0.as_ref();
        let point = venue.and_then(|venue| Some(vec![venue.longitude.0?, venue.latitude.0?]));
        let geometry = point.map(|coordinates| VenuePoint { kind: PointKind::Point, coordinates });
        Self { kind: FeatureKind::Feature, id: event.id.clone(), geometry: geometry.into(), properties: event }
    }
}

impl Example for EventCollection {
    fn example() -> Self {
        Self { kind: CollectionKind::FeatureCollection, features: vec![EventFeature::new(Event::example())] }
    }
}
