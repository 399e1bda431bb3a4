//! What a sync run did, for the ledger and the log.

use std::time::{Duration, Instant};

use entity::sync_run::RunState;

/// Numbers of events, except for `rejected` and `warned`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In the feed, without rejected ones.
    pub fetched: usize,
    /// New.
    pub inserted: usize,
    /// Changed or reappeared.
    pub updated: usize,
    /// Without changes.
    pub unchanged: usize,
    /// Removed from the feed.
    pub left: usize,
    /// Rejected items: events and base events.
    pub rejected: usize,
    /// Warnings about details that were ignored or changed.
    pub warned: usize,
}

impl Counts {
    pub(super) fn add(&mut self, more: Self) {
        self.fetched += more.fetched;
        self.inserted += more.inserted;
        self.updated += more.updated;
        self.unchanged += more.unchanged;
        self.left += more.left;
        self.rejected += more.rejected;
        self.warned += more.warned;
    }

    /// The state of a successful run with these counts.
    pub(super) fn state(&self) -> RunState {
        if self.inserted + self.updated + self.left > 0 { RunState::Succeeded } else { RunState::Unchanged }
    }
}

/// Durations of the phases of a run; zero for phases that were not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Obtaining the document.
    pub fetch: Duration,
    /// Reading all of it.
    pub parse: Duration,
    /// Comparing it with the copy.
    pub diff: Duration,
    /// Reading what differs again and writing it.
    pub write: Duration,
}

impl Durations {
    /// Each phase with its name in logs and metrics.
    pub(crate) fn phases(&self) -> [(&'static str, Duration); 4] {
        [("fetch", self.fetch), ("parse", self.parse), ("diff", self.diff), ("write", self.write)]
    }
}

/// A successful run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncReport {
    /// Its row in the ledger.
    pub run_id: i64,
    /// `Succeeded` or `Unchanged`.
    pub state: RunState,
    /// Size of the decompressed document.
    pub bytes: u64,
    /// What it changed.
    pub counts: Counts,
    /// How long each phase took.
    pub durations: Durations,
    /// How long the document is fresh according to the provider.
    pub fresh_for: Option<Duration>,
}

/// Measures consecutive phases.
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the last lap.
    pub(super) fn lap(&mut self) -> Duration {
        std::mem::replace(&mut self.0, Instant::now()).elapsed()
    }
}
