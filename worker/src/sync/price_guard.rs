//! Rejects a feed with implausible prices: a provider that sends cents instead of euros changes all of them by the same factor.

use std::collections::HashMap;

use entity::event;
use uuid::Uuid;

use super::{
    SyncError,
    diff::{CopiedBaseEvent, CopyChanges},
    guard::is_over,
    report::Counts,
};
use crate::provider::entry::ProviderEntry;

/// Counts the events with implausible prices, batch by batch.
#[derive(Debug)]
pub(super) struct PriceGuard {
    max_factor: f64,
    allowed_share: f64,
    jumps: usize,
}

impl PriceGuard {
    pub(super) fn new(entry: &ProviderEntry) -> Self {
        Self { max_factor: entry.max_price_jump_factor, allowed_share: entry.max_price_jump_share, jumps: 0 }
    }

    /// Adds a batch. `counts` include it.
    ///
    /// # Errors
    ///
    /// As soon as it is certain that too many prices have changed by more than the factor.
    pub(super) fn add(
        &mut self,
        copied: &HashMap<Uuid, CopiedBaseEvent>,
        changes: &CopyChanges,
        counts: &Counts,
    ) -> Result<(), SyncError> {
        let previous = |event: &event::Model| copied.get(&event.base_event_id)?.events.get(&event.id);
        let is_jump = |event: &&event::Model| previous(event).is_some_and(|previous| self.is_jump(previous, event));
        self.jumps += changes.changed_events.iter().filter(is_jump).count();
        // Events that are still to be read may all be copied already: after the last batch this is exact.
        let compared = counts.fetched.saturating_sub(counts.inserted);
        if is_over(self.jumps, compared, self.allowed_share) {
            let (jumps, factor, allowed_share) = (self.jumps, self.max_factor, self.allowed_share);
            return Err(SyncError::PriceJump { jumps, compared, factor, allowed_share });
        }
        Ok(())
    }

    /// Whether the lowest price has changed by more than the factor. An event that becomes free, or is no longer free, has.
    #[expect(clippy::cast_precision_loss, reason = "a price is far below the 2^53 that a float holds exactly")]
    fn is_jump(&self, previous: &event::Model, event: &event::Model) -> bool {
        let Some((old, new)) = previous.min_price.zip(event.min_price) else { return false };
        previous.currency == event.currency && old.max(new) as f64 > self.max_factor * old.min(new) as f64
    }
}
