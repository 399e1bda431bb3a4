//! How connections learn that the process is about to leave.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// Two steps: connections stop when they have nothing to do, and then whatever they do. Each step is a flag that is read at every turn
/// of a connection, and a token that wakes it: to look at the token itself takes a lock that all connections share.
#[derive(Debug, Default)]
pub(super) struct Ending {
    is_stopping: AtomicBool,
    stop: CancellationToken,
    has_cut: AtomicBool,
    cut: CancellationToken,
}

impl Ending {
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.stop.cancel();
    }

    pub(super) fn cut(&self) {
        self.has_cut.store(true, Ordering::Release);
        self.cut.cancel();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    pub(super) fn has_cut(&self) -> bool {
        self.has_cut.load(Ordering::Acquire)
    }

    pub(super) async fn stops(&self) {
        self.stop.cancelled().await;
    }

    pub(super) async fn is_cut(&self) {
        self.cut.cancelled().await;
    }
}
