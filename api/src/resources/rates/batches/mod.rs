//! `/rates/batches`: prices that come together, stay together and go together.

mod answer;
mod arrival;
mod body;
mod rows;

use poem::Request;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path, Query},
};

pub use self::{
    answer::{BatchAnswer, BatchesAnswer},
    body::{BatchBody, RateItem},
};
use crate::{
    State,
    auth::{Caller, Scope},
    error::ApiError,
    query::{CursorText, Described, Limit, next_link, no_parameters},
    response::Encoded,
    server::{Upload, content_coding},
};

/// The operations.
#[derive(Debug)]
pub struct BatchesApi(pub State);

/// A page of batches.
#[derive(ApiResponse, Debug)]
pub enum BatchesResponse {
    /// The batches, newest first
    #[oai(status = 200)]
    Found(
        Encoded<BatchesAnswer>,
        /// The next page, while there is one
        #[oai(header = "Link")]
        Option<String>,
    ),
}

/// A batch was sent.
#[derive(ApiResponse, Debug)]
pub enum BatchTaken {
    /// It is in, whole; or it was when the same key brought it before
    #[oai(status = 201)]
    Created(
        Encoded<BatchAnswer>,
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
        Ok(BatchTaken::Created(Encoded::new(&BatchAnswer::from(batch))?, location))
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
        _limit: Query<Described<Limit>>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Query<Described<CursorText>>,
    ) -> Result<BatchesResponse, ApiError> {
        let page = rows::page(request.uri().query().unwrap_or_default())?;
        let (batches, next) = self.0.reader.read(rows::batches(&self.0.reader.database, &page)).await?;
        let link = next.map(|cursor| next_link("/rates/batches", &[], page.limit, &cursor));
        Ok(BatchesResponse::Found(Encoded::new(&BatchesAnswer::from(batches))?, link))
    }

    /// One batch
    #[oai(path = "/rates/batches/:id", method = "get", operation_id = "rate_batch")]
    async fn batch(
        &self,
        request: &Request,
        /// The batch's number
        id: Path<String>,
    ) -> Result<Encoded<BatchAnswer>, ApiError> {
        no_parameters(request)?;
        let batch = self.0.reader.read(rows::batch(&self.0.reader.database, rows::batch_id(&id)?)).await?.ok_or(NO_SUCH_BATCH)?;
        Encoded::new(&BatchAnswer::from(batch))
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
        let taken_back = tokio::spawn(async move {
            let taken_back = {
                let _turn = state.writer.settle().await?;
                rates::delete_batch(&state.writer.database, id).await?
            };
            state.learn().await;
            taken_back.ok_or(NO_SUCH_BATCH)
        });
        taken_back.await.map_err(|_| ApiError::TaskPanicked)??;
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
