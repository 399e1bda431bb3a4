//! `/rates/batches`: prices that come together, stay together and go together.

mod answer;
mod arrival;
mod body;
mod filters;
mod rows;

use poem::Request;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path},
};
use tracing::Instrument;

pub(crate) use self::filters::BatchesQuery;
pub use self::{
    answer::{Batch, BatchList},
    body::{BatchBody, RateItem},
};
use crate::{
    auth::{Caller, Scope},
    error::ApiError,
    query::{CursorText, Documented, Limit, Parameters, no_parameters},
    response::{Encoded, Envelope, PageReply, Reply},
    state::State,
    upload::{Upload, content_coding},
};

/// The operations.
#[derive(Debug)]
pub struct BatchesApi(pub State);

/// A batch was sent.
#[derive(ApiResponse, Debug)]
pub enum BatchTaken {
    /// It is in, whole; or it was when the same key brought it before
    #[oai(status = 201)]
    Created(
        Encoded<Envelope<Batch>>,
        /// Where it is told of
        #[oai(header = "Location")]
        String,
    ),
}

/// A batch was to go.
#[derive(ApiResponse, Debug)]
pub enum BatchTakenBack {
    /// It is gone, whole
    #[oai(status = 204)]
    Gone,
}

#[OpenApi]
impl BatchesApi {
    /// Bring prices in
    ///
    /// All of the batch, or nothing: one wrong item refuses it with 422, and `errors` names up to a hundred by their line. Equal items count
    /// as often as they come. The batch may be compressed with gzip. With an `Idempotency-Key` it may be sent again, also after an answer
    /// was lost: the same key and body are taken once, and answered as the first time.
    #[oai(path = "/rates/batches", method = "post", operation_id = "post_rate_batch")]
    async fn post_batch(
        &self,
        request: &Request,
        caller: Caller,
        /// A text of your own that names this batch, such as a UUID; it is yours for ever
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        upload: Upload<BatchBody>,
    ) -> Result<BatchTaken, ApiError> {
        no_parameters(request)?;
        self.0.keys.admit(request, &caller, &Scope::Rates)?;
        let batch = arrival::take(&self.0, request, upload).await?;
        let location = format!("/rates/batches/{}", batch.id);
        Ok(BatchTaken::Created(Encoded::new(&Envelope::from(Batch::from(batch)))?, location))
    }

    /// The batches that are in
    ///
    /// Newest first. What was taken back is not told of.
    #[oai(path = "/rates/batches", method = "get", operation_id = "rate_batches")]
    async fn batches(
        &self,
        request: &Request,
        /// At most this many batches
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<Envelope<BatchList>>, ApiError> {
        let query = BatchesQuery::parse(Parameters::of(request))?;
        let rows = self.0.reader.read(rows::batches(&self.0.reader.database, &query)).await?;
        let (batches, next) = query.paginate(rows, |batch| batch.id);
        PageReply::json(request, &Envelope::from(BatchList::from(batches)), next).await
    }

    /// One batch
    #[oai(path = "/rates/batches/:id", method = "get", operation_id = "rate_batch")]
    async fn batch(
        &self,
        request: &Request,
        /// The batch's number
        id: Path<String>,
    ) -> Result<Reply<Envelope<Batch>>, ApiError> {
        no_parameters(request)?;
        let batch = self.0.reader.read(rows::batch(&self.0.reader.database, rows::batch_id(&id)?)).await?.ok_or(NO_SUCH_BATCH)?;
        Reply::json(request, &Envelope::from(Batch::from(batch))).await
    }

    /// Take a batch back
    ///
    /// All of it, or nothing. Its idempotency key stays used, so that a late repetition does not bring it again.
    #[oai(path = "/rates/batches/:id", method = "delete", operation_id = "delete_rate_batch")]
    async fn delete_batch(
        &self,
        request: &Request,
        caller: Caller,
        /// The batch's number
        id: Path<String>,
    ) -> Result<BatchTakenBack, ApiError> {
        no_parameters(request)?;
        self.0.keys.admit(request, &caller, &Scope::Rates)?;
        let id = rows::batch_id(&id)?;
        let state = self.0.clone();
        // To its end, whether or not the client still listens.
        let deleting = async move {
            let deleted = {
                let _turn = state.writer.lock_batches().await?;
                rates::delete_batch(&state.writer.database, id).await?
            };
            state.refresh_version().await;
            deleted.ok_or(NO_SUCH_BATCH)
        };
        tokio::spawn(deleting.in_current_span()).await.map_err(|_| ApiError::TaskPanicked)??;
        Ok(BatchTakenBack::Gone)
    }
}

const NO_SUCH_BATCH: ApiError = ApiError::NotFound { what: "batch" };

/// How the body is compressed.
fn coding(request: &Request) -> Result<rates::BatchEncoding, ApiError> {
    match content_coding(request).as_str() {
        "" => Ok(rates::BatchEncoding::Identity),
        "gzip" => Ok(rates::BatchEncoding::Gzip),
        _ => Err(ApiError::UnsupportedMediaType { accepted: "no `Content-Encoding`, or gzip" }),
    }
}
