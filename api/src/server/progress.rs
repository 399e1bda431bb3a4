//! What a connection is doing: its socket and its requests record it, and its [`Watchdog`](super::watchdog::Watchdog) reads it.
//!
//! All of this happens in the task of the connection. The values are atomic because a task may move to another thread.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
};

use tokio::time::Instant;

/// A client that reads less than this within [`Limits::write_time`](super::Limits::write_time) makes no progress. Otherwise a client
/// that reads single bytes could hold a response forever.
const STEP_BYTES: u64 = 4 * 1024;

/// What a connection is doing. Two equal values in a row mean that there was no progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// Idle, after this many requests.
    Idle { requests: u32, written: u64 },
    /// Receiving the head of a request.
    ReadingHead { requests: u32 },
    /// Handling a request.
    Handling,
    /// Waiting for the client to read; `steps` counts what it has read.
    Writing { steps: u64 },
    /// Discarding what the client still sends until it closes the connection.
    Lingering,
}

#[derive(Debug)]
pub(super) struct Progress {
    /// The origin of `since`.
    started: Instant,
    /// Microseconds from `started` to the latest progress.
    since: AtomicU64,
    is_eviction_requested: AtomicBool,
    /// Wakes the task of the connection.
    waker: OnceLock<Waker>,
    requests: AtomicU32,
    has_head_begun: AtomicBool,
    is_handling: AtomicBool,
    is_blocked: AtomicBool,
    written: AtomicU64,
    is_lingering: AtomicBool,
}

impl Progress {
    /// A connection that is opened now. `started` is earlier.
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            since: AtomicU64::new(started.elapsed().as_micros() as u64),
            is_eviction_requested: AtomicBool::new(false),
            waker: OnceLock::new(),
            requests: AtomicU32::new(0),
            has_head_begun: AtomicBool::new(false),
            is_handling: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            written: AtomicU64::new(0),
            is_lingering: AtomicBool::new(false),
        }
    }

    pub(super) fn activity(&self) -> Activity {
        let (requests, written) = (self.requests.load(Relaxed), self.written.load(Relaxed));
        if self.is_lingering.load(Relaxed) {
            Activity::Lingering
        } else if self.is_blocked.load(Relaxed) {
            Activity::Writing { steps: written / STEP_BYTES }
        } else if self.is_handling.load(Relaxed) {
            Activity::Handling
        } else if self.has_head_begun.load(Relaxed) {
            Activity::ReadingHead { requests }
        } else {
            Activity::Idle { requests, written }
        }
    }

    /// Records the waker of the connection's task, which is the same for all polls.
    pub(super) fn set_waker(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    /// Records that the activity has changed.
    pub(super) fn record_change(&self, now: Instant) {
        self.since.store(now.saturating_duration_since(self.started).as_micros() as u64, Relaxed);
    }

    /// Since when the connection waits for its client: whether to read a response, and the microseconds from `started`. `None` while the
    /// client waits for us.
    pub(super) fn waiting_since(&self) -> Option<(bool, u64)> {
        let since = self.since.load(Relaxed);
        match self.activity() {
            Activity::Handling => None,
            Activity::Writing { .. } => Some((true, since)),
            Activity::Idle { .. } | Activity::ReadingHead { .. } | Activity::Lingering => Some((false, since)),
        }
    }

    /// Requests that the connection is closed, unless a request has arrived by then.
    pub(super) fn request_eviction(&self) {
        self.is_eviction_requested.store(true, Relaxed);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Whether the connection must close because another one needs its place.
    pub(super) fn is_evicted(&self) -> bool {
        self.is_eviction_requested.load(Relaxed)
            && self.is_eviction_requested.swap(false, Relaxed)
            && self.waiting_since().is_some()
    }

    /// Records that bytes arrived. While a request is handled they may be its body, so they begin no head.
    pub(super) fn record_read(&self) {
        if !self.is_handling.load(Relaxed) {
            self.has_head_begun.store(true, Relaxed);
        }
    }

    /// Records that the socket accepted `accepted` of `offered` bytes.
    pub(super) fn record_write(&self, accepted: usize, offered: usize) {
        self.written.fetch_add(accepted as u64, Relaxed);
        if accepted == offered {
            self.is_blocked.store(false, Relaxed);
        }
    }

    /// Records that the socket accepts no bytes.
    pub(super) fn record_blocked(&self) {
        self.is_blocked.store(true, Relaxed);
    }

    pub(super) fn record_linger(&self) {
        self.is_lingering.store(true, Relaxed);
    }
}

/// A request in progress, from its complete head until the last byte of its response was handed to the socket.
#[derive(Debug)]
pub(super) struct ActiveRequest(Arc<Progress>);

impl ActiveRequest {
    pub(super) fn begin(progress: &Arc<Progress>) -> Self {
        progress.requests.fetch_add(1, Relaxed);
        progress.has_head_begun.store(false, Relaxed);
        progress.is_handling.store(true, Relaxed);
        Self(progress.clone())
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.is_handling.store(false, Relaxed);
    }
}
