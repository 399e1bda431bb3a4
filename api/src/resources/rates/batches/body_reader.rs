//! Reads a body that arrives asynchronously from a thread that blocks, within the deadlines of a request.

use std::{
    io::{self, Read},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_util::{Stream, TryStreamExt};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use crate::{error::ApiError, resources::upload::Arrival, state::Readiness};

/// The time limits of a body.
const LIMITS: TimeLimits = TimeLimits {
    // The largest body on a network of 7 Mbit/s.
    total: Duration::from_secs(300),
    idle: Duration::from_secs(20),
    // Half of the drain time. The rest is for the write.
    drain: Duration::from_secs(5),
};
/// How often the deadlines are checked while the body stalls.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// Chunks of a body that wait for the parser, each of a few dozen KiB.
pub(super) const CHUNKS_AHEAD: usize = 4;

/// A part of a body, or why there is none.
pub(super) enum BodyPart {
    Chunk(Bytes),
    End,
    Failed(ApiError),
}

/// Forwards the body to the reader until it is complete, exceeds a deadline, or the reader is dropped.
pub(super) async fn forward(
    mut body: impl Stream<Item = io::Result<Bytes>> + Unpin,
    sender: mpsc::Sender<BodyPart>,
    mut deadlines: Deadlines<'_>,
) {
    let mut arrival = Arrival::default();
    loop {
        let part = match arrival.limit(deadlines.enforce(body.try_next())).await.flatten() {
            Err(error) => BodyPart::Failed(error),
            Ok(Ok(Some(chunk))) => {
                arrival.record(chunk.len());
                BodyPart::Chunk(chunk)
            }
            Ok(Ok(None)) => BodyPart::End,
            Ok(Err(_)) => BodyPart::Failed(ApiError::IncompleteBody),
        };
        let is_last = !matches!(part, BodyPart::Chunk(_));
        if sender.send(part).await.is_err() || is_last {
            return;
        }
    }
}

struct TimeLimits {
    /// The whole body.
    total: Duration,
    /// Between two chunks.
    idle: Duration,
    /// After a shutdown began.
    drain: Duration,
}

/// The deadlines of one body.
pub(super) struct Deadlines<'a> {
    limits: TimeLimits,
    readiness: &'a Readiness,
    total: Instant,
    drain: Option<Instant>,
}

impl<'a> Deadlines<'a> {
    pub(super) fn new(readiness: &'a Readiness) -> Self {
        Self::with_limits(LIMITS, readiness)
    }

    fn with_limits(limits: TimeLimits, readiness: &'a Readiness) -> Self {
        Self { total: Instant::now() + limits.total, limits, readiness, drain: None }
    }

    async fn enforce<T>(&mut self, next: impl Future<Output = T>) -> Result<T, ApiError> {
        let idle = Instant::now() + self.limits.idle;
        let mut next = std::pin::pin!(next);
        loop {
            let now = Instant::now();
            if self.readiness.is_draining() {
                let drain = *self.drain.get_or_insert(now + self.limits.drain);
                if now >= drain {
                    return Err(ApiError::ShuttingDown);
                }
            }
            if now >= self.total.min(idle) {
                return Err(ApiError::BodyTimeout);
            }
            if let Ok(next) = timeout_at(now + CHECK_INTERVAL, &mut next).await {
                return Ok(next);
            }
        }
    }
}

/// The body as a blocking reader.
pub(super) struct BlockingBody {
    receiver: mpsc::Receiver<BodyPart>,
    chunk: Bytes,
    is_complete: bool,
}

impl BlockingBody {
    pub(super) fn new(receiver: mpsc::Receiver<BodyPart>) -> Self {
        Self { receiver, chunk: Bytes::new(), is_complete: false }
    }
}

impl Read for BlockingBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.is_complete {
            match self.receiver.blocking_recv() {
                Some(BodyPart::Chunk(chunk)) => self.chunk = chunk,
                Some(BodyPart::End) => self.is_complete = true,
                Some(BodyPart::Failed(error)) => return Err(io::Error::other(error)),
                // The request was dropped, because its client disconnected.
                None => return Err(io::Error::other(ApiError::IncompleteBody)),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(1);

    /// The error of a reader of a body that stalls after its first chunk.
    async fn read_stalled_body(limits: TimeLimits, readiness: Readiness) -> ApiError {
        let (sender, receiver) = mpsc::channel(1);
        let mut reader = BlockingBody::new(receiver);
        let reading = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            let error = reader.read_to_end(&mut bytes).unwrap_err();
            assert_eq!(bytes, b"chunk");
            error
        });
        let body = stream::iter([Ok(Bytes::from_static(b"chunk"))]).chain(stream::pending());
        forward(body, sender, Deadlines::with_limits(limits, &readiness)).await;
        reading.await.unwrap().downcast().unwrap()
    }

    #[tokio::test]
    async fn a_body_that_stalls_or_takes_too_long_is_a_timeout() {
        for limits in [TimeLimits { total: LONG, idle: SHORT, drain: LONG }, TimeLimits { total: SHORT, idle: LONG, drain: LONG }]
        {
            let error = read_stalled_body(limits, Readiness::default()).await;
            assert!(matches!(error, ApiError::BodyTimeout), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_shutdown_shortens_the_time_of_a_body() {
        let readiness = Readiness::default();
        readiness.begin_drain();
        let error = read_stalled_body(TimeLimits { total: LONG, idle: LONG, drain: SHORT }, readiness).await;
        assert!(matches!(error, ApiError::ShuttingDown), "{error:?}");
    }

    #[tokio::test]
    async fn a_dropped_request_is_an_incomplete_body() {
        let (sender, receiver) = mpsc::channel(1);
        let mut reader = BlockingBody::new(receiver);
        drop(sender);
        let result = tokio::task::spawn_blocking(move || reader.read_to_end(&mut Vec::new())).await.unwrap();
        assert!(matches!(result.unwrap_err().downcast(), Ok(ApiError::IncompleteBody)));
    }
}
