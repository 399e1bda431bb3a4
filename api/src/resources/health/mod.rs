//! `GET /livez` and `GET /readyz`: whether the process runs, and whether it can serve.

use poem_openapi::{Object, OpenApi, types::Example};
use serde::Serialize;

use crate::{
    State,
    error::ApiError,
    response::{Encoded, Nullable},
};

/// The operations.
#[derive(Debug)]
pub struct HealthApi(pub State);

/// The process runs.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct Live {
    /// Always `live`.
    pub status: String,
}

/// The process can serve.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct Ready {
    /// Always `ready`; what is not ready answers 503.
    pub status: String,
    /// The version of the catalogue that is served.
    pub catalogue_version: i64,
    /// Whether Redis answers: `up` or `away`; null if there is none. Without it answers come from the database.
    pub redis: Nullable<String>,
}

#[OpenApi]
impl HealthApi {
    /// Whether the process runs
    ///
    /// It asks nothing of anybody: restarting the process would not bring a database back.
    #[oai(path = "/livez", method = "get", operation_id = "livez")]
    async fn livez(&self, request: &poem::Request) -> Result<Encoded<Live>, ApiError> {
        crate::query::no_parameters(request)?;
        Encoded::new(&Live::example())
    }

    /// Whether requests can be served
    ///
    /// 503 while the database is away or has no schema, and as soon as the process was told to stop.
    #[oai(path = "/readyz", method = "get", operation_id = "readyz")]
    async fn readyz(&self, request: &poem::Request) -> Result<Encoded<Ready>, ApiError> {
        crate::query::no_parameters(request)?;
        if self.0.readiness.is_draining() {
            return Err(ApiError::ShuttingDown);
        }
        // A database without a schema is as good as none until the operator has made it.
        let version = self.0.catalogue.ask().await.map_err(ApiError::DatabaseUnavailable)?;
        let redis = self.0.cache.is_redis_up().map(|is_up| if is_up { "up" } else { "away" }.to_owned());
        Encoded::new(&Ready { status: "ready".to_owned(), catalogue_version: version, redis: redis.into() })
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
