//! Rejects feeds that are well-formed but not plausible.

use super::{SyncError, summary::FeedSummary};
use crate::provider::entry::ProviderEntry;

/// Below this number of items no share is checked: a feed of three items is not rejected for one of them.
const MIN_ITEMS: usize = 10;

/// Rejects a feed of which nothing was accepted, with too many rejected items, or with too many events removed since the previous copy.
pub(super) fn check(entry: &ProviderEntry, summary: &FeedSummary, events_before: usize) -> Result<(), SyncError> {
    let rejects = summary.rejects.count;
    let items = summary.event_count + rejects;
    if let Some(first) = summary.rejects.first.first() {
        let first = || first.reason.clone();
        if rejects == items {
            return Err(SyncError::AllRejected { rejects, first: first() });
        }
        if is_over(rejects, items, entry.max_rejects_share) {
            return Err(SyncError::TooManyRejects { rejects, items, allowed_share: entry.max_rejects_share, first: first() });
        }
    }
    let now = summary.events_present();
    if is_over(events_before.saturating_sub(now), events_before, entry.max_shrink_share) {
        return Err(SyncError::Shrunk { before: events_before, now, allowed_share: entry.max_shrink_share });
    }
    Ok(())
}

/// Whether a part is large, and more than the allowed share of the whole.
#[expect(clippy::cast_precision_loss, reason = "item counts are far below the 2^53 that a float holds exactly")]
pub(super) fn is_over(part: usize, whole: usize, allowed_share: f64) -> bool {
    part >= MIN_ITEMS && part as f64 > allowed_share * whole as f64
}
