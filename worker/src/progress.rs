//! How far a piece of work has come, for whoever waits for it.
//!
//! Counts only, cheaply enough for the middle of any loop; drawing is the commands'.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nothing yet.
    #[default]
    Waiting,
    /// Bytes come from the provider.
    Fetching,
    /// Bytes of the document are read.
    Reading,
    /// Rows go into the database.
    Writing,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Waiting, Self::Fetching, Self::Reading, Self::Writing];
}

/// A counter that is shared with whoever shows it.
#[derive(Clone, Debug, Default)]
pub struct Progress(Option<Arc<Counters>>);

#[derive(Debug, Default)]
struct Counters {
    stage: AtomicU8,
    done: AtomicU64,
    /// 0 if nobody knows.
    total: AtomicU64,
}

/// How far it is at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done: bytes, or rows.
    pub done: u64,
    /// Of how much, if that is known.
    pub total: Option<u64>,
}

impl Progress {
    /// A counter that somebody looks at.
    #[must_use]
    pub fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// A counter that nobody looks at.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// A stage begins.
    pub fn begin(&self, stage: Stage, total: Option<u64>) {
        if let Some(counters) = &self.0 {
            counters.done.store(0, Ordering::Relaxed);
            counters.total.store(total.unwrap_or(0), Ordering::Relaxed);
            counters.stage.store(stage as u8, Ordering::Relaxed);
        }
    }

    /// So much more of it is done.
    pub fn add(&self, done: u64) {
        if let Some(counters) = &self.0 {
            counters.done.fetch_add(done, Ordering::Relaxed);
        }
    }

    /// How far it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let Some(counters) = &self.0 else { return Snapshot::default() };
        let total = counters.total.load(Ordering::Relaxed);
        Snapshot {
            stage: Stage::ALL.get(usize::from(counters.stage.load(Ordering::Relaxed))).copied().unwrap_or_default(),
            done: counters.done.load(Ordering::Relaxed),
            total: (total > 0).then_some(total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_and_each_stage_begins_at_zero() {
        let progress = Progress::new();
        progress.begin(Stage::Fetching, Some(9));
        progress.clone().add(4);
        assert_eq!(progress.snapshot(), Snapshot { stage: Stage::Fetching, done: 4, total: Some(9) });
        progress.begin(Stage::Writing, None);
        assert_eq!(progress.snapshot(), Snapshot { stage: Stage::Writing, done: 0, total: None });
        let none = Progress::none();
        none.add(4);
        assert_eq!(none.snapshot(), Snapshot::default());
    }
}
