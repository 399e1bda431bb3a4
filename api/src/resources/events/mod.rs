//! `/events`: lists of events, their numbers by day and by value, one event with all its details, and its removal.

mod calendar;
mod calendar_response;
mod event;
mod export;
mod facets;
mod facets_response;
mod list;
mod list_response;
mod page;
mod past;
mod price_history;
mod remove;
mod response;
mod rows;
mod status;
mod ticket_link;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi};
use sea_orm::prelude::Uuid;
use tracing::Instrument;

#[cfg(test)]
pub(crate) use self::export::{Atom, Csv, ExportQuery, GeoJson, ICalendar};
pub use self::{
    calendar::CalendarQuery,
    calendar_response::{Calendar, CalendarDay, CalendarDays, CalendarMeta, CurrencyPrice},
    event::{Availability, Event},
    export::{CollectionKind, EventCollection, EventFeature, ExportsApi, FeatureKind, PointKind, VenuePoint},
    facets::FacetsQuery,
    facets_response::{FacetList, FacetValue, FacetValues, Facets, FacetsMeta},
    list::EventsQuery,
    list_response::{EventPage, EventPageMeta, FoundEvents},
    page::EventPageQuery,
    past::{EventReply, PastEvent, PastEventReply, PastInstant, PastMeta, PastZone, newest_changes_statement},
    remove::ReasonText,
    response::{EventDetails, EventZone},
    status::EventStatus,
};
pub(crate) use self::{
    export::{AtomEntry, AtomFeed, encode_atom},
    page::EventPageContent,
    price_history::PriceHistory,
    rows::{explain_missing, load_related, select_visible},
    ticket_link::{TicketLink, read_ticket_link},
};
use self::{
    facets::FacetNames,
    list::{EventIds, EventLimit, FieldNames, TotalText},
    rows::ReadEvent,
};
use crate::{
    auth::{Caller, Scope},
    cache::{CacheResponse, MinVersion},
    database::reader::ReadSize,
    error::ApiError,
    find::{AllFilters, SortText},
    public_url::PublicUrl,
    query::{CursorText, Documented, IfMatchText, Parameters, Path, Required, UuidText, no_parameters, parse_path},
    resources::openapi::Tag,
    response::{Envelope, PageReply, Precondition, Reply},
    state::State,
};

const ID_REQUIREMENT: &str = "must be a UUID as in /search";

/// Reads what the page of an event shows, with the address of the service.
pub(crate) async fn read_event_page(
    state: &State,
    id: &str,
    public_url: Option<PublicUrl>,
) -> Result<(EventPageContent, CacheResponse), ApiError> {
    state.cache.read(EventPageQuery::parse(id, public_url)?).await
}

/// Reads known events.
pub(crate) async fn read_cached_events(state: &State, ids: &[Uuid]) -> Result<Vec<Event>, ApiError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (page, _) = state.cache.read::<_, EventPage>(EventsQuery::of_ids(ids)?).await?;
    Ok(page.data.events)
}

/// Reads an event from the cached response of `/events?ids=`.
pub(crate) async fn read_cached_event(state: &State, id: &str) -> Result<Event, ApiError> {
    let event_id: Uuid = parse_path("id", id, ID_REQUIREMENT)?;
    read_cached_events(state, &[event_id]).await?.into_iter().next().ok_or_else(|| ApiError::not_found("event", id))
}

/// The response to a removed event.
#[derive(ApiResponse, Debug)]
pub enum RemoveResponse {
    /// The event is removed, now or by an earlier request
    #[oai(status = 204)]
    Removed(
        /// A version of the catalogue without the event
        #[oai(header = "Marquee-Version")]
        i64,
    ),
}

/// The operations.
#[derive(Debug)]
pub struct EventsApi(pub State);

#[expect(clippy::too_many_arguments, reason = "the OpenAPI document lists each parameter")]
#[OpenApi(tag = "Tag::Events")]
impl EventsApi {
    /// Find events
    ///
    /// Returns the events that meet all filters. Without `starts_at`, `ends_at` and `range`, these are events that have not ended; without
    /// `listed`, those that are in the feed of their provider; without `status`, all but cancelled ones. A filter with several values,
    /// separated by commas or repeated, selects events with any of them. Prices are compared in one currency: that of `currency`, else the
    /// only one of the providers. With `ids`, the defaults select all events.
    #[oai(path = "/events", method = "get", operation_id = "events")]
    async fn events(
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
        /// Whether `meta.total` is the number of events on all pages, at most 10,000
        #[oai(name = "total")]
        _total: Documented<TotalText>,
        /// Only these members of each event
        #[oai(name = "fields")]
        _fields: Documented<FieldNames>,
        /// The maximum number of events
        #[oai(name = "limit")]
        _limit: Documented<EventLimit>,
        /// The position after which the page begins, from `meta.next` or the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<EventPage>, ApiError> {
        let query = EventsQuery::parse(Parameters::of(request))?;
        self.0.cache.respond(request, query).await.map(PageReply::new)
    }

    /// Count events by day
    ///
    /// Returns the number of events that start on each day, on the clock at their venue, and their lowest prices. The filters are those of
    /// `/events`, with two other defaults: bounds are read on the clock at the venue (`time_zone=venue`), and an event is in their range if it
    /// starts in it (`range=starts`). The days are those from `starts_at` to `ends_at`, at most 400. Without one of them, there are 31 days;
    /// without both, 31 days from today in UTC. Prices in different currencies are not compared: each day has the lowest one in each currency.
    #[oai(path = "/events/calendar", method = "get", operation_id = "event_calendar")]
    async fn calendar(
        &self,
        request: &Request,
        /// The filters
        #[oai(name = "filters")]
        _filters: Documented<AllFilters>,
    ) -> Result<Reply<Calendar>, ApiError> {
        let query = CalendarQuery::parse(Parameters::of(request))?;
        self.0.cache.respond(request, query).await
    }

    /// Count events by value
    ///
    /// Returns the values that the events have, each with the number of events, most frequent first and at most 100 for each facet. At most
    /// 100,000 events are counted: if there are more, `meta.complete` is false. The filters are those of `/events`.
    #[oai(path = "/events/facets", method = "get", operation_id = "event_facets")]
    async fn facets(
        &self,
        request: &Request,
        /// The filters
        #[oai(name = "filters")]
        _filters: Documented<AllFilters>,
        /// The facets, each named like the filter that selects its values. Without it, category, city, country, provider and status
        #[oai(name = "by")]
        _by: Documented<FacetNames>,
    ) -> Result<Reply<FacetList>, ApiError> {
        let query = FacetsQuery::parse(Parameters::of(request))?;
        self.0.cache.respond(request, query).await
    }

    /// Get an event
    ///
    /// Returns an event with its zones, performers, venue and provider, and when it was first and last in its provider's feed.
    ///
    /// With `as_of`, it returns the event as it was at that instant, computed from the log of changes. Performers, venue and provider have
    /// their names of today, and `meta` states what is not known. The log has 14 days of all changes, and so does this: an earlier instant
    /// is 410, and `detail` has the earliest one. Before the event was first seen, it is 404.
    #[oai(path = "/events/:id", method = "get", operation_id = "event")]
    async fn event(
        &self,
        request: &Request,
        /// The event's id, as in `/search`
        id: Path<UuidText>,
        /// The instant at which the event is requested: RFC 3339, not in the future
        #[oai(name = "as_of")]
        _as_of: Documented<PastInstant>,
    ) -> Result<Reply<EventReply>, ApiError> {
        let minimum = MinVersion::of(request.headers())?;
        let read = read_event_at(&self.0, &id, Parameters::of(request), minimum).await;
        let (reply, version) = read.map_err(|error| error.with_query(request))?;
        Ok(Reply::json(request, &reply).await?.at_version(version))
    }

    /// Remove an event
    ///
    /// Removes an event for legal reasons, which cannot be undone. Its content is deleted from every response, including the log of
    /// changes, and no sync imports it again: its URL returns 410 from then on. With `If-Match`, only if its `ETag` is current.
    #[oai(path = "/events/:id", method = "delete", operation_id = "remove_event")]
    async fn remove_event(
        &self,
        request: &Request,
        caller: Caller,
        /// Why it is removed, such as the number of a case. It is stored, and not shown to clients
        #[oai(name = "reason")]
        _reason: Documented<Required<ReasonText>>,
        /// The `ETag` of the event
        #[oai(name = "If-Match")]
        _if_match: Documented<IfMatchText>,
        /// The event's id, as in `/search`
        id: Path<UuidText>,
    ) -> Result<RemoveResponse, ApiError> {
        self.0.keys.authorize(request, &caller, &Scope::Admin)?;
        let event_id: Uuid = parse_path("id", &id, ID_REQUIREMENT)?;
        let mut parameters = Parameters::of(request);
        let reason = parameters.require("reason", remove::parse_reason).unwrap_or_default();
        let reason = parameters.finish(reason)?;
        let precondition = Precondition::of(request.headers())?;
        let state = self.0.clone();
        // A task, so that it completes even if the client disconnects.
        let removing = async move {
            state.writer.write(1, remove::remove(&state.writer.database, event_id, &reason, precondition)).await?;
            // Until this process knows the release, it may serve cached responses with the event. The client then repeats the request.
            let version = state.version.refresh().await.map_err(|_| ApiError::DatabaseStillUnavailable)?;
            tracing::info!(event.id = %event_id, "event removed");
            Ok(RemoveResponse::Removed(version))
        };
        tokio::spawn(removing.in_current_span()).await.map_err(|_| ApiError::TaskPanicked)?
    }
}

/// Reads an event as it is, or as it was at the instant in the parameters, and the version of the catalogue.
///
/// # Errors
///
/// When the parameters are invalid, readers do not see the event, the log does not have what it was, or the version is unavailable.
pub async fn read_event_at(
    state: &State,
    id: &str,
    mut parameters: Parameters<'_>,
    minimum: MinVersion,
) -> Result<(EventReply, i64), ApiError> {
    let as_of = parameters.get("as_of", past::parse_instant);
    let Some(as_of) = parameters.finish(as_of)? else {
        let ReadEvent { rows, now, version } = find_event(state, id, "", minimum).await?;
        return Ok((EventReply::Current(Envelope::from(EventDetails::new(rows, now))), version));
    };
    let event_id: Uuid = parse_path("id", id, ID_REQUIREMENT)?;
    let source = state.source_at_least(minimum).await?;
    // It reads few changes of most events.
    let found = state.reader.read(source, ReadSize::Small, past::find(&source.connection, event_id, as_of)).await;
    let (reply, version) = found?;
    minimum.check(version)?;
    Ok((EventReply::Past(reply), version))
}

/// Reads the event of a request without parameters. `suffix` follows the id in its path.
async fn read_event(state: &State, request: &Request, id: &str, suffix: &str) -> Result<ReadEvent, ApiError> {
    no_parameters(request)?;
    find_event(state, id, suffix, MinVersion::of(request.headers())?).await
}

/// Reads the event with this id, which `suffix` follows.
async fn find_event(state: &State, id: &str, suffix: &str, minimum: MinVersion) -> Result<ReadEvent, ApiError> {
    let event_id: Uuid = parse_path("id", id.strip_suffix(suffix).unwrap_or(id), ID_REQUIREMENT)?;
    let source = state.source_at_least(minimum).await?;
    let found = state.reader.read(source, ReadSize::Small, rows::find(&source.connection, event_id, suffix)).await?;
    minimum.check(found.version)?;
    Ok(found)
}
