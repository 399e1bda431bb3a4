//! `/rates/batches`: prices that are imported and deleted together.

mod body;
mod body_reader;
mod filters;
mod import;
mod response;
mod rows;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi};
use tracing::Instrument;

pub(crate) use self::filters::BatchesQuery;
pub use self::{
    body::{BatchBody, RateItem},
    response::{Batch, BatchList},
};
use crate::{
    auth::{Caller, Scope},
    database::reader::ReadSize,
    error::ApiError,
    query::{
        CursorText, Documented, IdempotencyKeyText, IfMatchText, Limit, Parameters, Path, RowNumber, no_parameters, parse_path,
    },
    resources::openapi::Tag,
    resources::upload::Upload,
    response::{Encoded, Envelope, PageReply, Precondition, Reply},
    state::State,
};

/// The operations.
#[derive(Debug)]
pub struct BatchesApi(pub State);

/// The response to an imported batch.
#[derive(ApiResponse, Debug)]
pub enum ImportResponse {
    /// The batch is imported, now or by an earlier request with the same key
    #[oai(status = 201)]
    Created(
        Encoded<Envelope<Batch>>,
        /// The batch
        #[oai(header = "Location")]
        String,
        /// A version of the catalogue with the batch. Absent if the database became unavailable
        #[oai(header = "Marquee-Version")]
        Option<i64>,
    ),
}

/// The response to a deleted batch.
#[derive(ApiResponse, Debug)]
pub enum DeleteResponse {
    /// The batch is deleted
    #[oai(status = 204)]
    Deleted(
        /// A version of the catalogue without the batch. Absent if the database became unavailable
        #[oai(header = "Marquee-Version")]
        Option<i64>,
    ),
}

#[OpenApi(tag = "Tag::PlacesAndPrices")]
impl BatchesApi {
    /// Import a batch of prices
    ///
    /// The batch is imported as a whole or not at all: one invalid item rejects it with 422, and `errors` lists up to 100 invalid items
    /// by line. Equal items count as often as they occur. The body may be compressed with gzip. With an `Idempotency-Key` the request
    /// can be retried, also after a lost response: the same key and body are imported once, and the response is the same.
    #[oai(path = "/rates/batches", method = "post", operation_id = "post_rate_batch")]
    async fn post_batch(
        &self,
        request: &Request,
        caller: Caller,
        /// A unique key for this batch, such as a UUID. It is never valid for another batch
        #[oai(name = "Idempotency-Key")]
        _key: Documented<IdempotencyKeyText>,
        upload: Upload<BatchBody>,
    ) -> Result<ImportResponse, ApiError> {
        let caller = self.0.keys.authorize(request, &caller, &Scope::Rates)?;
        no_parameters(request)?;
        let (batch, version) = import::import(&self.0, &caller, request, upload).await?;
        // Relative to the path of the request, which may have a prefix that a proxy removed.
        let location = format!("batches/{}", batch.id);
        Ok(ImportResponse::Created(Encoded::new(&Envelope::from(Batch::from(batch)))?, location, version))
    }

    /// List the imported batches
    ///
    /// Newest first, without deleted batches.
    #[oai(path = "/rates/batches", method = "get", operation_id = "rate_batches")]
    async fn batches(
        &self,
        request: &Request,
        caller: Caller,
        /// The maximum number of batches
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The cursor of the next page, from the `Link` header
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<Envelope<BatchList>>, ApiError> {
        self.0.keys.authorize_operations(&caller)?;
        let query = BatchesQuery::parse(Parameters::of(request))?;
        let source = self.0.reader.primary();
        let rows = self.0.reader.read(source, query.page.read_size(), rows::batches(&source.connection, &query)).await?;
        let (batches, next) = query.paginate(rows, |batch| batch.id);
        PageReply::json(request, &Envelope::from(BatchList::from(batches)), next).await
    }

    /// Get a batch
    ///
    /// Returns a batch that was imported and not deleted.
    #[oai(path = "/rates/batches/:id", method = "get", operation_id = "rate_batch")]
    async fn batch(
        &self,
        request: &Request,
        caller: Caller,
        /// The id of the batch
        id: Path<RowNumber>,
    ) -> Result<Reply<Envelope<Batch>>, ApiError> {
        self.0.keys.authorize_operations(&caller)?;
        no_parameters(request)?;
        let id: i64 = parse_path("id", &id, "must be an integer, the id of a batch")?;
        let source = self.0.reader.primary();
        let batch = self.0.reader.read(source, ReadSize::Small, rows::batch(&source.connection, id)).await?;
        let batch = batch.ok_or_else(|| ApiError::not_found("batch", &id))?;
        Reply::json(request, &Envelope::from(Batch::from(batch))).await
    }

    /// Delete a batch
    ///
    /// All of its prices are deleted together. With `If-Match`, only if its `ETag` is current. Its idempotency key remains used, so that a late retry does not import it again.
    #[oai(path = "/rates/batches/:id", method = "delete", operation_id = "delete_rate_batch")]
    async fn delete_batch(
        &self,
        request: &Request,
        caller: Caller,
        /// The `ETag` of the batch
        #[oai(name = "If-Match")]
        _if_match: Documented<IfMatchText>,
        /// The id of the batch
        id: Path<RowNumber>,
    ) -> Result<DeleteResponse, ApiError> {
        self.0.keys.authorize(request, &caller, &Scope::Rates)?;
        no_parameters(request)?;
        let id: i64 = parse_path("id", &id, "must be an integer, the id of a batch")?;
        let precondition = Precondition::of(request.headers())?;
        let batch = self.0.writer.write(1, rows::batch(&self.0.writer.database, id)).await?;
        let batch = batch.ok_or_else(|| ApiError::not_found("batch", &id))?;
        let prices = batch.price_count.unsigned_abs();
        if let Some(precondition) = precondition {
            let body = serde_json::to_vec(&Envelope::from(Batch::from(batch))).map_err(ApiError::Encoding)?;
            // A batch never changes before it is deleted.
            precondition.check(body.into()).await?;
        }
        let state = self.0.clone();
        // A task, so that it completes even if the client disconnects.
        let deleting = async move {
            let deleted = state.writer.write_batch(prices, rates::delete_batch(&state.writer.database, id)).await?;
            let version = state.refresh_version().await;
            deleted.ok_or_else(|| ApiError::not_found("batch", &id))?;
            tracing::info!(batch.id = id, "rate batch deleted");
            Ok(DeleteResponse::Deleted(version))
        };
        tokio::spawn(deleting.in_current_span()).await.map_err(|_| ApiError::TaskPanicked)?
    }
}
