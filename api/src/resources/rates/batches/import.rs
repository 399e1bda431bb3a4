//! The import of a batch, from the socket to the database.
//!
//! The body is parsed while it arrives, on a thread that may block. The database is only written once the body is complete and valid,
//! so a slow or broken client delays no other. The write completes even if the client disconnects: the client retries with the same
//! key.

use std::time::Duration;

use entity::rate_batch;
use metrics::{counter, histogram};
use poem::{Request, http::header};
use rates::{
    BatchEncoding, BatchLimits, BatchReadError, CommitError, CommitOutcome, PlaceIds, RowError, RowErrors, StagedPrices,
};
use sea_orm::DbErr;
use tokio::{sync::mpsc, time::Instant};
use tracing::Instrument;

use super::{
    BatchBody,
    body_reader::{BlockingBody, CHUNKS_AHEAD, Deadlines, forward},
};
use crate::{
    auth::CallerName,
    error::{ApiError, ValidationError},
    resources::upload::{Upload, content_coding, idempotency_key, media_type},
    state::State,
};

/// A batch, and a version of the catalogue with its prices; `None` if the database became unavailable.
type ImportedBatch = (rate_batch::Model, Option<i64>);

/// Imports a batch.
pub(super) async fn import(
    state: &State,
    caller: &CallerName,
    request: &Request,
    upload: Upload<BatchBody>,
) -> Result<ImportedBatch, ApiError> {
    let result = read_and_commit(state, caller, request, upload).await;
    if result.is_err() {
        count("rejected");
    }
    result
}

async fn read_and_commit(
    state: &State,
    caller: &CallerName,
    request: &Request,
    upload: Upload<BatchBody>,
) -> Result<ImportedBatch, ApiError> {
    let started = Instant::now();
    let format = BatchBody::format(media_type::<BatchBody>(request)?);
    let (encoding, key) = (encoding(request)?, idempotency_key(request)?);
    let limits = state.batch_limits;
    check_content_length(request, &limits)?;
    let permit = state.writer.reserve_batch(caller)?;
    if !state.availability.is_available() {
        return Err(state.availability.still_unavailable());
    }
    let claim = key.map(|key| state.writer.keys.claim(key).ok_or(ApiError::IdempotencyKeyInUse)).transpose()?;
    let places = state.writer.write(1, PlaceIds::load(&state.writer.database)).await?;

    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let body = BlockingBody::new(receiver);
    let reading = tokio::task::spawn_blocking(move || rates::read_batch(body, encoding, format, &places, &limits));
    forward(upload.body.into_bytes_stream(), sender, Deadlines::new(&state.readiness)).await;
    let batch = reading.await.map_err(|_| ApiError::TaskPanicked)??;

    let items = batch.outcome.as_ref().map_or(0, StagedPrices::count);
    let state = state.clone();
    let committing = async move {
        let _permit = permit;
        let commit = rates::commit_batch(&state.writer.database, claim, batch, &limits, |_| ());
        let outcome = state.writer.write_batch(items, commit).await?;
        let version = state.refresh_version().await;
        record(&outcome, started.elapsed());
        let (CommitOutcome::Committed(batch) | CommitOutcome::Repeated(batch)) = outcome;
        Ok((batch, version))
    };
    tokio::spawn(committing.in_current_span()).await.map_err(|_| ApiError::TaskPanicked)?
}

/// Rejects a body that is declared as too long before it is read.
fn check_content_length(request: &Request, limits: &BatchLimits) -> Result<(), ApiError> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match declared {
        Some(bytes) if bytes > limits.body_bytes => Err(BatchReadError::BodyTooLarge { limit_bytes: limits.body_bytes }.into()),
        _ => Ok(()),
    }
}

fn encoding(request: &Request) -> Result<BatchEncoding, ApiError> {
    match content_coding(request).as_str() {
        "" => Ok(BatchEncoding::Identity),
        "gzip" => Ok(BatchEncoding::Gzip),
        _ => Err(ApiError::UnsupportedMediaType { accepted: "no `Content-Encoding`, or gzip" }),
    }
}

fn record(outcome: &CommitOutcome, duration: Duration) {
    match outcome {
        CommitOutcome::Committed(batch) => {
            count("accepted");
            counter!("marquee_rate_prices_total").increment(batch.price_count.unsigned_abs());
            histogram!("marquee_rate_batch_seconds").record(duration);
            let (prices, routes) = (batch.price_count, batch.route_count);
            tracing::info!(batch.id, batch.prices = prices, batch.routes = routes, "rate batch imported");
        }
        CommitOutcome::Repeated(batch) => {
            count("repeated");
            tracing::info!(batch.id, "rate batch already imported");
        }
    }
}

fn count(outcome: &'static str) {
    counter!("marquee_rate_batches_total", "outcome" => outcome).increment(1);
}

impl From<BatchReadError> for ApiError {
    fn from(error: BatchReadError) -> Self {
        match error {
            BatchReadError::BodyTooLarge { limit_bytes } => Self::BodyTooLarge { what: "bytes per batch", limit: limit_bytes },
            BatchReadError::DecodedTooLarge { limit_bytes } => {
                Self::BodyTooLarge { what: "bytes per decompressed batch", limit: limit_bytes }
            }
            BatchReadError::TooManyItems { limit } => Self::BodyTooLarge { what: "prices per batch", limit },
            BatchReadError::InvalidGzip(_) => {
                Self::InvalidBody("the body must be complete gzip, as its `Content-Encoding` declares; nothing was imported")
            }
            // The error that `BlockingBody` returned.
            BatchReadError::Source(error) => error.downcast().unwrap_or(Self::IncompleteBody),
            BatchReadError::Disk(error) => Self::Disk(error),
        }
    }
}

impl From<CommitError> for ApiError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Rows(RowErrors { first, count }) => {
                Self::InvalidItems { errors: first.into_iter().map(ValidationError::from).collect(), count }
            }
            CommitError::KeyInUse => Self::IdempotencyKeyInUse,
            CommitError::KeyReused => Self::IdempotencyKeyReused,
            CommitError::DatabaseReplaced => Self::DatabaseUnavailable(DbErr::Custom(error.to_string())),
            CommitError::Disk(error) => Self::Disk(error),
            CommitError::Database(error) => error.into(),
        }
    }
}

impl From<RowError> for ValidationError {
    fn from(RowError { line, pointer, message }: RowError) -> Self {
        Self { line: Some(line), pointer, message, ..Self::default() }
    }
}
