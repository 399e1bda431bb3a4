//! The body of an answer: chunks made as the connection takes them, at full speed or dripping.
//!
//! Owns pace and ending only. What the chunks hold is `document`'s and `spoil`'s.

use std::io;
use std::mem;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::document::{Chunks, one};

pub(crate) struct AnswerBody {
    chunks: Chunks,
    /// What is left of the last chunk.
    rest: Bytes,
    /// What `Content-Length` says.
    length: Option<u64>,
    pace: Option<Pace>,
    /// Why the body ends early, once that is known.
    failure: Option<io::Error>,
}

impl AnswerBody {
    /// A body of these chunks; with `length`, that many bytes are promised.
    pub(crate) fn new(chunks: Chunks, length: Option<u64>) -> Self {
        Self { chunks, rest: Bytes::new(), length, pace: None, failure: None }
    }

    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        let length = text.len() as u64;
        Self::new(one(text), Some(length))
    }

    /// The same body, sent no faster than this. Must be called within a runtime.
    pub(crate) fn dripping(self, bytes_per_second: NonZeroU32) -> Self {
        Self { pace: Some(Pace::new(bytes_per_second.get())), ..self }
    }
}

impl Body for AnswerBody {
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
                    // A pause, in which the connection sends what it has been given so far:
                    // at an error it throws that away.
                    self.failure = Some(failure);
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                None => return Poll::Ready(None),
            }
        }
        let sent = match &mut self.pace {
            None => mem::take(&mut self.rest),
            Some(pace) => {
                ready!(pace.interval.poll_tick(context));
                let length = pace.bytes.min(self.rest.len());
                self.rest.split_to(length)
            }
        };
        Poll::Ready(Some(Ok(Frame::data(sent))))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// At most `bytes` at each tick.
struct Pace {
    bytes: usize,
    interval: Interval,
}

impl Pace {
    fn new(bytes_per_second: u32) -> Self {
        let bytes = bytes_per_second.div_ceil(MOST_TICKS_PER_SECOND);
        let mut interval = interval(Duration::from_secs_f64(f64::from(bytes) / f64::from(bytes_per_second)));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { bytes: bytes as usize, interval }
    }
}

/// Dripping more finely would only cost time.
const MOST_TICKS_PER_SECOND: u32 = 20;
