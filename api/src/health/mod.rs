//! `GET /livez` and `GET /readyz`: whether the process runs, and whether it can serve.

use entity::catalogue_version;
use poem_openapi::{Object, OpenApi, types::Example};
use serde::Serialize;

use crate::{State, error::ApiError, http::Encoded};

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
}

#[OpenApi]
impl HealthApi {
    /// Whether the process runs
    ///
    /// It asks nothing of anybody: restarting the process would not bring a database back.
    #[oai(path = "/livez", method = "get", operation_id = "livez")]
    async fn livez(&self, request: &poem::Request) -> Result<Encoded<Live>, ApiError> {
        crate::http::no_parameters(request)?;
        Encoded::new(&Live::example())
    }

    /// Whether requests can be served
    ///
    /// 503 while the database is away or has no schema, and as soon as the process was told to stop.
    #[oai(path = "/readyz", method = "get", operation_id = "readyz")]
    async fn readyz(&self, request: &poem::Request) -> Result<Encoded<Ready>, ApiError> {
        crate::http::no_parameters(request)?;
        if self.0.readiness.is_draining() {
            return Err(ApiError::Draining);
        }
        // A database without a schema is as good as none until the operator has made it.
        let current = async { Ok(catalogue_version::current(&self.0.database).await.map_err(ApiError::DatabaseAway)) };
        let version = self.0.read(current).await??;
        Encoded::new(&Ready { status: "ready".to_owned(), catalogue_version: version })
    }
}

impl Example for Live {
    fn example() -> Self {
        Self { status: "live".to_owned() }
    }
}

impl Example for Ready {
    fn example() -> Self {
        Self { status: "ready".to_owned(), catalogue_version: 42 }
    }
}
