//! A cached body on its way to a client, with the headers that describe where it comes from.

use std::{sync::Arc, time::Duration};

use poem::{
    Response,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use serde::de::DeserializeOwned;

use super::{CachedBody, set_version};
use crate::error::ApiError;

/// [RFC 9211](https://www.rfc-editor.org/rfc/rfc9211): how each cache handled the request, the one nearest to the database first.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Where a body comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheTier {
    /// The cache in this process.
    Process,
    /// Redis.
    Redis,
    /// No cache.
    Database,
}

/// Whether a cached body is current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// No newer version is known.
    Fresh,
    /// A newer version has been known for this long, and its body is being fetched.
    Revalidating(Duration),
    /// The database has not responded for this long, so there may be a newer version.
    DatabaseUnavailable(Duration),
    /// A newer version has been known for this long. Served only if fetching the newer body failed, or a replica lags.
    Outdated(Duration),
}

/// A body, and how it was found.
#[derive(Clone, Debug)]
pub struct CacheResponse {
    /// The body.
    pub body: Arc<CachedBody>,
    /// Where it comes from.
    pub tier: CacheTier,
    /// Whether it is current.
    pub freshness: Freshness,
    /// Whether the request joined a fetch that another one had started.
    pub is_coalesced: bool,
    /// Whether there is a Redis.
    pub has_redis: bool,
}

impl CacheResponse {
    /// The response to a GET with these request headers.
    #[must_use]
    pub fn respond(self, request: &HeaderMap) -> Response {
        let mut response = self.body.representation.clone().respond(request);
        let headers = response.headers_mut();
        self.set_headers(headers);
        if let Some(link) = &self.body.link {
            headers.insert(header::LINK, link.clone());
        }
        response
    }

    /// The same body, as the process serves it while it is current.
    pub(crate) fn as_hit(&self) -> Self {
        Self { tier: CacheTier::Process, freshness: Freshness::Fresh, is_coalesced: false, ..self.clone() }
    }

    /// Decodes a body of JSON without a coding.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(self.body.representation.body.bytes()).map_err(ApiError::Encoding)
    }

    /// Sets the headers that describe where the body comes from, on any response that is made from it.
    pub(crate) fn set_headers(&self, headers: &mut HeaderMap) {
        set_version(headers, self.body.confirmed_version());
        headers.insert(CACHE_STATUS, HeaderValue::from_static(self.cache_status()));
        let age = match self.freshness {
            Freshness::Fresh => HeaderValue::from_static("0"),
            Freshness::Revalidating(stale) | Freshness::Outdated(stale) => {
                headers.insert(header::WARNING, HeaderValue::from_static("110 - \"Response is Stale\""));
                stale.as_secs().into()
            }
            Freshness::DatabaseUnavailable(silence) => {
                headers.insert(header::WARNING, HeaderValue::from_static("111 - \"Revalidation Failed\""));
                silence.as_secs().into()
            }
        };
        headers.insert(header::AGE, age);
    }

    fn cache_status(&self) -> &'static str {
        match (self.tier, self.freshness, self.is_coalesced, self.has_redis) {
            (CacheTier::Process, Freshness::Fresh, ..) => "marquee-process; hit",
            (CacheTier::Process, Freshness::DatabaseUnavailable(_), ..) => "marquee-process; hit; detail=DATABASE_UNAVAILABLE",
            (CacheTier::Process, ..) => "marquee-process; hit; detail=REVALIDATING",
            (CacheTier::Redis, _, false, _) => "marquee-redis; hit, marquee-process; fwd=miss; stored",
            (CacheTier::Redis, _, true, _) => "marquee-redis; hit, marquee-process; fwd=miss; collapsed",
            (CacheTier::Database, _, false, true) => "marquee-redis; fwd=miss; stored, marquee-process; fwd=miss; stored",
            (CacheTier::Database, _, true, true) => "marquee-redis; fwd=miss, marquee-process; fwd=miss; collapsed",
            (CacheTier::Database, _, false, false) => "marquee-process; fwd=miss; stored",
            (CacheTier::Database, _, true, false) => "marquee-process; fwd=miss; collapsed",
        }
    }
}
