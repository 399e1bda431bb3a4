//! `GET /livez` and `GET /readyz`: liveness and readiness. They ignore parameters, because some load balancers add their own.

use poem::Request;
use poem_openapi::{Enum, Object, OpenApi, types::Example};
use serde::Serialize;

use crate::{
    error::ApiError,
    resources::openapi::Tag,
    response::{Nullable, Reply},
    state::State,
};

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
    /// Always the same: a process that is not ready responds with 503.
    pub status: Readiness,
    /// The version of the catalogue in the database.
    #[oai(validator(minimum(value = "0")))]
    pub catalogue_version: i64,
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
    /// Responds with 503 while the database is unavailable or its schema is outdated, and once the process is shutting down.
    #[oai(path = "/readyz", method = "get", operation_id = "readyz")]
    async fn readyz(&self, request: &Request) -> Result<Reply<Ready>, ApiError> {
        if self.0.readiness.is_draining() {
            return Err(ApiError::ShuttingDown);
        }
        let catalogue_version = self.0.version.refresh().await;
        if self.0.version.is_schema_outdated() {
            return Err(ApiError::SchemaOutdated);
        }
        let catalogue_version = catalogue_version.map_err(ApiError::DatabaseUnavailable)?;
        let redis = self.0.cache.is_redis_up().map(|is_up| if is_up { RedisState::Up } else { RedisState::Unavailable });
        Reply::json(request, &Ready { status: Readiness::Ready, catalogue_version, redis: redis.into() }).await
    }
}

impl Example for Live {
    fn example() -> Self {
        Self { status: Liveness::Live }
    }
}

impl Example for Ready {
    fn example() -> Self {
        Self { status: Readiness::Ready, catalogue_version: 42, redis: Nullable(Some(RedisState::Up)) }
    }
}
