//! How connections learn that the process is shutting down.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// The two phases of a shutdown: first connections close when they are idle, then all are closed. Each phase is a flag that connections
/// read on every poll, and a token that wakes them: reading the token itself takes a lock that all connections share.
#[derive(Debug, Default)]
pub(super) struct ShutdownPhases {
    is_draining: AtomicBool,
    drain: CancellationToken,
    is_aborting: AtomicBool,
    abort: CancellationToken,
}

impl ShutdownPhases {
    pub(super) fn start_drain(&self) {
        self.is_draining.store(true, Ordering::Release);
        self.drain.cancel();
    }

    pub(super) fn start_abort(&self) {
        self.is_aborting.store(true, Ordering::Release);
        self.abort.cancel();
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    pub(super) fn is_aborting(&self) -> bool {
        self.is_aborting.load(Ordering::Acquire)
    }

    pub(super) async fn drain_started(&self) {
        self.drain.cancelled().await;
    }

    pub(super) async fn abort_started(&self) {
        self.abort.cancelled().await;
    }
}
