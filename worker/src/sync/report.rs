//! What a sync run did, as the ledger and the log tell it.

use std::time::{Duration, Instant};

use entity::sync_run::RunState;

/// Numbers of events, but for `rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// That the feed holds, rejected ones not counted.
    pub fetched: usize,
    /// That no copy held before.
    pub inserted: usize,
    /// That changed, or came back.
    pub updated: usize,
    /// That say what they said before.
    pub unchanged: usize,
    /// That the copy before held and this feed does not.
    pub left: usize,
    /// Items of the feed, events and base events, that could not be taken.
    pub rejected: usize,
}

impl Counts {
    pub(super) fn add(&mut self, more: Self) {
        self.fetched += more.fetched;
        self.inserted += more.inserted;
        self.updated += more.updated;
        self.unchanged += more.unchanged;
        self.left += more.left;
        self.rejected += more.rejected;
    }
}

/// How long the phases of a run took; those that it did not come to took no time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Until the document was here.
    pub fetch: Duration,
    /// Reading all of it.
    pub parse: Duration,
    /// Holding it against the copy.
    pub diff: Duration,
    /// Reading what differs again and writing it.
    pub write: Duration,
}

impl Durations {
    /// Each with its name in logs and metrics.
    pub(crate) fn phases(&self) -> [(&'static str, Duration); 4] {
        [("fetch", self.fetch), ("parse", self.parse), ("diff", self.diff), ("write", self.write)]
    }
}

/// A run that ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its row in the ledger.
    pub run_id: i64,
    /// `Succeeded` or `Unchanged`.
    pub state: RunState,
    /// Size of the document, decompressed.
    pub bytes: u64,
    /// What it changed.
    pub counts: Counts,
    /// How long that took.
    pub durations: Durations,
    /// For how long the provider says that its document is fresh.
    pub fresh_for: Option<Duration>,
}

/// Times one phase after the other.
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
