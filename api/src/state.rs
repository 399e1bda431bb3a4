//! What every operation needs.

use std::sync::Arc;

use entity::{ConnectError, ConnectionRole, DatabaseSettings};
use poem::Request;
use rates::BatchLimits;
use sea_orm::DatabaseConnection;
use telemetry::{MetricsRecorder, UPKEEP_EVERY};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{Keys, KeysFileError},
    cache::{Asked, Cache, Question, Redis, RedisError, version::Catalogue},
    database::{reader::Reader, writer::Writer},
    error::ApiError,
    metrics,
    response::{Coding, Encoded},
    server::{Readiness, rate_limit::RateLimiter},
    settings::Settings,
};

/// Why the service cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database's URL is wrong, or its file cannot be opened.
    #[error("the database cannot be used")]
    Database(#[from] ConnectError),
    /// The URL of Redis is wrong.
    #[error("Redis cannot be used")]
    Redis(#[from] RedisError),
    /// The file of keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysFileError),
}

/// Shared by all requests of the process.
#[derive(Clone, Debug)]
pub struct State {
    /// What is known of the catalogue's version.
    pub catalogue: Arc<Catalogue>,
    /// The database.
    pub reader: Arc<Reader>,
    /// The same to be written.
    pub writer: Arc<Writer>,
    /// Answers that are kept.
    pub cache: Arc<Cache>,
    /// Who may write.
    pub keys: Keys,
    /// What a batch of prices may take.
    pub batch_limits: BatchLimits,
    /// Whether new work is wanted.
    pub readiness: Readiness,
    /// How many requests a client may make, if there is a limit.
    pub rate: Option<Arc<RateLimiter>>,
    /// The metrics of the process, if it records any.
    pub recorder: Option<MetricsRecorder>,
}

impl State {
    /// Over a database that is read and written, with a cache of this many bytes in the process.
    #[must_use]
    pub fn new(database: DatabaseConnection, watch: DatabaseConnection, cache_bytes: u64, redis: Option<Redis>) -> Self {
        let catalogue = Arc::new(Catalogue::new(watch));
        let writer = Arc::new(Writer::new(database.clone()));
        let reader = Arc::new(Reader::new(database, catalogue.clone()));
        let cache = Arc::new(Cache::new(cache_bytes, redis, catalogue.clone(), reader.clone()));
        Self {
            catalogue,
            reader,
            writer,
            cache,
            keys: Keys::default(),
            batch_limits: BatchLimits::REQUEST,
            readiness: Readiness::default(),
            rate: None,
            recorder: None,
        }
    }

    /// As the settings say. Nothing is connected to before it is needed, but a SQLite file is opened.
    ///
    /// # Errors
    ///
    /// When the settings cannot be used, whatever is up or down.
    pub async fn connect(settings: &Settings) -> Result<Self, StateError> {
        let read = settings.read_database();
        let database = entity::connect(&read, ConnectionRole::Api).await?;
        let watch = entity::connect(&read, ConnectionRole::Watch).await?;
        let writer = Arc::new(Writer::new(entity::connect(&settings.database, ConnectionRole::Write).await?));
        let redis = Redis::new(&settings.cache.redis)?;
        let rate = RateLimiter::of(&settings.rate);
        let keys = Keys::of(&settings.keys)?;
        Ok(Self { rate, writer, keys, ..Self::new(database, watch, settings.cache.process_bytes(), redis) })
    }

    /// The answer to what a request asks by its query string, kept or asked for, in the coding that the client takes.
    pub(crate) async fn answer<Q: Question, T>(
        &self,
        request: &Request,
        parse: impl FnOnce(&str) -> Result<Q, ApiError>,
    ) -> Result<Encoded<T>, ApiError> {
        let question = parse(request.uri().query().unwrap_or_default())?;
        let coding = Coding::wanted(request.headers()).ok_or(ApiError::NotAcceptable)?;
        Ok(Encoded::kept(self.cache.answer(&Asked::new(question, coding)).await?))
    }

    /// Learns of the version that a write of this process has raised, so that whoever wrote reads it. If the database is away by now, whoever
    /// follows the version learns it later.
    pub(crate) async fn learn(&self) {
        let _away = self.catalogue.ask().await;
    }

    /// Keeps what is known of the catalogue, and what is counted, up to date until `shutdown` is cancelled. `primary` tells of new
    /// versions.
    pub fn follow(&self, primary: DatabaseSettings, shutdown: CancellationToken) {
        let catalogue = self.catalogue.clone();
        if let Some(recorder) = self.recorder.clone() {
            metrics::describe();
            let shutdown = shutdown.clone();
            tokio::spawn(shutdown.run_until_cancelled_owned(async move {
                let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
                loop {
                    upkeep.tick().await;
                    recorder.run_upkeep();
                }
            }));
        }
        tokio::spawn(async move { catalogue.follow(&primary, &shutdown).await });
    }
}
