//! Whether the process accepts new work: `/readyz` reports it, and the server acts on it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio_util::sync::CancellationToken;

/// Whether the process accepts new work, at first true. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Phases>);

#[derive(Debug, Default)]
struct Phases {
    is_draining: AtomicBool,
    streams_end: CancellationToken,
}

impl Readiness {
    /// Whether the process is shutting down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::Relaxed)
    }

    /// Reports the process as not ready. This cannot be reverted.
    pub fn begin_drain(&self) {
        self.0.is_draining.store(true, Ordering::Relaxed);
    }

    /// Ends the responses that have no other end, when the process accepts no more connections.
    pub fn end_streams(&self) {
        self.0.streams_end.cancel();
    }

    /// Waits for [`end_streams`](Self::end_streams).
    pub async fn streams_ended(&self) {
        self.0.streams_end.cancelled().await;
    }
}
