//! What a sync run did, as the ledger and the log tell it.

use entity::sync_run::State;

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

/// A run that ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its row in the ledger.
    pub run_id: i64,
    /// `Succeeded` or `Unchanged`.
    pub state: State,
    /// Size of the document, decompressed.
    pub bytes: u64,
    /// What it changed.
    pub counts: Counts,
}
