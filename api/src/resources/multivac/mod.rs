//! `/multivac` and `/zzz`: one question to a running deployment that only a working whole can answer. A datum is accepted here, queued in
//! the database, acquired by a worker, and read back.

mod answer;
mod body;
mod filters;
mod rows;

use poem::Request;
use poem_openapi::OpenApi;

pub(crate) use self::filters::DataQuery;
pub use self::{
    answer::{Acquired, Updated},
    body::DataForm,
};
use crate::{
    auth::{Caller, Scope},
    error::ApiError,
    query::{CursorText, Documented, Limit, Parameters, no_parameters},
    response::{Encoded, Envelope, PageReply, TextReply},
    state::State,
    upload::Upload,
};

/// The answer while nothing was processed.
const INSUFFICIENT: &str = "INSUFFICIENT DATA FOR MEANINGFUL ANSWER.";

/// The operations.
#[derive(Debug)]
pub struct MultivacApi(pub State);

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
    async fn multivac(&self, request: &Request) -> Result<TextReply, ApiError> {
        no_parameters(request)?;
        let latest = self.0.reader.read(rows::latest(&self.0.reader.database)).await?;
        TextReply::new(request, latest.unwrap_or_else(|| INSUFFICIENT.to_owned())).await
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
        _limit: Documented<Limit>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<Envelope<Acquired>>, ApiError> {
        let query = DataQuery::parse(Parameters::of(request))?;
        let rows = self.0.reader.read(rows::data(&self.0.reader.database, &query)).await?;
        let (data, next) = query.paginate(rows, |datum| datum.id);
        PageReply::json(request, &Envelope::from(Acquired::from(data)), next).await
    }
}
