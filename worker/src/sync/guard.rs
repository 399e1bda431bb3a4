//! Feeds that are well-formed and yet not to be believed.

use super::SyncError;
use crate::provider::{entry::ProviderEntry, item::Feed};

/// Below this many faulty or missing items no share is looked at: a feed of three is not refused for one of them.
const FLOOR: usize = 10;

/// Refuses a feed of which too much is faulty, or from which too much is gone since the copy before.
pub(super) fn check(entry: &ProviderEntry, feed: &Feed, events_before: usize) -> Result<(), SyncError> {
    let rejects = feed.rejects.len();
    let items = feed.event_count() + rejects;
    match feed.rejects.first() {
        Some(first) if is_over(rejects, items, entry.max_rejects_share) => {
            let first = first.reason.clone();
            return Err(SyncError::TooManyRejects { rejects, items, allowed_share: entry.max_rejects_share, first });
        }
        _ => {}
    }
    // A rejected item counts as present.
    let now = feed.event_count() + feed.rejects.iter().map(|reject| reject.events).sum::<usize>();
    if is_over(events_before.saturating_sub(now), events_before, entry.max_shrink_share) {
        return Err(SyncError::Shrunk { before: events_before, now, allowed_share: entry.max_shrink_share });
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits than the 2^53 items that a float counts")]
fn is_over(part: usize, whole: usize, allowed_share: f64) -> bool {
    part >= FLOOR && part as f64 > allowed_share * whole as f64
}
