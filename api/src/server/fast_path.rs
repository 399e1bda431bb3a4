//! The queries that are requested all the time, parsed once for many requests.
//!
//! A cache hit never reaches the router: this path serves tens of thousands of requests a second, so it allocates little, awaits
//! nothing, and logs nothing above the level `debug`.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use poem::{
    Request,
    http::{Method, header},
};

use crate::{
    cache::{Cache, CacheRequest, CacheResponse, MinVersion},
    error::ApiError,
    query::Parameters,
    resources::{concerts::ConcertsQuery, events::EventsQuery, rates::RatesFilters, search::SearchQuery},
    response::ContentCoding,
};

/// Parsed queries that a thread remembers for each coding, and their maximum length: less than a megabyte, and more queries than are
/// repeated all the time. When there are more, all are forgotten.
const MAX_PARSED: usize = 1_024;
const MAX_PARSED_BYTES: usize = 256;

const EVENTS: &str = "/events";
const SEARCH: &str = "/search";
const CONCERTS: &str = "/concerts";
const RATES: &str = "/rates";
/// The routes with a GET that is handled here.
const HOT_ROUTES: [&str; 4] = [EVENTS, SEARCH, CONCERTS, RATES];
/// The search page.
pub(super) const PAGE: &str = "/";
/// All routes with responses that are sent before the router is reached.
pub(crate) const COUNTED_ROUTES: [&str; 5] = [EVENTS, SEARCH, CONCERTS, RATES, PAGE];

/// A parsed query of a hot route.
pub(super) enum HotQuery {
    Events(CacheRequest<EventsQuery>),
    Search(CacheRequest<SearchQuery>),
    Concerts(CacheRequest<ConcertsQuery>),
    Rates(CacheRequest<RatesFilters>),
}

/// Parsed queries by path and query string.
type ParsedQueries = HashMap<Box<str>, Arc<HotQuery>>;

thread_local! {
    /// For each coding. Parsing a query again would cost a tenth of a cache hit.
    static PARSED: RefCell<[ParsedQueries; ContentCoding::COUNT]> = RefCell::default();
}

/// The hot route of a request, if it has one. Requests with a body are for the layers that bound it.
pub(super) fn find_route(request: &Request) -> Option<&'static str> {
    let path = request.uri().path();
    let route = HOT_ROUTES.into_iter().find(|route| *route == path)?;
    let is_plain_get = request.method() == Method::GET && !request.headers().contains_key(header::CONTENT_LENGTH);
    is_plain_get.then_some(route)
}

impl HotQuery {
    /// Parses a request for a hot route.
    ///
    /// # Errors
    ///
    /// When its parameters are invalid, or it accepts no coding that we have.
    pub(super) fn parse(route: &'static str, request: &Request, cache: &Cache) -> Result<Arc<Self>, ApiError> {
        let coding = ContentCoding::negotiate(request.headers())?;
        let text = request.uri().path_and_query().map_or(route, |text| text.as_str());
        PARSED.with_borrow_mut(|parsed| {
            let parsed = &mut parsed[coding as usize];
            if let Some(query) = parsed.get(text) {
                return Ok(query.clone());
            }
            let parameters = Parameters::of(request);
            // The correction of words changes with the catalogue.
            let is_constant = !parameters.has("q");
            let query = Arc::new(match route {
                EVENTS => Self::Events(cache.request(EventsQuery::parse(parameters)?, coding)),
                SEARCH => Self::Search(cache.request(SearchQuery::parse(parameters)?, coding)),
                CONCERTS => Self::Concerts(CacheRequest::new(ConcertsQuery::parse(parameters)?, coding)),
                _ => Self::Rates(CacheRequest::new(RatesFilters::parse(parameters)?, coding)),
            });
            if is_constant && text.len() <= MAX_PARSED_BYTES {
                if parsed.len() >= MAX_PARSED {
                    parsed.clear();
                }
                parsed.insert(text.into(), query.clone());
            }
            Ok(query)
        })
    }

    /// The response, if the process has it.
    pub(super) fn get_cached(&self, cache: &Arc<Cache>) -> Option<CacheResponse> {
        match self {
            Self::Events(request) => cache.get_cached(request),
            Self::Search(request) => cache.get_cached(request),
            Self::Concerts(request) => cache.get_cached(request),
            Self::Rates(request) => cache.get_cached(request),
        }
    }

    /// The error if the process lacks the response, and waiting for it is pointless.
    pub(super) fn shed(&self, cache: &Cache) -> Option<ApiError> {
        match self {
            Self::Events(request) => cache.shed(request),
            Self::Search(request) => cache.shed(request),
            Self::Concerts(request) => cache.shed(request),
            Self::Rates(request) => cache.shed(request),
        }
    }

    /// The response, not older than what the client accepts.
    pub(super) async fn get_at_least(&self, cache: &Arc<Cache>, minimum: MinVersion) -> Result<CacheResponse, ApiError> {
        match self {
            Self::Events(request) => cache.get_at_least(request, minimum).await,
            Self::Search(request) => cache.get_at_least(request, minimum).await,
            Self::Concerts(request) => cache.get_at_least(request, minimum).await,
            Self::Rates(request) => cache.get_at_least(request, minimum).await,
        }
    }

    /// The response after a miss in the process.
    pub(super) async fn fetch(&self, cache: &Arc<Cache>) -> Result<CacheResponse, ApiError> {
        match self {
            Self::Events(request) => cache.fetch(request).await,
            Self::Search(request) => cache.fetch(request).await,
            Self::Concerts(request) => cache.fetch(request).await,
            Self::Rates(request) => cache.fetch(request).await,
        }
    }
}
