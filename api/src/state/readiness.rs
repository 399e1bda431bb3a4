//! Whether the process accepts new work: `/readyz` reports it, and the server acts on it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether the process accepts new work, at first true. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Whether the process is shutting down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Reports the process as not ready. This cannot be reverted.
    pub fn begin_drain(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
