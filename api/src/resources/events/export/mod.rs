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

pub(crate) use self::{
    atom::{Atom, AtomEntry, AtomFeed, encode as encode_atom},
    calendar::ICalendar,
    csv::Csv,
    geojson::GeoJson,
    json_ld::JsonLd,
    query::ExportQuery,
};
pub use self::{
    geojson::{CollectionKind, EventCollection, EventFeature, FeatureKind, PointKind, VenuePoint},
    paths::ExportsApi,
};
pub(super) use self::{json_ld::encode as encode_json_ld, text::to_uri};
use crate::{error::ApiError, find::EventView, public_url::PublicUrl, response::FileFormat};

/// The URL of the page of an event, if the address of the service is known.
fn page_of(public_url: Option<&PublicUrl>, event: &EventView) -> Option<String> {
    Some(public_url?.join(&format!("/e/{}", event.id)))
}

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
    /// The address of the service, if it is configured.
    pub(crate) public_url: Option<PublicUrl>,
    /// The path and query of all pages; empty for one event.
    pub(crate) list: String,
    /// The path and query of the page.
    pub(crate) page: String,
}

impl ExportContext {
    /// The permanent id of the list: of its URL if that is known.
    fn id(&self) -> Uuid {
        let url = self.public_url.as_ref().map_or_else(|| self.list.clone(), |public_url| public_url.join(&self.list));
        Uuid::new_v5(&Uuid::NAMESPACE_URL, url.as_bytes())
    }

    /// The URL of the document, relative if the address of the service is not known.
    fn self_url(&self) -> String {
        match &self.public_url {
            Some(public_url) => public_url.join(&self.page),
            None => self.page.trim_start_matches('/').to_owned(),
        }
    }

    /// The URL of the search page with the same filters, if the address of the service is known.
    fn search_url(&self) -> Option<String> {
        let query = self.list.find('?').map_or("", |start| &self.list[start..]);
        Some(self.public_url.as_ref()?.join(&format!("/{query}")))
    }
}
