//! `/multivac` and `/zzz`: one question to a running deployment that only a working whole can answer. A datum is accepted here, queued in
//! the database, acquired by a worker, and read back.

mod answer;
mod body;
mod rows;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, param::Query, payload::PlainText};

pub use self::{
    answer::{AcquiredAnswer, Updated},
    body::DataForm,
};
use crate::{
    State,
    auth::{Caller, Scope},
    error::ApiError,
    query::{CursorText, Described, Limit, next_link, no_parameters},
    response::Encoded,
    server::Upload,
};

/// The answer while nothing was processed.
const INSUFFICIENT: &str = "INSUFFICIENT DATA FOR MEANINGFUL ANSWER.";

/// The operations.
#[derive(Debug)]
pub struct MultivacApi(pub State);

/// A page of data.
#[derive(ApiResponse, Debug)]
pub enum AcquiredResponse {
    /// The data, newest first
    #[oai(status = 200)]
    Found(
        Encoded<AcquiredAnswer>,
        /// The next page, while there is one
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[OpenApi]
impl MultivacApi {
    /// Give the probe a datum
    ///
    /// It is answered once the datum is durably queued; a worker acquires it.
    #[oai(path = "/multivac/data", method = "post", operation_id = "multivac_data")]
    async fn data(&self, request: &Request, caller: Caller, upload: Upload<DataForm>) -> Result<Encoded<Updated>, ApiError> {
        no_parameters(request)?;
        self.0.keys.admit(request, &caller, &Scope::Admin)?;
        let data = body::read(request, upload).await?;
        rows::queue(&self.0.writer.database, data).await?;
        Encoded::new(&Updated::default())
    }

    /// Ask the probe
    ///
    /// The latest datum that a worker has processed; before the first one, that there is none.
    #[oai(path = "/multivac", method = "get", operation_id = "multivac")]
    async fn multivac(&self, request: &Request) -> Result<PlainText<String>, ApiError> {
        no_parameters(request)?;
        let latest = self.0.reader.read(rows::latest(&self.0.reader.database)).await?;
        Ok(PlainText(latest.unwrap_or_else(|| INSUFFICIENT.to_owned())))
    }

    /// The data that the probe was given
    ///
    /// Newest first. What is older than seven days is dropped.
    #[oai(path = "/zzz", method = "get", operation_id = "zzz")]
    async fn zzz(
        &self,
        request: &Request,
        /// At most this many
        #[oai(name = "limit")]
        _limit: Query<Described<Limit>>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Query<Described<CursorText>>,
    ) -> Result<AcquiredResponse, ApiError> {
        let page = rows::page(request.uri().query().unwrap_or_default())?;
        let (data, next) = self.0.reader.read(rows::data(&self.0.reader.database, &page)).await?;
        let link = next.map(|cursor| next_link("/zzz", &[], page.limit, &cursor));
        Ok(AcquiredResponse::Found(Encoded::new(&AcquiredAnswer::from(data))?, link))
    }
}
