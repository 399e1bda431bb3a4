//! `GET /livez` and `GET /readyz`: liveness and readiness. They ignore parameters, because some load balancers add their own.

use poem::Request;
use poem_openapi::{Object, OpenApi, types::Example};
use serde::Serialize;

use crate::{
    error::ApiError,
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
    /// Always `live`.
    pub status: String,
}

/// The response of a ready process.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Ready {
    /// Always `ready`: a process that is not ready responds with 503.
    pub status: String,
    /// The version of the catalogue in the database.
    pub catalogue_version: i64,
    /// The state of Redis: `up` or `unavailable`; null if no Redis is configured. Without Redis, responses come from the database.
    pub redis: Nullable<String>,
}

#[OpenApi]
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
        let redis = self.0.cache.is_redis_up().map(|is_up| if is_up { "up" } else { "unavailable" }.to_owned());
        Reply::json(request, &Ready { status: "ready".to_owned(), catalogue_version, redis: redis.into() }).await
    }
}

impl Example for Live {
    fn example() -> Self {
        Self { status: "live".to_owned() }
    }
}

impl Example for Ready {
    fn example() -> Self {
        Self { status: "ready".to_owned(), catalogue_version: 42, redis: Nullable(Some("up".to_owned())) }
    }
}
