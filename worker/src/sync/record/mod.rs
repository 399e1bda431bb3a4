//! What a sync records beside the copy, from the previous and the new state of what it changes: the footprint of its release, the changes
//! for the log, and the previous rows for an undo. A first load has no previous state, and records none of it.

mod change_log;
mod footprint;
mod previous_state;
mod row_codec;
mod shown_event;
mod undo;

use std::collections::HashMap;

use entity::{
    UtcInstant,
    change::ChangeCounts,
    daily_total, deadline,
    footprint::Footprint,
    performer, provider,
    release::{self, Cause},
    sync_run, venue,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use uuid::Uuid;

pub(super) use self::undo::PreviousRows;
use self::{change_log::ChangeLog, footprint::CopyFootprint, previous_state::PreviousState, undo::UndoWriter};
use super::{
    SyncError,
    diff::{CopiedBaseEvent, CopyChanges},
};
use crate::release_metrics;

/// A release that was published, and its changes.
#[derive(Debug)]
pub(super) struct PublishedRelease {
    cause: Cause,
    footprint: Footprint,
    pub(super) release: release::Model,
    pub(super) changes: ChangeCounts,
}

impl PublishedRelease {
    /// Counts it in the metrics, after it was committed.
    pub(super) fn count(&self) {
        release_metrics::count_release(self.cause, &self.footprint);
        release_metrics::count_changes(&self.changes);
    }

    /// How many changes of each kind there are, as JSON.
    pub(super) fn describe_changes(&self) -> String {
        let changes = self.changes.iter().map(|(kind, count)| (kind.name().to_owned(), (*count).into()));
        serde_json::Value::Object(changes.collect()).to_string()
    }
}

/// Records the batches of one sync.
#[derive(Debug)]
pub(super) struct ChangeRecorder {
    footprint: CopyFootprint,
    log: ChangeLog,
    /// `None` for an undo, which cannot be undone.
    undo: Option<UndoWriter>,
    /// Venues and performers that earlier batches have overwritten.
    overwritten_venues: HashMap<Uuid, venue::Model>,
    overwritten_performers: HashMap<Uuid, performer::Model>,
}

impl ChangeRecorder {
    /// Records a sync run of a document.
    pub(super) fn of_run(provider: &provider::Model, run: &sync_run::Model, body_hash: i64) -> Self {
        Self { undo: Some(UndoWriter::new(run, body_hash)), ..Self::of_undo(provider, run.started_at) }
    }

    /// Records an undo at an instant.
    pub(super) fn of_undo(provider: &provider::Model, now: UtcInstant) -> Self {
        Self {
            footprint: CopyFootprint::new(&provider.slug),
            log: ChangeLog::new(provider, now),
            undo: None,
            overwritten_venues: HashMap::new(),
            overwritten_performers: HashMap::new(),
        }
    }

    /// Adds a batch that is not written yet, and removes the venues and performers from it that the copy has already.
    pub(super) async fn add(
        &mut self,
        database: &impl ConnectionTrait,
        copied: &HashMap<Uuid, CopiedBaseEvent>,
        changes: &mut CopyChanges,
    ) -> Result<(), SyncError> {
        let fetching = PreviousState::fetch(database, copied, changes);
        let mut previous = deadline::within(deadline::BULK, database, fetching).await?;
        previous.restore(&self.overwritten_venues, &self.overwritten_performers);
        let logged = self.log.add(&previous, changes).await?;
        self.footprint.add(&previous, changes, &logged);
        changes.same_words = previous.find_same_words(changes);
        if let Some(undo) = &mut self.undo {
            undo.add(database, &previous, changes).await?;
        }
        let overwritten = changes.venues.keys().filter_map(|id| previous.venues.get(id));
        self.overwritten_venues.extend(overwritten.map(|venue| (venue.id, venue.clone())));
        let overwritten = changes.performers.keys().filter_map(|id| previous.performers.get(id));
        self.overwritten_performers.extend(overwritten.map(|performer| (performer.id, performer.clone())));
        Ok(())
    }

    /// Adds venues that are removed.
    pub(super) fn remove_venues(&mut self, venues: &[venue::Model]) {
        self.footprint.remove_venues(venues);
    }

    /// Adds performers that are removed.
    pub(super) fn remove_performers(&mut self, performers: &[performer::Model]) {
        self.footprint.remove_performers(performers);
    }

    /// Publishes the release of all batches with its changes.
    pub(super) async fn publish(
        self,
        transaction: &DatabaseTransaction,
        cause: (Cause, Option<i64>),
    ) -> Result<PublishedRelease, SyncError> {
        let (footprint, start_days) = self.footprint.finish();
        // On the heap: the futures of syncs contain this one.
        let totals = Box::pin(daily_total::update(transaction, self.log.provider_id, start_days));
        deadline::within(deadline::BULK, transaction, totals).await?;
        let release = deadline::within(deadline::BULK, transaction, release::publish(transaction, cause, &footprint)).await?;
        let changes = self.log.write(transaction, &release).await?;
        Ok(PublishedRelease { cause: cause.0, footprint, release, changes })
    }
}

/// Publishes the release of a first load, which has no previous state. Its totals are computed after it, because it has many days.
pub(super) async fn publish_first_load(
    transaction: &DatabaseTransaction,
    provider: &provider::Model,
    cause: (Cause, Option<i64>),
) -> Result<PublishedRelease, SyncError> {
    let footprint = CopyFootprint::of_first_load(&provider.slug);
    let publishing = async {
        daily_total::invalidate(transaction, provider.id).await?;
        release::publish(transaction, cause, &footprint).await
    };
    let release = deadline::within(deadline::BULK, transaction, Box::pin(publishing)).await?;
    Ok(PublishedRelease { cause: cause.0, footprint, release, changes: ChangeCounts::new() })
}
