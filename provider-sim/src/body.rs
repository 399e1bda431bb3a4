//! The body of a response: chunks that are generated on demand, at full speed or at a limited rate.

use std::io;
use std::mem;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::document::{Chunks, single_chunk};

pub(crate) struct ResponseBody {
    chunks: Chunks,
    /// The unsent part of the last chunk.
    rest: Bytes,
    content_length: Option<u64>,
    rate: Option<RateLimit>,
    /// The error that ends the body, until it is returned.
    failure: Option<io::Error>,
}

impl ResponseBody {
    /// A body of these chunks. `content_length` is declared in the header, even if it is wrong.
    pub(crate) fn new(chunks: Chunks, content_length: Option<u64>) -> Self {
        Self { chunks, rest: Bytes::new(), content_length, rate: None, failure: None }
    }

    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        let length = text.len() as u64;
        Self::new(single_chunk(text), Some(length))
    }

    /// Limits the rate of the body. Must be called within a runtime.
    pub(crate) fn with_rate(self, bytes_per_second: NonZeroU32) -> Self {
        Self { rate: Some(RateLimit::new(bytes_per_second.get())), ..self }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        while self.rest.is_empty() {
            match self.chunks.next() {
                Some(Ok(chunk)) => self.rest = chunk,
                Some(Err(failure)) => {
                    // Lets the connection send its buffer first: it discards it after an error.
                    self.failure = Some(failure);
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                None => return Poll::Ready(None),
            }
        }
        let sent = match &mut self.rate {
            None => mem::take(&mut self.rest),
            Some(rate) => {
                ready!(rate.interval.poll_tick(context));
                let length = rate.bytes.min(self.rest.len());
                self.rest.split_to(length)
            }
        };
        Poll::Ready(Some(Ok(Frame::data(sent))))
    }

    fn size_hint(&self) -> SizeHint {
        self.content_length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// At most `bytes` at each tick.
struct RateLimit {
    bytes: usize,
    interval: Interval,
}

impl RateLimit {
    fn new(bytes_per_second: u32) -> Self {
        let bytes = bytes_per_second.div_ceil(MAX_TICKS_PER_SECOND);
        let mut interval = interval(Duration::from_secs_f64(f64::from(bytes) / f64::from(bytes_per_second)));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { bytes: bytes as usize, interval }
    }
}

/// More ticks would only cost CPU time.
const MAX_TICKS_PER_SECOND: u32 = 20;
