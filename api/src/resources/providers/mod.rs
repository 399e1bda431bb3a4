//! `GET /providers`: whose catalogues there are and how fresh their copies are.

mod answer;
mod rows;

use entity::UtcInstant;
use poem_openapi::OpenApi;

pub use self::answer::ProvidersAnswer;
use crate::{State, error::ApiError, response::Encoded};

/// The operation.
#[derive(Debug)]
pub struct ProvidersApi(pub State);

#[OpenApi]
impl ProvidersApi {
    /// All providers and how fresh their copies are
    #[oai(path = "/providers", method = "get", operation_id = "providers")]
    async fn providers(&self, request: &poem::Request) -> Result<Encoded<ProvidersAnswer>, ApiError> {
        crate::query::no_parameters(request)?;
        let rows = self.0.reader.read(rows::find(&self.0.reader.database)).await?;
        Encoded::new(&ProvidersAnswer::at(UtcInstant::now(), rows))
    }
}
