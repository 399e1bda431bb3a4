//! Feeds that are well-formed and yet not to be believed.

use super::{SyncError, survey::Survey};
use crate::provider::entry::ProviderEntry;

/// Below this many faulty or missing items no share is looked at: a feed of three is not refused for one of them.
const FLOOR: usize = 10;

/// Refuses a feed of which too much is faulty, or from which too much is gone since the copy before.
pub(super) fn check(entry: &ProviderEntry, survey: &Survey, events_before: usize) -> Result<(), SyncError> {
    let rejects = survey.rejects.count;
    let items = survey.event_count + rejects;
    match survey.rejects.kept.first() {
        Some(first) if is_over(rejects, items, entry.max_rejects_share) => {
            let first = first.reason.clone();
            return Err(SyncError::TooManyRejects { rejects, items, allowed_share: entry.max_rejects_share, first });
        }
        _ => {}
    }
    let now = survey.events_present();
    if is_over(events_before.saturating_sub(now), events_before, entry.max_shrink_share) {
        return Err(SyncError::Shrunk { before: events_before, now, allowed_share: entry.max_shrink_share });
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits than the 2^53 items that a float counts")]
fn is_over(part: usize, whole: usize, allowed_share: f64) -> bool {
    part >= FLOOR && part as f64 > allowed_share * whole as f64
}
