//! The state that all operations share.

mod followed_links;
mod readiness;
mod samples;

use std::{sync::Arc, time::Duration};

use entity::DatabaseSettings;
use outbound::EndpointSettings;
use poem::Request;
use rates::BatchLimits;
use sea_orm::DatabaseConnection;
use telemetry::{MetricsRecorder, UPKEEP_EVERY};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
pub(crate) use self::samples::Totals;
pub(crate) use self::{
    followed_links::{FollowedCount, FollowedLinks},
    samples::Interval,
};
pub use self::{readiness::Readiness, samples::Samples};
use crate::{
    auth::Keys,
    cache::{Cache, MinVersion, REVALIDATE_WITHIN, Redis, version::VersionWatch},
    database::{Availability, ReadSource, Replica, reader::Reader, writer::Writer},
    error::ApiError,
    images::{Images, PictureProxy},
    map_tiles::MapTiles,
    public_url::PublicUrl,
    rate_limit::RateLimiter,
    resources::changes::{ChangeLog, ChangeStreams},
    response::Cors,
    web::RenderedPages,
};

/// How often connections to a demoted primary are closed. Until then, reads may return what it had then.
const DEMOTION_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Shared by all requests of the process.
#[derive(Clone, Debug)]
pub struct State {
    /// The version of the catalogue.
    pub version: Arc<VersionWatch>,
    /// Whether the primary responds.
    pub availability: Arc<Availability>,
    /// Database reads.
    pub reader: Arc<Reader>,
    /// Database writes.
    pub writer: Arc<Writer>,
    /// Cached responses.
    pub cache: Arc<Cache>,
    /// Pages that were made from cached responses.
    pub pages: Arc<RenderedPages>,
    /// Streams of changes.
    pub change_streams: Arc<ChangeStreams>,
    /// API keys.
    pub keys: Keys,
    /// Which web pages may read.
    pub cors: Cors,
    /// The address of the service on the web, if it is configured. If it is not, responses contain the origin of the request.
    pub public_url: Option<PublicUrl>,
    /// Which pictures of events the pages show.
    pub images: Images,
    /// What loads them, if the service does.
    pub pictures: Option<Arc<PictureProxy>>,
    /// What the map of a search shows instead of the built-in coasts, if there is a file.
    pub map_tiles: Option<Arc<MapTiles>>,
    /// Where webhooks may be sent.
    pub endpoints: EndpointSettings,
    /// Limits of a batch of prices.
    pub batch_limits: BatchLimits,
    /// Whether the process accepts new work.
    pub readiness: Readiness,
    /// The rate limit, if there is one.
    pub rate: Option<Arc<RateLimiter>>,
    /// The metrics of the process, if it records any.
    pub recorder: Option<MetricsRecorder>,
    /// The same in the last hour.
    pub samples: Arc<Samples>,
    /// Which ticket links were followed.
    pub followed_links: Arc<FollowedLinks>,
    /// Whether another address serves the metrics and the pages of operators.
    pub has_operations_address: bool,
}

impl State {
    /// A state over one database, with a cache of this many bytes in the process. `watch` is used for the version only.
    #[must_use]
    pub fn new(database: DatabaseConnection, watch: DatabaseConnection, cache_bytes: u64, redis: Option<Redis>) -> Self {
        Self::with_replica(database, watch, None, cache_bytes, redis)
    }

    /// A state over a primary and its replica, if there is one.
    #[must_use]
    pub fn with_replica(
        database: DatabaseConnection,
        watch: DatabaseConnection,
        replica: Option<Replica>,
        cache_bytes: u64,
        redis: Option<Redis>,
    ) -> Self {
        let availability = Arc::new(Availability::new("primary"));
        let version = Arc::new(VersionWatch::new(watch, availability.clone()));
        let writer = Arc::new(Writer::new(database.clone(), availability.clone()));
        let primary = ReadSource { connection: database, availability: availability.clone() };
        let reader = Arc::new(Reader::new(primary, replica.map(Arc::new)));
        let cache =
            Arc::new(Cache::new(cache_bytes, REVALIDATE_WITHIN, redis, version.clone(), availability.clone(), reader.clone()));
        let log = ChangeLog::new(reader.clone(), version.clone());
        Self {
            version,
            availability,
            reader,
            writer,
            cache,
            pages: Arc::new(RenderedPages::new(cache_bytes)),
            change_streams: Arc::new(ChangeStreams::new(log)),
            keys: Keys::default(),
            cors: Cors::default(),
            public_url: None,
            images: Images::default(),
            pictures: None,
            map_tiles: None,
            endpoints: EndpointSettings::default(),
            batch_limits: BatchLimits::REQUEST,
            readiness: Readiness::default(),
            rate: None,
            recorder: None,
            samples: Arc::default(),
            followed_links: Arc::default(),
            has_operations_address: false,
        }
    }

    /// The address of the service in the response to a request: the configured one, or the origin to which the request was sent.
    pub(crate) fn public_url_for(&self, request: &Request) -> Option<PublicUrl> {
        PublicUrl::for_request(self.public_url.as_ref(), request.headers())
    }

    /// Reads the version that a write of this process created, or a later one, so that its client reads its own write. If the database is
    /// unavailable by now, the version watch reads it later.
    pub(crate) async fn refresh_version(&self) -> Option<i64> {
        self.version.refresh().await.ok()
    }

    /// Where to read what a client accepts. Waits until this process knows the version.
    ///
    /// # Errors
    ///
    /// When the version is unavailable.
    pub(crate) async fn source_at_least(&self, minimum: MinVersion) -> Result<&ReadSource, ApiError> {
        self.version.wait_for(minimum).await?;
        let source = self.reader.with_version(self.version.current(), self.version.newest_takedown());
        if minimum.is_any() || self.reader.has_version(source, minimum.version()) {
            Ok(source)
        } else {
            Err(minimum.unavailable())
        }
    }

    /// Starts the background tasks, which run until `shutdown` is cancelled: the version watch, which `primary` notifies of new
    /// versions, the checks of the primary and the replica, the reading of words and of changes for streams, and the upkeep and sampling of the metrics.
    pub fn start_background_tasks(&self, primary: DatabaseSettings, shutdown: CancellationToken) {
        if let Some(recorder) = self.recorder.clone() {
            let (samples, sampled) = (self.samples.clone(), recorder.clone());
            tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move { samples.run(&sampled).await }));
            tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move {
                let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
                loop {
                    upkeep.tick().await;
                    recorder.run_upkeep();
                }
            }));
        }
        if let Some(replica) = self.reader.replica().cloned() {
            let shutdown = shutdown.clone();
            tokio::spawn(async move { replica.run(&shutdown).await });
        }
        let (version, reader) = (self.version.clone(), self.reader.clone());
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(DEMOTION_CHECK_INTERVAL).await;
                // If no server accepts writes, reading from one that does not is better than nothing.
                if version.accepts_writes() {
                    reader.leave_demoted_primary().await;
                }
            }
        }));
        let (vocabulary, reader, version) = (self.cache.vocabulary().clone(), self.reader.clone(), self.version.clone());
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move { vocabulary.run(&reader, &version).await }));
        let streams = self.change_streams.clone();
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move { streams.run().await }));
        let version = self.version.clone();
        tokio::spawn(async move { version.run(&primary, &shutdown).await });
    }
}
