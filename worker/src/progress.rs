//! The progress of a command.
//!
//! It only counts, cheaply enough for any loop; `commands` draws it.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

/// A stage of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressStage {
    /// Not started.
    #[default]
    Waiting,
    /// Receiving bytes from the provider.
    Fetching,
    /// Parsing bytes of the document.
    Reading,
    /// Writing rows to the database.
    Writing,
}

impl ProgressStage {
    const ALL: [Self; 4] = [Self::Waiting, Self::Fetching, Self::Reading, Self::Writing];
}

/// A counter that is shared with its display.
#[derive(Clone, Debug, Default)]
pub struct ProgressCounter(Option<Arc<Counters>>);

#[derive(Debug, Default)]
struct Counters {
    stage: AtomicU8,
    done: AtomicU64,
    /// 0 if unknown.
    total: AtomicU64,
}

/// The progress at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgressSnapshot {
    /// The current stage.
    pub stage: ProgressStage,
    /// Completed bytes or rows of the stage.
    pub done: u64,
    /// Their total, if known.
    pub total: Option<u64>,
}

impl ProgressCounter {
    /// A counter with a display.
    #[must_use]
    pub fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// A counter without a display, which costs nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Starts a stage.
    pub fn begin(&self, stage: ProgressStage, total: Option<u64>) {
        if let Some(counters) = &self.0 {
            counters.done.store(0, Ordering::Relaxed);
            counters.total.store(total.unwrap_or(0), Ordering::Relaxed);
            counters.stage.store(stage as u8, Ordering::Relaxed);
        }
    }

    /// Continues the stage without a total, because more follows.
    pub fn forget_total(&self) {
        if let Some(counters) = &self.0 {
            counters.total.store(0, Ordering::Relaxed);
        }
    }

    /// Adds completed bytes or rows.
    pub fn add(&self, done: u64) {
        if let Some(counters) = &self.0 {
            counters.done.fetch_add(done, Ordering::Relaxed);
        }
    }

    /// The current progress.
    #[must_use]
    pub fn snapshot(&self) -> ProgressSnapshot {
        let Some(counters) = &self.0 else { return ProgressSnapshot::default() };
        let total = counters.total.load(Ordering::Relaxed);
        ProgressSnapshot {
            stage: ProgressStage::ALL.get(usize::from(counters.stage.load(Ordering::Relaxed))).copied().unwrap_or_default(),
            done: counters.done.load(Ordering::Relaxed),
            total: (total > 0).then_some(total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_a_counter_and_each_stage_starts_at_zero() {
        let progress = ProgressCounter::new();
        progress.begin(ProgressStage::Fetching, Some(9));
        progress.clone().add(4);
        assert_eq!(progress.snapshot(), ProgressSnapshot { stage: ProgressStage::Fetching, done: 4, total: Some(9) });
        progress.begin(ProgressStage::Writing, None);
        assert_eq!(progress.snapshot(), ProgressSnapshot { stage: ProgressStage::Writing, done: 0, total: None });
        let none = ProgressCounter::none();
        none.add(4);
        assert_eq!(none.snapshot(), ProgressSnapshot::default());
    }
}
