//! Decides which rows get the new keys. It is pure: it reads and writes nothing.

use std::collections::{HashMap, HashSet};

use entity::{
    alias::{self, AliasKind},
    base_event, event,
    item_id::undated_key,
};
use uuid::Uuid;

use super::{
    super::{diff::CopiedBaseEvent, identity::ItemIds},
    readings::{EventKeys, Position, ReadingHashes, Readings},
};

/// What the copy has of a document.
#[derive(Debug)]
pub(super) struct CopiedRows {
    pub(super) base_events: HashMap<Uuid, CopiedBaseEvent>,
    /// Those of [`Readings::list_others`] that are ids of rows or of removed events.
    pub(super) existing: HashSet<Uuid>,
    /// Events that were removed for legal reasons.
    pub(super) removed_events: HashSet<Uuid>,
}

/// The rows to write.
#[derive(Debug, Default)]
pub(super) struct RekeyPlan {
    /// Existing and new ones.
    pub(super) base_events: Vec<base_event::Model>,
    /// Base events of which all events were moved.
    pub(super) empty_base_events: Vec<Uuid>,
    pub(super) events: Vec<event::Model>,
    pub(super) aliases: Vec<alias::Model>,
    pub(super) removed_aliases: Vec<Uuid>,
    pub(super) performers: usize,
    pub(super) venues: usize,
    /// Events that were not matched although they have a new key, for a message.
    pub(super) ambiguous: Vec<String>,
    /// The events of the copy's feed that are matched or ambiguous.
    pub(super) listed: usize,
}

/// Matches the rows of a copy with their new keys.
pub(super) fn plan(readings: &Readings, provider_id: i32, ids: &ItemIds, copied: &CopiedRows) -> RekeyPlan {
    let paired = readings.pair();
    let new = readings.new.clone().deduplicate();
    let hashes = [&readings.old, &new].map(ReadingHashes::of);
    let mut planner =
        Planner { provider_id, ids, copied, pairs: Pairs::default(), has_new_key: HashSet::new(), plan: RekeyPlan::default() };
    for (_, old, new) in &paired {
        planner.add_pairs(old, new);
    }
    let matches = paired.iter().filter_map(|(at, old, new)| planner.match_event(*at, (old, new), &hashes)).collect();
    planner.add_base_events(matches, &hashes);
    planner.plan
}

/// Rows, and the ids of the keys that they have now.
#[derive(Default)]
struct Pairs {
    keys: HashMap<Uuid, HashSet<Uuid>>,
    rows: HashMap<Uuid, HashSet<Uuid>>,
}

impl Pairs {
    fn add(&mut self, row: Uuid, key: Uuid) {
        self.keys.entry(row).or_default().insert(key);
        self.rows.entry(key).or_default().insert(row);
    }

    fn is_only(&self, row: Uuid, key: Uuid) -> bool {
        let is_one = |others: Option<&HashSet<Uuid>>| others.is_some_and(|others| others.len() == 1);
        is_one(self.keys.get(&row)) && is_one(self.rows.get(&key))
    }
}

/// An event of the copy with its keys.
struct MatchedEvent<'a> {
    row: event::Model,
    old_base_event: &'a str,
    new_base_event: &'a str,
    /// Its content is the same as in the copy.
    is_unchanged: bool,
}

struct Planner<'a> {
    provider_id: i32,
    ids: &'a ItemIds,
    copied: &'a CopiedRows,
    pairs: Pairs,
    /// The rows with a new key, once it is in the plan.
    has_new_key: HashSet<Uuid>,
    plan: RekeyPlan,
}

impl Planner<'_> {
    fn add_pairs(&mut self, old: &EventKeys<'_>, new: &EventKeys<'_>) {
        let ids = self.ids;
        self.pairs.add(ids.base_event(old.base_event), ids.base_event_of_key(new.base_event));
        self.pairs.add(ids.event(old.base_event, old.event), ids.event_of_key(new.base_event, new.event));
        if let Some((row, key)) = self.undated_ids(old, new) {
            self.pairs.add(row, key);
        }
        for (old, new) in old.performers.iter().zip(&new.performers) {
            self.pairs.add(ids.performer(old), ids.performer_of_key(new));
        }
        for (old, new) in old.venue.iter().zip(&new.venue) {
            self.pairs.add(ids.venue(old), ids.venue_of_key(new));
        }
    }

    /// The ids of a removed event, from its previous and its new key without their dates.
    fn undated_ids(&self, old: &EventKeys<'_>, new: &EventKeys<'_>) -> Option<(Uuid, Uuid)> {
        if self.copied.removed_events.is_empty() {
            return None;
        }
        let row = self.ids.event(old.base_event, &undated_key(old.event, "")?);
        let key = self.ids.event_of_key(new.base_event, &undated_key(new.event, "")?);
        self.copied.removed_events.contains(&row).then_some((row, key))
    }

    /// Whether a row can have a key: neither has another one in the document, and the key means nothing else.
    fn is_match(&self, row: Uuid, key: Uuid) -> bool {
        let current = self.ids.resolve(key);
        let is_free = current == row || (current == key && !self.copied.existing.contains(&key));
        is_free && self.pairs.is_only(row, key)
    }

    /// Replaces the previous key of a row, and returns whether it is another one. Done once for each row.
    fn replace_key(&mut self, kind: AliasKind, row: Uuid, (old, new): (Uuid, Uuid)) -> bool {
        if old == new || !self.has_new_key.insert(row) {
            return false;
        }
        if old != row {
            self.plan.removed_aliases.push(old);
        }
        if new != row {
            self.plan.aliases.push(alias::Model { id: new, provider_id: self.provider_id, kind, target: row });
        }
        true
    }

    /// Matches an event of the copy, unless it is ambiguous.
    fn match_event<'k>(
        &mut self,
        at: Position<'_>,
        (old, new): (&EventKeys<'k>, &EventKeys<'k>),
        [old_hashes, new_hashes]: &[ReadingHashes<'_>; 2],
    ) -> Option<MatchedEvent<'k>> {
        let ids = self.ids;
        let (base_row, row) = (ids.base_event(old.base_event), ids.event(old.base_event, old.event));
        let keys = (ids.event_of_key(old.base_event, old.event), ids.event_of_key(new.base_event, new.event));
        let is_match = self.is_match(row, keys.1);
        if is_match && self.copied.removed_events.contains(&row) {
            // No sync may import it again.
            self.replace_key(AliasKind::Event, row, keys);
        }
        if let Some((row, key)) = self.undated_ids(old, new).filter(|(row, key)| self.is_match(*row, *key)) {
            self.replace_key(AliasKind::Event, row, (row, key));
        }
        let copied = self.copied.base_events.get(&base_row)?.events.get(&row)?;
        self.plan.listed += usize::from(copied.left_at.is_none());
        if !is_match {
            let (event, base_event, key) = (old.event, old.base_event, new.event);
            let of = format!("event `{event}` of base event `{base_event}`");
            self.plan.ambiguous.push(format!("{of}: its new key `{key}` is or was that of another event, too"));
            return None;
        }
        self.replace_key(AliasKind::Event, row, keys);
        let has_same_parts = self.match_parts(old, new);
        // An event of another base event has other details of its own.
        let is_same = has_same_parts && self.pairs.is_only(base_row, ids.base_event_of_key(new.base_event));
        let new_hash = new_hashes.events.get(&at).filter(|_| is_same && old_hashes.events.get(&at) == Some(&copied.content_hash));
        let content_hash = new_hash.copied().unwrap_or(copied.content_hash);
        Some(MatchedEvent {
            row: event::Model { source_id: new.event.to_owned(), content_hash, ..copied.clone() },
            old_base_event: old.base_event,
            new_base_event: new.base_event,
            is_unchanged: new_hash.is_some(),
        })
    }

    /// Matches the performers and the venue of an event, and returns whether their rows remain the same.
    fn match_parts(&mut self, old: &EventKeys<'_>, new: &EventKeys<'_>) -> bool {
        let ids = self.ids;
        let performers =
            old.performers.iter().zip(&new.performers).map(|(old, new)| {
                (AliasKind::Performer, ids.performer(old), (ids.performer_of_key(old), ids.performer_of_key(new)))
            });
        let venues = old.venue.iter().zip(&new.venue);
        let venues = venues.map(|(old, new)| (AliasKind::Venue, ids.venue(old), (ids.venue_of_key(old), ids.venue_of_key(new))));
        let mut are_same = old.performers.len() == new.performers.len() && old.venue.is_some() == new.venue.is_some();
        for (kind, row, keys) in performers.chain(venues) {
            let is_match = self.copied.existing.contains(&row) && self.is_match(row, keys.1);
            if is_match && self.replace_key(kind, row, keys) {
                *if kind == AliasKind::Venue { &mut self.plan.venues } else { &mut self.plan.performers } += 1;
            }
            are_same &= is_match || keys.0 == keys.1;
        }
        are_same
    }

    /// Adds the matched events, and the base events that they have now.
    fn add_base_events(&mut self, matches: Vec<MatchedEvent<'_>>, hashes: &[ReadingHashes<'_>; 2]) {
        let ids = self.ids;
        let mut keys = Vec::new();
        let mut groups: HashMap<&str, Vec<MatchedEvent<'_>>> = HashMap::new();
        for event in matches {
            let group = groups.entry(event.new_base_event).or_default();
            if group.is_empty() {
                keys.push(event.new_base_event);
            }
            group.push(event);
        }
        let key_ids: HashSet<Uuid> = keys.iter().map(|key| ids.base_event_of_key(key)).collect();
        let mut rows = self.find_rows_of_keys(&keys);
        let mut moved: HashMap<Uuid, usize> = HashMap::new();
        // First the keys that have a row.
        keys.sort_by_key(|key| !rows.contains_key(key));
        for key in keys {
            let events = groups.remove(key).unwrap_or_default();
            let base_event = self.add_base_event(key, &events, &mut rows, hashes);
            for MatchedEvent { row, old_base_event, .. } in events {
                let old_key = ids.base_event_of_key(old_base_event);
                if old_key != row.base_event_id && !key_ids.contains(&old_key) {
                    self.plan.removed_aliases.push(old_key);
                }
                *moved.entry(row.base_event_id).or_default() += usize::from(row.base_event_id != base_event);
                self.plan.events.push(event::Model { base_event_id: base_event, ..row });
            }
        }
        let used: HashSet<Uuid> = self.plan.base_events.iter().map(|row| row.id).collect();
        let is_empty = |(id, moved): &(Uuid, usize)| {
            !used.contains(id) && self.copied.base_events.get(id).is_some_and(|copied| copied.events.len() == *moved)
        };
        self.plan.empty_base_events = moved.into_iter().filter(is_empty).map(|(id, _)| id).collect();
    }

    /// The rows that keys have already. If several have one, the one that computes its id has it.
    fn find_rows_of_keys<'k>(&self, keys: &[&'k str]) -> HashMap<&'k str, Uuid> {
        let row_of = |key: &&&str| self.ids.base_event(key);
        let is_aliased = |key: &&&str| self.ids.base_event_of_key(key) != row_of(key);
        let mut known: Vec<&&str> = keys.iter().filter(|key| self.copied.base_events.contains_key(&row_of(key))).collect();
        known.sort_by_key(is_aliased);
        let mut used = HashSet::new();
        known.into_iter().filter(|key| used.insert(row_of(key))).map(|key| (*key, row_of(&key))).collect()
    }

    /// Adds the base event with a key: the row that has it, or else that of its first event, unless another key has that one. Then it is a
    /// new row. Returns its id.
    fn add_base_event<'k>(
        &mut self,
        key: &'k str,
        events: &[MatchedEvent<'_>],
        rows: &mut HashMap<&'k str, Uuid>,
        [old_hashes, new_hashes]: &[ReadingHashes<'_>; 2],
    ) -> Uuid {
        let (copied, first) = (self.copied, &events[0]);
        let key_ids = (self.ids.base_event_of_key(first.old_base_event), self.ids.base_event_of_key(key));
        let previous = &copied.base_events[&first.row.base_event_id].base_event;
        let is_free = !rows.values().any(|row| *row == previous.id);
        let id = *rows.entry(key).or_insert(if is_free { previous.id } else { key_ids.1 });
        let row = match copied.base_events.get(&id) {
            Some(row) => &row.base_event,
            None => {
                // An alias would mean another row.
                self.plan.removed_aliases.push(id);
                &base_event::Model { id, content_hash: None, ..previous.clone() }
            }
        };
        if id == previous.id {
            self.replace_key(AliasKind::BaseEvent, id, key_ids);
        }
        let mut content_hash = row.content_hash;
        if let (Some(old), Some(new)) = (old_hashes.base_events.get(first.old_base_event), new_hashes.base_events.get(key))
            && content_hash == Some(old.0)
            && [old.1, new.1] == [events.len(); 2]
            && events.iter().all(|event| event.is_unchanged)
        {
            content_hash = Some(new.0);
        }
        self.plan.base_events.push(base_event::Model { source_id: key.to_owned(), content_hash, ..row.clone() });
        id
    }
}
