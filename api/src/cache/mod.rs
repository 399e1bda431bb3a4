//! Encoded responses in two tiers before the database: in the process, and in Redis for all processes.
//!
//! A cached body is current until a later release changes what its query selects. Each process follows the ledger of releases, so that a
//! lookup needs no I/O. In the process a key holds one body, the newest; in Redis a body states the version from which it was read. A body
//! is served while it is current, and, marked as stale, for a moment while the newer body is fetched or while the database is unavailable.
//! After a takedown it is not served again.
//! The cache knows no resource: it caches the output of [`CachedQuery`]s.

mod body;
mod counters;
mod database;
mod freshness;
mod key;
mod large_bodies;
mod min_version;
mod query;
pub mod redis;
mod release_log;
mod request;
mod response;
mod settings;
mod single_flight;
mod source;
pub mod version;

use std::{sync::Arc, time::Duration};

use metrics::gauge;
use poem::Request;
use serde::de::DeserializeOwned;

pub use self::{
    body::CachedBody,
    key::{FORMAT, namespace},
    min_version::MinVersion,
    query::{CachedQuery, CachedResource, QueryOutput, SnapshotVersion},
    redis::{Redis, RedisSettingsError, describe_metrics},
    request::CacheRequest,
    response::{CacheResponse, CacheTier, Freshness},
    settings::CacheSettings,
};
use self::{
    counters::CacheCounters,
    single_flight::{InFlight, SingleFlight},
    version::{KnownVersion, VersionWatch},
};
pub(crate) use self::{
    large_bodies::LargeBodies,
    min_version::{MIN_VERSION_NAME, VERSION_NAME, set_version},
    source::CacheSource,
};
use crate::{
    database::{Availability, reader::Reader},
    error::ApiError,
    response::{ContentCoding, Reply, StoredBody},
    vocabulary::VocabularyWatch,
};

/// How long a body may be served after a release that may have changed it, while the new body is fetched: so that no request waits for a sync.
/// Later requests wait for the new body.
pub const REVALIDATE_WITHIN: Duration = Duration::from_secs(2);
/// Fetches of one request: another one if the first has read what was removed for legal reasons before it ended.
const MAX_FETCHES: usize = 3;

/// Both tiers.
#[derive(Debug)]
pub struct Cache {
    process: moka::sync::Cache<String, Arc<CachedBody>>,
    redis: Option<Redis>,
    fetches: Arc<SingleFlight>,
    large_bodies: LargeBodies,
    version: Arc<VersionWatch>,
    availability: Arc<Availability>,
    reader: Arc<Reader>,
    vocabulary: Arc<VocabularyWatch>,
    revalidate_within: Duration,
    counters: CacheCounters,
}

impl Cache {
    /// An empty cache of this many bytes in the process; 0 disables that tier. `revalidate_within` is [`REVALIDATE_WITHIN`] except in
    /// tests.
    #[must_use]
    pub fn new(
        process_bytes: u64,
        revalidate_within: Duration,
        redis: Option<Redis>,
        version: Arc<VersionWatch>,
        availability: Arc<Availability>,
        reader: Arc<Reader>,
    ) -> Self {
        let process = moka::sync::Cache::builder()
            .max_capacity(process_bytes)
            .weigher(|key: &String, body: &Arc<CachedBody>| body.weight(key))
            .build();
        Self {
            process,
            redis,
            fetches: Arc::default(),
            large_bodies: LargeBodies::new(process_bytes),
            version,
            availability,
            reader,
            vocabulary: Arc::default(),
            revalidate_within,
            counters: CacheCounters::new(),
        }
    }

    /// Whether the process has no cached response.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Recent inserts are not counted yet.
        self.process.run_pending_tasks();
        self.process.entry_count() == 0
    }

    /// The words by which queries are corrected.
    #[must_use]
    pub fn vocabulary(&self) -> &Arc<VocabularyWatch> {
        &self.vocabulary
    }

    /// A request for the response to `query` in this coding, with the words corrected that are unknown now.
    #[must_use]
    pub fn request<Q: CachedQuery>(&self, query: Q, coding: ContentCoding) -> CacheRequest<Q> {
        match self.vocabulary.current() {
            Some(vocabulary) => CacheRequest::correct(query, &vocabulary, coding),
            None => CacheRequest::new(query, coding),
        }
    }

    /// Whether Redis responds, if there is one.
    #[must_use]
    pub fn is_redis_up(&self) -> Option<bool> {
        self.redis.as_ref().map(Redis::is_up)
    }

    /// The response if the process has it and may serve it without waiting.
    #[must_use]
    pub fn get_cached<Q: CachedQuery>(self: &Arc<Self>, request: &CacheRequest<Q>) -> Option<CacheResponse> {
        let body = self.process.get(&request.key)?;
        match self.freshness(&body, &request.query)? {
            Freshness::Outdated(_) => None,
            Freshness::Revalidating(_) if !Q::MAY_BE_STALE => None,
            freshness => {
                if matches!(freshness, Freshness::Revalidating(_))
                    && let (fetch, true) = self.start_fetch(request, MinVersion::default())
                {
                    fetch.complete_in_background();
                }
                Some(self.serve::<Q>(body, CacheTier::Process, freshness, false))
            }
        }
    }

    /// The error for a request that misses the process, if waiting is pointless: the database would shed one more waiting request,
    /// and there is no Redis to read first.
    pub(crate) fn shed<Q: CachedQuery>(&self, request: &CacheRequest<Q>) -> Option<ApiError> {
        let is_overloaded = self.reader.is_full(request.query.read_size()) && !self.is_redis_up().unwrap_or_default();
        is_overloaded.then(|| self.reader.shed())
    }

    /// Responds to a request of an operation that reads a `T`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and when the request accepts no coding that we have.
    pub async fn respond<Q: CachedQuery, T>(self: &Arc<Self>, request: &Request, query: Q) -> Result<Reply<T>, ApiError> {
        let coding = ContentCoding::negotiate(request.headers())?;
        let minimum = MinVersion::of(request.headers())?;
        let response = self.get_at_least(&self.request(query, coding), minimum).await?;
        Ok(Reply::new(response.respond(request.headers())))
    }

    /// The response from the first tier that has it, else from the database.
    ///
    /// # Errors
    ///
    /// When no tier has it and the query fails.
    pub async fn get<Q: CachedQuery>(self: &Arc<Self>, request: &CacheRequest<Q>) -> Result<CacheResponse, ApiError> {
        match self.get_cached(request) {
            Some(response) => Ok(response),
            None => self.fetch(request).await,
        }
    }

    /// The same, not older than what the client accepts.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and when no tier has a response that is as new.
    pub(crate) async fn get_at_least<Q: CachedQuery>(
        self: &Arc<Self>,
        request: &CacheRequest<Q>,
        minimum: MinVersion,
    ) -> Result<CacheResponse, ApiError> {
        self.version.wait_for(minimum).await?;
        match self.get_cached(request).filter(|response| self.accepts(&response.body, minimum)) {
            Some(response) => Ok(response),
            None => self.fetch_at_least(request, minimum).await,
        }
    }

    /// The response to a query, decoded.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub(crate) async fn read<Q: CachedQuery, T: DeserializeOwned>(
        self: &Arc<Self>,
        query: Q,
    ) -> Result<(T, CacheResponse), ApiError> {
        let found = self.get(&self.request(query, ContentCoding::Identity)).await?;
        Ok((found.decode()?, found))
    }

    /// The response of a request that misses the process.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn fetch<Q: CachedQuery>(self: &Arc<Self>, request: &CacheRequest<Q>) -> Result<CacheResponse, ApiError> {
        self.fetch_at_least(request, MinVersion::default()).await
    }

    async fn fetch_at_least<Q: CachedQuery>(
        self: &Arc<Self>,
        request: &CacheRequest<Q>,
        minimum: MinVersion,
    ) -> Result<CacheResponse, ApiError> {
        for _ in 0..MAX_FETCHES {
            let (in_flight, is_new) = self.start_fetch(request, minimum);
            match in_flight.wait().await {
                // Outdated if it was read from a lagging replica: the headers say so.
                Ok((body, tier)) => {
                    if !self.accepts(&body, minimum) {
                        return Err(minimum.unavailable());
                    }
                    if let Some(freshness) = self.freshness(&body, &request.query) {
                        return Ok(self.serve::<Q>(body, tier, freshness, !is_new));
                    }
                }
                Err(error) => {
                    // A stale response, marked as such, is better than none.
                    let is_stale = |body: &Arc<CachedBody>| error.is_database_unavailable() && self.accepts(body, minimum);
                    let stale = self.process.get(&request.key).filter(is_stale);
                    return stale.and_then(|body| self.serve_unconfirmed(body, &request.query)).ok_or(ApiError::Shared(error));
                }
            }
        }
        Err(ApiError::DatabaseStillUnavailable)
    }

    /// Sets the gauges of the process tier.
    pub fn record_size(&self) {
        // Recent inserts are not part of the sums yet.
        self.process.run_pending_tasks();
        gauge!("marquee_cache_bytes").set(self.process.weighted_size() as f64);
        gauge!("marquee_cache_entries").set(self.process.entry_count() as f64);
    }

    fn serve<Q: CachedQuery>(
        &self,
        body: Arc<CachedBody>,
        tier: CacheTier,
        freshness: Freshness,
        is_coalesced: bool,
    ) -> CacheResponse {
        let response = CacheResponse { body, tier, freshness, is_coalesced, has_redis: self.redis.is_some() };
        self.counters.count_response(Q::RESOURCE, &response);
        response
    }

    /// A body that could not be fetched again; `None` if it must not be served.
    fn serve_unconfirmed<Q: CachedQuery>(&self, body: Arc<CachedBody>, query: &Q) -> Option<CacheResponse> {
        let superseded = self.superseded(&body, query).unwrap_or_default();
        let freshness = Freshness::DatabaseUnavailable(self.time_since_confirmed(superseded));
        (!superseded.is_removed).then(|| self.serve::<Q>(body, CacheTier::Process, freshness, false))
    }

    /// Starts or joins the fetch for the version that is known now. Requests that know a newer version do not join it, nor do those that
    /// accept no older one: it may read a replica that lags.
    fn start_fetch<Q: CachedQuery>(self: &Arc<Self>, request: &CacheRequest<Q>, minimum: MinVersion) -> (InFlight, bool) {
        let known = self.version.known();
        let version = known.map(|known| known.version);
        let mut key = format!("{} {}", version.unwrap_or(-1), request.key);
        let mut minimum = minimum;
        if !minimum.is_any() {
            // The primary has the newest version, so that they join each other.
            minimum = if self.availability.is_available() { minimum.at_least(version) } else { minimum };
            key = format!("{key} {}", minimum.version().unwrap_or_default());
        }
        self.fetches.join(key, || self.clone().run_fetch(request.clone(), known, minimum))
    }

    async fn run_fetch<Q: CachedQuery>(
        self: Arc<Self>,
        request: CacheRequest<Q>,
        known: Option<KnownVersion>,
        minimum: MinVersion,
    ) -> Result<(Arc<CachedBody>, CacheTier), ApiError> {
        // Another fetch may have completed between the lookup of this request and now.
        let is_fresh = |body: &Arc<CachedBody>| self.freshness(body, &request.query) == Some(Freshness::Fresh);
        if let Some(body) = self.process.get(&request.key).filter(is_fresh) {
            return Ok((body, CacheTier::Process));
        }
        if let Some(body) = self.read_redis(&request, known).await {
            self.counters.count_fetch_from_redis();
            return Ok((self.store(request.key, body), CacheTier::Redis));
        }
        if request.coding != ContentCoding::Identity {
            // Not `get`, which may return the previous body. Boxed, because the future's type would contain itself.
            let identity = Box::pin(self.fetch_at_least(&request.identity(), minimum)).await?;
            let encoded = self.count_large(&request.coding.encode(identity.body.representation.body.clone()).await?)?;
            let body = identity.body.with_coding(request.coding, encoded);
            self.write_redis(&request, &body);
            return Ok((self.store(request.key, body), identity.tier));
        }
        // Before the query: a restore during the query makes its output outdated.
        let restores = self.version.restores();
        let (output, snapshot) = self.query_database(&request.query, minimum).await?;
        self.counters.count_fetch_from_database();
        let body = CachedBody::new(Q::CONTENT_TYPE, snapshot, restores, self.count_large(&output.body)?, output.link);
        self.write_redis(&request, &body);
        Ok((self.store(request.key, body), CacheTier::Database))
    }

    /// Counts the memory of a large body.
    fn count_large(&self, body: &StoredBody) -> Result<StoredBody, ApiError> {
        let counted = self.large_bodies.count(body.bytes().clone()).or_else(|body| {
            // Evicted bodies are dropped later.
            self.process.run_pending_tasks();
            self.large_bodies.count(body)
        });
        let bytes = counted.map_err(|_| self.reader.shed())?;
        Ok(StoredBody::from_parts(bytes, body.unpacked_length()))
    }

    /// The body in Redis, if it is current and was read from this history of the database.
    async fn read_redis<Q: CachedQuery>(&self, request: &CacheRequest<Q>, known: Option<KnownVersion>) -> Option<CachedBody> {
        let (redis, known) = (self.redis.as_ref()?, known?);
        let bytes = redis.get(&request.key).await?;
        let mut body = CachedBody::from_bytes(Q::CONTENT_TYPE, &bytes, &request.key, request.coding)?;
        body.restores = known.restores;
        self.version.follow(body.version).await;
        let is_known = self.version.contains(body.version, body.raised_at);
        (is_known && self.superseded(&body, &request.query).is_none()).then_some(body)
    }

    fn write_redis<Q: CachedQuery>(&self, request: &CacheRequest<Q>, body: &CachedBody) {
        if let Some(redis) = &self.redis
            && self.superseded(body, &request.query).is_none()
            && let Some(bytes) = body.to_bytes(&request.key)
        {
            redis.put(&request.key, bytes);
        }
    }

    /// Stores a body in the process, unless a newer one is there.
    fn store(&self, key: String, body: CachedBody) -> Arc<CachedBody> {
        let body = Arc::new(body);
        if self.process.policy().max_capacity() == Some(0) {
            // It would stay until the next insert.
            return body;
        }
        self.process.entry(key).and_upsert_with(|stored| match stored {
            Some(stored) if stored.value().is_newer_than(&body) => stored.into_value(),
            _ => body.clone(),
        });
        body
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use entity::UtcInstant;
    use sea_orm::DatabaseConnection;

    use super::*;
    use crate::{database::ReadSource, response::JSON};

    #[test]
    fn a_body_does_not_replace_one_of_a_later_state() {
        let (connection, availability) = (DatabaseConnection::default(), Arc::new(Availability::new("primary")));
        let version = Arc::new(VersionWatch::new(connection.clone(), availability.clone()));
        let reader = Arc::new(Reader::new(ReadSource { connection, availability: availability.clone() }, None));
        let cache = Cache::new(1 << 20, REVALIDATE_WITHIN, None, version, availability, reader);
        // A lower version is later if the database was restored.
        for ((version, restores), expected) in [((2, 0), (2, 0)), ((1, 0), (2, 0)), ((1, 1), (1, 1)), ((3, 0), (1, 1))] {
            cache.store("key".to_owned(), CachedBody::new(JSON, (version, UtcInstant(0)), restores, Bytes::new().into(), None));
            let stored = cache.process.get("key").map(|body| (body.version, body.restores));
            assert_eq!(stored, Some(expected));
        }
    }
}
