//! The changes of a sync for the log. They are spooled until the version of the release is known: it is assigned last, so that the order of
//! versions is the order of commits.

use std::collections::{HashMap, HashSet};

use entity::{
    UtcInstant, base_event,
    change::{self, ChangeCounts, ChangeKind, NewChange},
    deadline, event,
    event_state::{ChangedStates, EventState},
    provider, release, venue, zone,
};
use sea_orm::DatabaseTransaction;
use uuid::Uuid;

use super::{
    super::{SyncError, diff::CopyChanges},
    previous_state::PreviousState,
    shown_event::{ChangedFields, ShownEvent},
};
use crate::provider::spool::{SpoolError, SpoolWriter};

/// Collects changes batch by batch.
#[derive(Debug)]
pub(super) struct ChangeLog {
    pub(super) provider_id: i32,
    currency: String,
    currency_digits: i16,
    /// When the sync started, which is when events have left.
    started_at: UtcInstant,
    spool: SpoolWriter,
    /// The length of each spooled batch, which is a JSON array.
    batches: Vec<u64>,
    counts: ChangeCounts,
}

impl ChangeLog {
    pub(super) fn new(provider: &provider::Model, started_at: UtcInstant) -> Self {
        Self {
            provider_id: provider.id,
            currency: provider.currency.clone(),
            currency_digits: provider.currency_digits,
            started_at,
            spool: SpoolWriter::new(u64::MAX),
            batches: Vec::new(),
            counts: ChangeCounts::new(),
        }
    }

    /// Adds the changes of a batch, and returns the events that they concern.
    pub(super) async fn add(&mut self, previous: &PreviousState<'_>, changes: &CopyChanges) -> Result<HashSet<Uuid>, SyncError> {
        let found = self.find_changes(previous, changes);
        let events = found.iter().map(|change| change.event_id).collect();
        if found.is_empty() {
            return Ok(events);
        }
        for change in &found {
            *self.counts.entry(change.kind).or_default() += 1;
        }
        let batch = serde_json::to_vec(&found).map_err(std::io::Error::other).map_err(SyncError::Spool)?;
        self.batches.push(batch.len() as u64);
        self.spool.write(batch).await.map_err(spool_failed)?;
        Ok(events)
    }

    /// Writes the changes as those of a release, and returns how many of each kind there are. All other writers wait for the version's row
    /// during this time.
    pub(super) async fn write(
        self,
        transaction: &DatabaseTransaction,
        release: &release::Model,
    ) -> Result<ChangeCounts, SyncError> {
        let spool = self.spool.finish().await.map_err(spool_failed)?;
        let (mut position, mut ordinal) = (0, 0);
        for length in self.batches {
            let bytes = spool.read(position..position + length).map_err(SyncError::Spool)?;
            position += length;
            let batch: Vec<NewChange> =
                serde_json::from_slice(&bytes).map_err(std::io::Error::other).map_err(SyncError::Spool)?;
            let next = ordinal + i32::try_from(batch.len()).unwrap_or(i32::MAX);
            deadline::within(deadline::BULK, transaction, change::insert(transaction, release, ordinal, batch)).await?;
            ordinal = next;
        }
        Ok(self.counts)
    }

    fn find_changes(&self, previous: &PreviousState<'_>, changes: &CopyChanges) -> Vec<NewChange> {
        let new = NewState::of(changes);
        let created = changes.new_events.iter().filter(|event| event.shown);
        let created = created.filter_map(|event| {
            let states = ChangedStates { old: None, new: self.state(&new.show(event, previous)?) };
            Some(self.new_change(event.id, (ChangeKind::Created, ChangedFields::default()), &states))
        });
        let replaced = changes
            .changed_events
            .iter()
            .filter_map(|event| self.compare(&previous.show(previous.events.get(&event.id)?)?, &new.show(event, previous)?));
        created.chain(replaced).chain(self.find_other_changes(previous, &new)).collect()
    }

    /// The changes of events with the same zones and performers as before: those that left, and those of a changed base event.
    fn find_other_changes(&self, previous: &PreviousState<'_>, new: &NewState<'_>) -> Vec<NewChange> {
        let [replaced, left, deleted] =
            [&new.changes.replaced, &new.changes.left, &new.changes.deleted_events].map(|ids| ids.iter().collect::<HashSet<_>>());
        let others = previous.events.values().filter(|event| !replaced.contains(&event.id));
        let changes = others.filter_map(|event| {
            let old = previous.show(event)?;
            let base_event = new.base_events.get(&event.base_event_id).copied().unwrap_or(old.base_event);
            let current = event::Model {
                shown: base_event.first_online_at.is_some() && !deleted.contains(&event.id),
                left_at: if left.contains(&event.id) { Some(self.started_at) } else { event.left_at },
                ..(*event).clone()
            };
            let current = ShownEvent { event: &current, base_event, venue: new.venue_of(event, previous), ..old.clone() };
            self.compare(&old, &current)
        });
        changes.collect()
    }

    /// The change from one state to another, if a reader of the log must know it.
    fn compare(&self, old: &ShownEvent<'_>, new: &ShownEvent<'_>) -> Option<NewChange> {
        let compared = old.compare(new, self.currency_digits)?;
        let states = ChangedStates { old: self.state(old), new: self.state(new) };
        Some(self.new_change(new.event.id, compared, &states))
    }

    fn state(&self, event: &ShownEvent<'_>) -> Option<EventState> {
        event.state((&self.currency, self.currency_digits), self.started_at)
    }

    fn new_change(&self, event_id: Uuid, (kind, changed): (ChangeKind, ChangedFields), states: &ChangedStates) -> NewChange {
        let states = Some(states.to_json());
        NewChange { kind, provider_id: self.provider_id, event_id, changed: changed.into_json(), states }
    }
}

impl PreviousState<'_> {
    fn show<'a>(&'a self, event: &'a event::Model) -> Option<ShownEvent<'a>> {
        let performers = self.performers_of(event.id).iter().filter_map(|row| self.performers.get(&row.performer_id));
        Some(ShownEvent {
            event,
            base_event: self.base_event_of(event)?,
            zones: self.zones_of(event.id),
            venue: event.venue_id.and_then(|id| self.venues.get(&id)),
            performers: performers.collect(),
        })
    }
}

/// The new state of a batch.
struct NewState<'a> {
    changes: &'a CopyChanges,
    base_events: HashMap<Uuid, &'a base_event::Model>,
    zones: HashMap<Uuid, &'a [zone::Model]>,
    performers: HashMap<Uuid, Vec<Uuid>>,
}

impl<'a> NewState<'a> {
    fn of(changes: &'a CopyChanges) -> Self {
        // The rows of an event are consecutive.
        let zones = changes.zones.chunk_by(|left, right| left.event_id == right.event_id);
        let mut performers: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for row in &changes.event_performers {
            performers.entry(row.event_id).or_default().push(row.performer_id);
        }
        Self {
            changes,
            base_events: changes.base_events.iter().map(|base_event| (base_event.id, base_event)).collect(),
            zones: zones.map(|zones| (zones[0].event_id, zones)).collect(),
            performers,
        }
    }

    fn show(&'a self, event: &'a event::Model, previous: &'a PreviousState<'_>) -> Option<ShownEvent<'a>> {
        let performers = self.performers.get(&event.id).into_iter().flatten();
        // An undo does not change all performers.
        let performers = performers.filter_map(|id| self.changes.performers.get(id).or_else(|| previous.performers.get(id)));
        Some(ShownEvent {
            event,
            base_event: self.base_events.get(&event.base_event_id).copied().or_else(|| previous.base_event_of(event))?,
            zones: self.zones.get(&event.id).copied().unwrap_or_default(),
            venue: self.venue_of(event, previous),
            performers: performers.collect(),
        })
    }

    /// The venue of an event, which may move although nothing else of the event changes. An undo does not change all venues.
    fn venue_of<'b>(&'b self, event: &event::Model, previous: &'b PreviousState<'_>) -> Option<&'b venue::Model> {
        event.venue_id.and_then(|id| self.changes.venues.get(&id).or_else(|| previous.venues.get(&id)))
    }
}

fn spool_failed(error: SpoolError) -> SyncError {
    SyncError::Spool(match error {
        SpoolError::Disk(error) | SpoolError::Unreadable(error) => error,
        error @ SpoolError::TooLarge { .. } => std::io::Error::other(error),
    })
}
