//! Whether the process still wants new work: `/readyz` tells it, and the server acts on it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether the process still wants new work. All clones are one; the first state is that it does.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Whether the process is about to leave, and wants no new work.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// From now on no new work is wanted. There is no way back.
    pub fn begin_drain(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
