//! What a connection is doing right now: its socket and its requests note it, its [`Watchdog`](super::watchdog::Watchdog) reads it.
//!
//! All of it happens in the one task of the connection; the atomics are there because a task may change its thread.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};

/// A client that takes less than this within [`Limits::write_time`](super::Limits::write_time) makes no progress: one who takes a byte
/// now and then would else hold an answer for ever.
const STEP_BYTES: u64 = 4 * 1024;

/// What a connection is doing. Two equal values in a row mean that nothing has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing: this many requests have come, and no byte of another.
    Waiting { requests: u32, written: u64 },
    /// The head of a request has begun to come.
    Reading { requests: u32 },
    /// A request is being answered.
    Answering,
    /// Bytes wait for a client that doesn't take them; so much has gone.
    Writing { steps: u64 },
    /// All is said: what the client still sends is thrown away until it closes.
    Lingering,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    requests: AtomicU32,
    head_begun: AtomicBool,
    is_answering: AtomicBool,
    is_blocked: AtomicBool,
    written: AtomicU64,
    is_lingering: AtomicBool,
}

impl Progress {
    pub(super) fn doing(&self) -> Doing {
        let (requests, written) = (self.requests.load(Relaxed), self.written.load(Relaxed));
        if self.is_lingering.load(Relaxed) {
            Doing::Lingering
        } else if self.is_blocked.load(Relaxed) {
            Doing::Writing { steps: written / STEP_BYTES }
        } else if self.is_answering.load(Relaxed) {
            Doing::Answering
        } else if self.head_begun.load(Relaxed) {
            Doing::Reading { requests }
        } else {
            Doing::Waiting { requests, written }
        }
    }

    /// Bytes have come. While a request is answered they may be its body: they begin no head.
    pub(super) fn received(&self) {
        if !self.is_answering.load(Relaxed) {
            self.head_begun.store(true, Relaxed);
        }
    }

    /// The socket took `taken` of `offered` bytes.
    pub(super) fn wrote(&self, taken: usize, offered: usize) {
        self.written.fetch_add(taken as u64, Relaxed);
        if taken == offered {
            self.is_blocked.store(false, Relaxed);
        }
    }

    /// The socket takes nothing.
    pub(super) fn blocked(&self) {
        self.is_blocked.store(true, Relaxed);
    }

    pub(super) fn lingers(&self) {
        self.is_lingering.store(true, Relaxed);
    }
}

/// A request that is being answered, from its whole head to the last byte of its body handed over.
#[derive(Debug)]
pub(super) struct Answering(Arc<Progress>);

impl Answering {
    pub(super) fn begin(progress: &Arc<Progress>) -> Self {
        progress.requests.fetch_add(1, Relaxed);
        progress.head_begun.store(false, Relaxed);
        progress.is_answering.store(true, Relaxed);
        Self(progress.clone())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.is_answering.store(false, Relaxed);
    }
}
