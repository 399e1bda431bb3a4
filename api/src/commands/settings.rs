//! The settings of `marquee-api`: flags and environment variables.

use std::{sync::Arc, time::Duration};

use clap::Parser;
use command_line::{ListenAddress, ListenError};
use entity::{ConnectError, ConnectionRole, DatabaseSettings, DatabaseUrlError, RedactedUrl};
use outbound::{BoxedCause, EndpointSettings};
use telemetry::TelemetrySettings;

use super::ApiCommand;
use crate::{
    Listeners,
    auth::{AccessSettings, Keys, KeysFileError, KeysSettings},
    cache::{self, CacheSettings, Redis, RedisSettingsError},
    database::{Replica, writer::Writer},
    images::ImageSettings,
    map_tiles::{MapSettings, MapTilesError},
    public_url::PublicUrlSettings,
    rate_limit::{RateLimiter, RateSettings},
    response::{Cors, CorsSettings},
    server::ServeSettings,
    state::State,
};

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database URL is invalid, or the file cannot be opened.
    #[error("the database cannot be used")]
    Database(#[from] ConnectError),
    /// The database URL is invalid.
    #[error(transparent)]
    DatabaseUrl(#[from] DatabaseUrlError),
    /// The settings of Redis are invalid.
    #[error("Redis cannot be used")]
    Redis(#[from] RedisSettingsError),
    /// The API keys file is invalid.
    #[error(transparent)]
    Keys(#[from] KeysFileError),
    /// The TLS certificates of the machine cannot be read.
    #[error("pictures cannot be loaded with IMAGES=proxy")]
    Pictures(#[source] BoxedCause),
    /// The file of map tiles cannot be used.
    #[error(transparent)]
    MapTiles(#[from] MapTilesError),
}

/// Serves the HTTP API from the local copy of the catalogues.
#[derive(Clone, Debug, Parser)]
#[command(name = "marquee-api", version)]
pub struct Settings {
    /// Address to listen on
    #[arg(long = "api-listen", env = "API_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub listen: ListenAddress,
    /// Separate address for the pages of operators (/ops) and /metrics; unset, they are at API_LISTEN
    #[arg(long, env = "OPS_LISTEN", value_name = "ADDRESS")]
    pub ops_listen: Option<ListenAddress>,
    /// Shutdown.
    #[command(flatten)]
    pub serve: ServeSettings,
    /// Rate limits.
    #[command(flatten)]
    pub rate: RateSettings,
    /// The primary database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// URL of a read replica; unset, reads use the primary database
    #[arg(long, env = "DATABASE_READ_URL", hide_env_values = true)]
    pub database_read_url: Option<RedactedUrl>,
    /// How long a response may be superseded on the primary and still be read from the replica
    #[arg(long, env = "REPLICA_MAX_LAG_SECONDS", default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=3_600))]
    pub replica_max_lag_seconds: u64,
    /// API keys.
    #[command(flatten)]
    pub keys: KeysSettings,
    /// Which reads require a key.
    #[command(flatten)]
    pub access: AccessSettings,
    /// Which web pages may read.
    #[command(flatten)]
    pub cors: CorsSettings,
    /// The address of the service.
    #[command(flatten)]
    pub public_url: PublicUrlSettings,
    /// Pictures of events.
    #[command(flatten)]
    pub images: ImageSettings,
    /// The map of a search.
    #[command(flatten)]
    pub map: MapSettings,
    /// Where webhooks may be sent.
    #[command(flatten)]
    pub endpoints: EndpointSettings,
    /// Caches.
    #[command(flatten)]
    pub cache: CacheSettings,
    /// Logs and traces.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
    /// The subcommand; without one, the API is served.
    #[command(subcommand)]
    pub command: Option<ApiCommand>,
}

impl Settings {
    /// The replica that requests read, if there is one besides the primary.
    fn replica(&self) -> Option<DatabaseSettings> {
        let is_other = |url: &RedactedUrl| url.expose() != self.database.url.expose();
        self.database_read_url.clone().filter(is_other).map(|url| DatabaseSettings { url })
    }

    /// Listens on the addresses.
    ///
    /// # Errors
    ///
    /// When one of them cannot be used.
    pub async fn bind(&self) -> Result<Listeners, ListenError> {
        let public = self.listen.bind("API_LISTEN").await?;
        let operations = match &self.ops_listen {
            Some(address) => Some(address.bind("OPS_LISTEN").await?),
            None => None,
        };
        Ok(Listeners { public, operations })
    }

    /// The primary, and the replica if there is one.
    #[must_use]
    pub fn databases(&self) -> Vec<DatabaseSettings> {
        [self.database.clone()].into_iter().chain(self.replica()).collect()
    }
}

impl State {
    /// The state of these settings. A SQLite file is opened; other connections are made when they are needed.
    ///
    /// # Errors
    ///
    /// When the settings are invalid, whether or not the services respond.
    pub async fn connect(settings: &Settings) -> Result<Self, StateError> {
        let connect = async |database, watch| {
            Ok::<_, ConnectError>((
                entity::connect(database, ConnectionRole::Api).await?,
                entity::connect(database, watch).await?,
            ))
        };
        let (database, watch) = connect(&settings.database, ConnectionRole::Watch).await?;
        let replica = match settings.replica() {
            Some(replica) => {
                let (database, watch) = connect(&replica, ConnectionRole::WatchReplica).await?;
                Some(Replica::new(database, watch, Duration::from_secs(settings.replica_max_lag_seconds)))
            }
            None => None,
        };
        let primary = entity::connect(&settings.database, ConnectionRole::Write).await?;
        let redis = Redis::new(&settings.cache.redis, &cache::namespace(&settings.database.location()?))?;
        let rate = RateLimiter::from_settings(&settings.rate);
        let keys = Keys::load(&settings.keys, settings.access)?;
        if let Some(warning) = keys.warning() {
            tracing::warn!("{warning}");
        }
        let cors = Cors::from_settings(&settings.cors);
        let state = Self::with_replica(database, watch, replica, settings.cache.process_bytes(), redis);
        let writer = Arc::new(Writer::new(primary, state.availability.clone()));
        let public_url = settings.public_url.public_url.clone();
        let (images, pictures) = (settings.images.images, settings.images.proxy().map_err(StateError::Pictures)?);
        let map_tiles = settings.map.open()?;
        let endpoints = settings.endpoints;
        Ok(Self { rate, writer, keys, cors, public_url, images, pictures, map_tiles, endpoints, ..state })
    }
}
