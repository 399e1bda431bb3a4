//! The warnings of a feed.

use super::RejectSubject;

/// Warnings that are listed: beyond that the reasons repeat.
const MAX_LISTED_WARNINGS: usize = 1_000;

/// A detail that was ignored or changed. It rejects no item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedWarning {
    /// Its first byte in the document.
    pub position: usize,
    /// The item that has the detail, if it is one.
    pub subject: Option<RejectSubject>,
    /// The detail with its value, and what was done.
    pub reason: String,
}

/// The warnings of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedWarnings {
    /// The first ones, in the document's order.
    pub listed: Vec<FeedWarning>,
    /// Their number.
    pub count: usize,
}

impl FeedWarnings {
    /// Adds a warning about the document.
    pub(in crate::provider) fn push(&mut self, position: usize, reason: String) {
        self.add(FeedWarning { position, subject: None, reason });
    }

    /// Adds a warning.
    pub(in crate::provider) fn add(&mut self, warning: FeedWarning) {
        self.count += 1;
        if self.listed.len() < MAX_LISTED_WARNINGS {
            self.listed.push(warning);
        }
    }

    /// Adds warnings with these reasons about one element.
    pub(in crate::provider) fn extend(&mut self, position: usize, reasons: impl IntoIterator<Item = String>) {
        reasons.into_iter().for_each(|reason| self.push(position, reason));
    }

    /// Adds warnings of which some may have been added before; `new` is the number of the others.
    pub(crate) fn merge(&mut self, mut others: Self, new: usize) {
        self.count += new;
        self.listed.append(&mut others.listed);
        self.sort();
        self.listed.dedup();
        self.listed.truncate(MAX_LISTED_WARNINGS);
    }

    /// Restores the order of the document.
    pub(crate) fn sort(&mut self) {
        self.listed.sort_by_key(|warning| warning.position);
    }

    /// Adds the warnings of a later part of the document.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.count += later.count;
        self.listed.append(&mut later.listed);
        self.listed.truncate(MAX_LISTED_WARNINGS);
    }
}
