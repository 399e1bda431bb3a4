//! Events in the formats of other programs: `/events.ics`, `.atom`, `.geojson` and `.csv`, and one event as `.ics` and `.jsonld`.
//!
//! A format turns events into bytes ([`ExportFormat`]); [`query`] reads the events of a list page by page, and the cache does the rest
//! ([ADR 45](../../../../../docs/adr/0045-exports.md)).

mod atom;
mod calendar;
mod content_line;
mod csv;
mod geojson;
mod json_ld;
mod operations;
mod paths;
mod place;
mod query;
mod text;
mod time_zone;

use uuid::Uuid;

pub(super) use self::json_ld::encode as encode_json_ld;
pub(crate) use self::{atom::Atom, calendar::ICalendar, csv::Csv, geojson::GeoJson, json_ld::JsonLd, query::ExportQuery};
pub use self::{
    geojson::{CollectionKind, EventCollection, EventFeature, FeatureKind, PointKind, VenuePoint},
    paths::ExportsApi,
};
use crate::{error::ApiError, find::EventView, response::FileFormat};

/// A format of lists. A value is the state of a document while it is written.
pub(crate) trait ExportFormat: FileFormat + Clone + Send + Sized {
    /// The path of the list.
    const PATH: &'static str;
    /// What follows the events.
    const TAIL: &'static [u8];

    /// Begins a document.
    fn new(context: &ExportContext) -> Self;

    /// Appends an event.
    fn write(&mut self, event: EventView, body: &mut Vec<u8>) -> Result<(), ApiError>;

    /// What precedes the events, which may depend on all of them.
    fn head(&self, context: &ExportContext) -> Result<Vec<u8>, ApiError>;
}

/// What a document states about its list.
#[derive(Debug, Default)]
pub(crate) struct ExportContext {
    /// Whether the request has a point, so that events have a distance.
    pub(crate) has_point: bool,
    /// The path and query of all pages.
    pub(crate) list: String,
    /// The page, relative to its URL.
    pub(crate) reference: String,
}

impl ExportContext {
    /// The permanent id of the list.
    fn id(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, self.list.as_bytes())
    }
}
