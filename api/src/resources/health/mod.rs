//! `GET /livez` and `GET /readyz`: liveness and readiness. They ignore unknown parameters, because some load balancers add their own.

use std::time::Duration;

use poem::Request;
use poem_openapi::{Enum, Object, OpenApi, registry::MetaSchema, types::Example};
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    error::ApiError,
    query::{Documented, ParameterKind},
    resources::openapi::Tag,
    response::{Nullable, Reply},
    state::State,
};

/// How long a check waits for the database: less than the timeout of a load balancer, which would remove a process that responds later.
const REFRESH_TIMEOUT: Duration = Duration::from_millis(500);

/// The operations.
#[derive(Debug)]
pub struct HealthApi(pub State);

/// The response of a live process.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Live {
    /// Always the same: a process that is not live does not respond.
    pub status: Liveness,
}

/// The response of a ready process.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Ready {
    /// Whether the process can respond to all requests. A process that can respond to none responds with 503.
    pub status: Readiness,
    /// Whether it can respond to reads.
    pub reading: Reading,
    /// Whether it can respond to writes.
    pub writing: Writing,
    /// The newest known version of the catalogue; null before the first.
    pub catalogue_version: Nullable<i64>,
    /// The state of Redis; null if no Redis is configured. Without Redis, responses come from the database.
    pub redis: Nullable<RedisState>,
}

/// The state of a live process.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// The process runs.
    Live,
}

/// The state of a ready process.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// The process can respond to all requests.
    Ready,
    /// The process can respond to some requests.
    Degraded,
}

/// Which reads a process can respond to.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// All.
    Available,
    /// Only those with a cached response, because the database is unavailable.
    Cached,
}

/// Whether a process can respond to writes.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Writing {
    /// It can.
    Available,
    /// The primary database is unavailable, or does not accept writes.
    Unavailable,
}

/// Whether a process that is not completely ready responds with 503.
#[derive(Debug)]
pub struct Strict;

impl ParameterKind for Strict {
    fn schema() -> MetaSchema {
        // Any text: a health check must not fail because of a parameter.
        MetaSchema { default: Some("false".into()), ..MetaSchema::new("string") }
    }
}

/// The state of Redis.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RedisState {
    /// It responds.
    Up,
    /// It does not respond.
    Unavailable,
}

#[OpenApi(tag = "Tag::Health")]
impl HealthApi {
    /// Check liveness
    ///
    /// Succeeds while the process runs. It uses no other service, because restarting this process does not repair another one.
    #[oai(path = "/livez", method = "get", operation_id = "livez")]
    async fn livez(&self, request: &Request) -> Result<Reply<Live>, ApiError> {
        Reply::json(request, &Live::example()).await
    }

    /// Check readiness
    ///
    /// While the database is unavailable, a process with cached responses is `degraded`: it remains in the load balancer, because it can
    /// still respond to some reads. Responds with 503 if it cannot, if the database is corrupt, if its schema is outdated or too new, and
    /// once the process is shutting down. With `strict`, a degraded process also responds with 503.
    #[oai(path = "/readyz", method = "get", operation_id = "readyz")]
    async fn readyz(
        &self,
        request: &Request,
        /// With any value but `false`: 503 unless the process can respond to all requests
        #[oai(name = "strict")]
        _strict: Documented<Strict>,
    ) -> Result<Reply<Ready>, ApiError> {
        if self.0.readiness.is_draining() {
            return Err(ApiError::ShuttingDown);
        }
        let refreshed = self.refresh().await;
        if self.0.availability.is_schema_too_new() {
            return Err(ApiError::SchemaTooNew);
        }
        if self.0.version.is_schema_outdated() {
            return Err(ApiError::SchemaOutdated);
        }
        if self.0.availability.is_corrupt() {
            return Err(ApiError::DatabaseStillCorrupt);
        }
        let reading = self.reading(refreshed.is_ok());
        let is_writable = refreshed.is_ok() && self.0.version.accepts_writes();
        let status = match reading {
            Some(Reading::Available) if is_writable => Readiness::Ready,
            Some(_) if !is_strict(request) => Readiness::Degraded,
            _ => return Err(refreshed.err().unwrap_or(ApiError::DatabaseStillUnavailable)),
        };
        let ready = Ready {
            status,
            reading: reading.unwrap_or(Reading::Cached),
            writing: if is_writable { Writing::Available } else { Writing::Unavailable },
            catalogue_version: self.0.version.current().into(),
            redis: self.redis().into(),
        };
        Reply::json(request, &ready).await
    }
}

impl HealthApi {
    /// Reads the version, which also checks the primary.
    async fn refresh(&self) -> Result<i64, ApiError> {
        let version = self.0.version.clone();
        // Separately, so that the read is completed for others that wait for it.
        let refresh = tokio::spawn(async move { version.refresh().await });
        match timeout(REFRESH_TIMEOUT, refresh).await {
            Ok(Ok(version)) => version.map_err(ApiError::from),
            Ok(Err(_panicked)) => Err(ApiError::TaskPanicked),
            Err(_elapsed) => Err(ApiError::DatabaseTimeout),
        }
    }

    fn redis(&self) -> Option<RedisState> {
        self.0.cache.is_redis_up().map(|is_up| if is_up { RedisState::Up } else { RedisState::Unavailable })
    }

    /// Which reads the process can respond to, if any.
    fn reading(&self, is_primary_available: bool) -> Option<Reading> {
        let replica = self.0.reader.replica();
        if is_primary_available || replica.is_some_and(|replica| replica.source.availability.is_available()) {
            Some(Reading::Available)
        } else {
            (!self.0.cache.is_empty()).then_some(Reading::Cached)
        }
    }
}

/// Whether the query contains `strict`, `strict=true` or another value than `false`.
fn is_strict(request: &Request) -> bool {
    let mut parameters = request.uri().query().unwrap_or_default().split('&');
    parameters.any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name == "strict" && value != "false"
    })
}

impl Example for Live {
    fn example() -> Self {
        Self { status: Liveness::Live }
    }
}

impl Example for Ready {
    fn example() -> Self {
        Self {
            status: Readiness::Ready,
            reading: Reading::Available,
            writing: Writing::Available,
            catalogue_version: Nullable(Some(42)),
            redis: Nullable(Some(RedisState::Up)),
        }
    }
}
