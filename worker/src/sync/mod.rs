//! One sync: makes the copy of a provider's catalogue equal to its feed.
//!
//! A sync is a reconciler. Its only input is which provider to sync, it is idempotent, and it keeps no state between runs but the copy
//! itself. The flow of data:
//!
//! ```text
//! fetch, unless it is not modified -> summarize, unless the bytes are the same -> guard -> compare with the stored hashes
//!   -> one transaction: read what differs again, write, publish a release with its changes, close the run
//! ```
//!
//! Before the transaction only the run's own row is written, so a feed is committed whole or not at all. A large first load into SQLite is
//! several transactions, and hidden until the last one (`first_load`). In memory are a summary of the
//! feed and the part that is being read or written. This module does not handle schedules (`schedule` does), HTTP or formats
//! (`provider` does).

mod changes;
mod churn_guard;
mod compare;
mod copied;
mod diff;
mod dry_run;
mod dry_run_changes;
mod error;
mod feed_pages;
mod fingerprint;
mod first_load;
mod guard;
pub mod identity;
mod insert;
mod last_document;
pub(crate) mod ledger;
pub(crate) mod metrics;
mod moved;
mod price_guard;
pub mod purge;
pub(crate) mod pushed;
mod record;
pub mod register;
mod rejects;
pub mod rekey;
mod report;
pub mod revert;
mod run;
mod save_rejects;
mod source;
mod summary;
mod tombstones;
mod write;

pub use self::{
    dry_run::dry_run,
    error::SyncError,
    report::{Counts, Durations, SyncReport},
    run::{sync, sync_with_progress},
    source::FeedSource,
};
