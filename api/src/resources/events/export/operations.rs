//! The operations. [`ExportsApi`](super::ExportsApi) completes their paths.

use poem::Request;
use poem_openapi::OpenApi;

use super::{Atom, Csv, ExportFormat, ExportQuery, GeoJson, ICalendar, JsonLd, json_ld, query::encode_one};
use crate::{
    error::ApiError,
    find::{AllFilters, SortText},
    query::{CursorText, Documented, Limit, Parameters, Path, UuidText},
    resources::{
        events::{list::EventIds, read_event, rows::ReadEvent},
        openapi::Tag,
    },
    response::{FilePage, FileReply},
    state::State,
};

/// The operations.
#[derive(Debug)]
pub(super) struct ExportOperations(pub(super) State);

#[OpenApi(tag = "Tag::Events")]
impl ExportOperations {
    /// Subscribe to events
    ///
    /// Returns the events that meet all filters, as a calendar to subscribe to or to import (iCalendar, RFC 5545).
    #[oai(path = "/events.ics", method = "get", operation_id = "events_ics")]
    async fn events_ics(
        &self,
        request: &Request,
        /// The filters
        #[oai(name = "filters")]
        _filters: Documented<AllFilters>,
        /// Only these events: up to 500 ids
        #[oai(name = "ids")]
        _ids: Documented<EventIds>,
        /// The order. A minus sign reverses it
        #[oai(name = "sort")]
        _sort: Documented<SortText>,
        /// The maximum number of events
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The position after which the page begins, from the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<FilePage<ICalendar>, ApiError> {
        self.export(request).await
    }

    /// Follow events as a feed
    ///
    /// Returns the events that meet all filters, as a feed for readers of news (Atom, RFC 4287). `sort=-first_seen_at` returns new events
    /// first.
    #[oai(path = "/events.atom", method = "get", operation_id = "events_atom")]
    async fn events_atom(
        &self,
        request: &Request,
        /// The filters
        #[oai(name = "filters")]
        _filters: Documented<AllFilters>,
        /// Only these events: up to 500 ids
        #[oai(name = "ids")]
        _ids: Documented<EventIds>,
        /// The order. A minus sign reverses it
        #[oai(name = "sort")]
        _sort: Documented<SortText>,
        /// The maximum number of events
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The position after which the page begins, from the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<FilePage<Atom>, ApiError> {
        self.export(request).await
    }

    /// Show events on a map
    ///
    /// Returns the events that meet all filters, as features of a map (GeoJSON, RFC 7946). An event is at the point of its venue; its
    /// `geometry` is null if that is not known.
    #[oai(path = "/events.geojson", method = "get", operation_id = "events_geojson")]
    async fn events_geojson(
        &self,
        request: &Request,
        /// The filters
        #[oai(name = "filters")]
        _filters: Documented<AllFilters>,
        /// Only these events: up to 500 ids
        #[oai(name = "ids")]
        _ids: Documented<EventIds>,
        /// The order. A minus sign reverses it
        #[oai(name = "sort")]
        _sort: Documented<SortText>,
        /// The maximum number of events
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The position after which the page begins, from the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<FilePage<GeoJson>, ApiError> {
        self.export(request).await
    }

    /// Download events as a table
    ///
    /// Returns the events that meet all filters, as a table with a header row (CSV, RFC 4180). A text that a spreadsheet would calculate
    /// begins with an apostrophe.
    #[oai(path = "/events.csv", method = "get", operation_id = "events_csv")]
    async fn events_csv(
        &self,
        request: &Request,
        /// The filters
        #[oai(name = "filters")]
        _filters: Documented<AllFilters>,
        /// Only these events: up to 500 ids
        #[oai(name = "ids")]
        _ids: Documented<EventIds>,
        /// The order. A minus sign reverses it
        #[oai(name = "sort")]
        _sort: Documented<SortText>,
        /// The maximum number of events
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The position after which the page begins, from the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<FilePage<Csv>, ApiError> {
        self.export(request).await
    }

    /// Add an event to a calendar
    ///
    /// Returns an event as a calendar with one entry (iCalendar, RFC 5545).
    #[oai(path = "/events/:id/ics", method = "get", operation_id = "event_ics")]
    async fn event_ics(
        &self,
        request: &Request,
        /// The event's id, as in `/search`
        id: Path<UuidText>,
    ) -> Result<FileReply<ICalendar>, ApiError> {
        let ReadEvent { rows, now, version } = read_event(&self.0, request, &id, ".ics").await?;
        let body = encode_one::<ICalendar>(rows.into_view(now), self.0.public_url_for(request))?;
        Ok(FileReply::encode(request, body).await?.at_version(version))
    }

    /// Get an event as linked data
    ///
    /// Returns an event in the vocabulary of schema.org (JSON-LD 1.1), as search engines read it.
    #[oai(path = "/events/:id/jsonld", method = "get", operation_id = "event_jsonld")]
    async fn event_jsonld(
        &self,
        request: &Request,
        /// The event's id, as in `/search`
        id: Path<UuidText>,
    ) -> Result<FileReply<JsonLd>, ApiError> {
        let ReadEvent { rows, now, version } = read_event(&self.0, request, &id, ".jsonld").await?;
        let body = json_ld::encode(rows.into_view(now), self.0.public_url_for(request).as_ref())?;
        Ok(FileReply::encode(request, body).await?.at_version(version))
    }
}

impl ExportOperations {
    async fn export<F: ExportFormat>(&self, request: &Request) -> Result<FilePage<F>, ApiError> {
        let query = ExportQuery::<F>::parse(Parameters::of(request))?.with_public_url(self.0.public_url_for(request));
        self.0.cache.respond(request, query).await.map(FilePage::new)
    }
}
