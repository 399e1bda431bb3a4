//! `/multivac` and `/zzz`: an end-to-end probe of a deployment. A datum is accepted here, queued in the database, processed by a
//! worker, and read back.

mod body;
mod filters;
mod response;
mod rows;

use poem::Request;
use poem_openapi::OpenApi;

pub(crate) use self::filters::DataQuery;
pub use self::{
    body::DatumForm,
    response::{DatumList, DatumQueued},
};
use crate::{
    auth::{Caller, Scope},
    database::reader::ReadSize,
    error::ApiError,
    query::{CursorText, Documented, Limit, Parameters, no_parameters},
    resources::openapi::Tag,
    resources::upload::Upload,
    response::{Encoded, Envelope, PageReply, TextReply},
    state::State,
};

/// The response while no datum was processed.
const INSUFFICIENT: &str = "INSUFFICIENT DATA FOR MEANINGFUL ANSWER.";

/// The operations.
#[derive(Debug)]
pub struct MultivacApi(pub State);

#[OpenApi(tag = "Tag::Probe")]
impl MultivacApi {
    /// Submit a datum to the probe
    ///
    /// The datum is durably queued before the response is sent. A worker processes it.
    #[oai(path = "/multivac/data", method = "post", operation_id = "multivac_data")]
    async fn data(&self, request: &Request, caller: Caller, upload: Upload<DatumForm>) -> Result<Encoded<DatumQueued>, ApiError> {
        let caller = self.0.keys.authorize(request, &caller, &Scope::Admin)?;
        no_parameters(request)?;
        let _permit = self.0.writer.reserve_body(&caller, upload.declared_bytes(body::MAX_FORM_BYTES)?).await?;
        let data = body::read(request, upload).await?;
        let id = self.0.writer.write(1, rows::queue(&self.0.writer.database, data)).await?;
        tracing::info!(datum.id = id, "datum queued");
        Encoded::new(&DatumQueued::default())
    }

    /// Query the probe
    ///
    /// Returns the latest datum that a worker has processed, or a fixed text if there is none.
    #[oai(path = "/multivac", method = "get", operation_id = "multivac")]
    async fn multivac(&self, request: &Request) -> Result<TextReply, ApiError> {
        no_parameters(request)?;
        let source = self.0.reader.primary();
        let latest = self.0.reader.read(source, ReadSize::Small, rows::latest(&source.connection)).await?;
        TextReply::new(request, latest.unwrap_or_else(|| INSUFFICIENT.to_owned())).await
    }

    /// List the data of the probe
    ///
    /// Newest first. Data are deleted after seven days.
    #[oai(path = "/zzz", method = "get", operation_id = "zzz")]
    async fn zzz(
        &self,
        request: &Request,
        caller: Caller,
        /// The maximum number of data
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The cursor of the next page, from the `Link` header
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<Envelope<DatumList>>, ApiError> {
        self.0.keys.authorize_operations(&caller)?;
        let query = DataQuery::parse(Parameters::of(request))?;
        let source = self.0.reader.primary();
        let rows = self.0.reader.read(source, query.page.read_size(), rows::data(&source.connection, &query)).await?;
        let (data, next) = query.paginate(rows, |datum| datum.id);
        PageReply::json(request, &Envelope::from(DatumList::from(data)), next).await
    }
}
