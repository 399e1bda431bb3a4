//! The way of a batch from the socket into the database.
//!
//! The body is checked as it comes, on a thread that may wait for it; the database is not touched before all of it is there and right, so
//! a slow or broken client costs nobody else anything. Then it is written to its end, whether or not the client still listens: a client
//! that hears nothing asks again with the same key.

use std::{
    io::{self, Read},
    time::Duration,
};

use bytes::{Buf, Bytes};
use entity::rate_batch;
use futures_util::{Stream, TryStreamExt};
use metrics::{counter, histogram};
use poem::{Request, http::header};
use rates::{BatchLimits, BatchReadError, CommitError, CommitOutcome, PlaceIds, RowError, RowErrors};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tracing::Instrument;

use super::{BatchBody, coding};
use crate::{
    error::{ApiError, ValidationError},
    state::{Readiness, State},
    upload::{Upload, idempotency_key, media_type},
};

/// How long a body may take.
const TIMES: Times = Times {
    // The largest takes so long on a line of 7 Mbit/s.
    whole: Duration::from_secs(300),
    silence: Duration::from_secs(20),
    // Half of the time to drain: the rest is for writing.
    in_drain: Duration::from_secs(5),
};
/// How often a body that comes is asked whether it still may.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Chunks of a body that wait for being read, each a few dozen KiB.
const CHUNKS_AHEAD: usize = 4;

/// Takes a batch in.
pub(super) async fn take(state: &State, request: &Request, upload: Upload<BatchBody>) -> Result<rate_batch::Model, ApiError> {
    let begun = Instant::now();
    let taken = taken(state, request, upload, begun).await;
    if taken.is_err() {
        count("refused");
    }
    taken
}

async fn taken(
    state: &State,
    request: &Request,
    upload: Upload<BatchBody>,
    begun: Instant,
) -> Result<rate_batch::Model, ApiError> {
    let format = BatchBody::format(media_type::<BatchBody>(request)?);
    let (coding, key) = (coding(request)?, idempotency_key(request)?);
    let limits = state.batch_limits;
    refuse_announced(request, &limits)?;
    let place = state.writer.reserve_batch()?;
    if !state.availability.is_available() {
        return Err(ApiError::DatabaseStillUnavailable);
    }
    let claim = key.map(|key| state.writer.keys.claim(key).ok_or(ApiError::IdempotencyKeyInUse)).transpose()?;
    let places = PlaceIds::load(&state.writer.database).await?;

    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let arriving = Arriving { receiver, chunk: Bytes::new(), is_whole: false };
    let reading = tokio::task::spawn_blocking(move || rates::read_batch(arriving, coding, format, &places, &limits));
    pour(upload.body.into_bytes_stream(), sender, Patience::new(TIMES, &state.readiness)).await;
    let reading = reading.await.map_err(|_| ApiError::TaskPanicked)??;

    let state = state.clone();
    let committing = async move {
        let _place = place;
        let settled = {
            let _turn = state.writer.lock_batches().await?;
            rates::commit_batch(&state.writer.database, claim, reading, &limits, |_| ()).await?
        };
        state.refresh_version().await;
        tell(&settled, begun);
        let (CommitOutcome::Committed(batch) | CommitOutcome::Repeated(batch)) = settled;
        Ok(batch)
    };
    tokio::spawn(committing.in_current_span()).await.map_err(|_| ApiError::TaskPanicked)?
}

/// Refuses what is announced to be too long before a byte of it comes.
fn refuse_announced(request: &Request, limits: &BatchLimits) -> Result<(), ApiError> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(bytes) if bytes > limits.body_bytes => Err(BatchReadError::BodyTooLarge { limit_bytes: limits.body_bytes }.into()),
        _ => Ok(()),
    }
}

fn tell(settled: &CommitOutcome, begun: Instant) {
    match settled {
        CommitOutcome::Committed(batch) => {
            count("taken");
            counter!("marquee_rate_prices_total").increment(batch.price_count.unsigned_abs());
            histogram!("marquee_rate_batch_seconds").record(begun.elapsed());
            tracing::info!(batch.id, batch.prices = batch.price_count, batch.routes = batch.route_count, "rate batch taken");
        }
        CommitOutcome::Repeated(_) => count("repeated"),
    }
}

fn count(outcome: &'static str) {
    counter!("marquee_rate_batches_total", "outcome" => outcome).increment(1);
}

/// A piece of a body, or why there is none.
enum Piece {
    Chunk(Bytes),
    End,
    Failed(ApiError),
}

/// Hands the body on until it ends, or takes too long, or nobody wants it any more.
async fn pour(mut body: impl Stream<Item = io::Result<Bytes>> + Unpin, sender: mpsc::Sender<Piece>, mut patience: Patience<'_>) {
    loop {
        let piece = match patience.wait(body.try_next()).await {
            Err(error) => Piece::Failed(error),
            Ok(Ok(Some(chunk))) => Piece::Chunk(chunk),
            Ok(Ok(None)) => Piece::End,
            Ok(Err(_)) => Piece::Failed(ApiError::IncompleteBody),
        };
        let is_last = !matches!(piece, Piece::Chunk(_));
        if sender.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

/// How long a body may take.
struct Times {
    /// From its first byte to its last.
    whole: Duration,
    /// Between two of its chunks.
    silence: Duration,
    /// From the moment on at which the process is about to stop.
    in_drain: Duration,
}

/// How long a body may still take.
struct Patience<'a> {
    times: Times,
    readiness: &'a Readiness,
    deadline: Instant,
    in_drain: Option<Instant>,
}

impl<'a> Patience<'a> {
    fn new(times: Times, readiness: &'a Readiness) -> Self {
        Self { deadline: Instant::now() + times.whole, times, readiness, in_drain: None }
    }

    async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, ApiError> {
        let silent_at = Instant::now() + self.times.silence;
        let mut next = std::pin::pin!(next);
        loop {
            let now = Instant::now();
            if self.readiness.is_draining() {
                let until = *self.in_drain.get_or_insert(now + self.times.in_drain);
                if now >= until {
                    return Err(ApiError::ShuttingDown);
                }
            }
            if now >= self.deadline.min(silent_at) {
                return Err(ApiError::BodyTimeout);
            }
            if let Ok(next) = timeout_at(now + LOOK_EVERY, &mut next).await {
                return Ok(next);
            }
        }
    }
}

/// The body for a reader that blocks.
struct Arriving {
    receiver: mpsc::Receiver<Piece>,
    chunk: Bytes,
    is_whole: bool,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.is_whole {
            match self.receiver.blocking_recv() {
                Some(Piece::Chunk(chunk)) => self.chunk = chunk,
                Some(Piece::End) => self.is_whole = true,
                Some(Piece::Failed(error)) => return Err(io::Error::other(error)),
                // Whoever poured it is gone, and its client with it.
                None => return Err(io::Error::other(ApiError::IncompleteBody)),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
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
                Self::InvalidBody("the body is not valid gzip, which `Content-Encoding` declares; nothing was imported")
            }
            // Ours, as `Arriving` gave it.
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

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(1);

    /// What a reader hears of a body of one chunk that never ends.
    async fn told(times: Times, readiness: Readiness) -> ApiError {
        let (sender, receiver) = mpsc::channel(1);
        let mut arriving = Arriving { receiver, chunk: Bytes::new(), is_whole: false };
        let reading = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            let error = arriving.read_to_end(&mut bytes).unwrap_err();
            assert_eq!(bytes, b"chunk");
            error
        });
        let body = stream::iter([Ok(Bytes::from_static(b"chunk"))]).chain(stream::pending());
        pour(body, sender, Patience::new(times, &readiness)).await;
        reading.await.unwrap().downcast().unwrap()
    }

    #[tokio::test]
    async fn a_body_that_stands_still_or_never_ends_is_given_up() {
        for times in
            [Times { whole: LONG, silence: SHORT, in_drain: LONG }, Times { whole: SHORT, silence: LONG, in_drain: LONG }]
        {
            let error = told(times, Readiness::default()).await;
            assert!(matches!(error, ApiError::BodyTimeout), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_comes_while_the_process_stops_has_a_moment() {
        let readiness = Readiness::default();
        readiness.begin_drain();
        let error = told(Times { whole: LONG, silence: LONG, in_drain: SHORT }, readiness).await;
        assert!(matches!(error, ApiError::ShuttingDown), "{error:?}");
    }

    #[tokio::test]
    async fn a_body_whose_client_is_gone_is_no_shorter_body() {
        let (sender, receiver) = mpsc::channel(1);
        let mut arriving = Arriving { receiver, chunk: Bytes::new(), is_whole: false };
        drop(sender);
        let read = tokio::task::spawn_blocking(move || arriving.read_to_end(&mut Vec::new())).await.unwrap();
        assert!(matches!(read.unwrap_err().downcast(), Ok(ApiError::IncompleteBody)));
    }
}
