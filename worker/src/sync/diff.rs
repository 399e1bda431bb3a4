//! What a feed changes in the copy: a pure comparison, event by event, of base events that differ with what the copy holds of them.

use std::collections::{HashMap, HashSet};

use entity::{UtcInstant, base_event, event, event_performer, fold_name, performer, sphere::Direction, venue, zone};
use uuid::Uuid;

use super::{identity, report::Counts, survey::Detail};
use crate::provider::item::{BaseEventItem, EventItem, ONLINE, PerformerItem};

/// What the copy holds of a base event.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) base_event: base_event::Model,
    pub(super) events: HashMap<Uuid, KnownEvent>,
}

/// What the copy holds of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownEvent {
    pub(super) content_hash: i64,
    pub(super) first_seen_at: UtcInstant,
    pub(super) left_at: Option<UtcInstant>,
    pub(super) came_back_at: Option<UtcInstant>,
}

/// Whose feed it is and when it was taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) provider_id: i32,
    pub(super) slug: &'a str,
    /// When this feed began to be fetched.
    pub(super) taken_at: UtcInstant,
    /// When the copy before it was, if there was one.
    pub(super) last_taken_at: Option<UtcInstant>,
}

/// All that is to be written. Rows that stand in the copy already are updated.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) base_events: Vec<base_event::Model>,
    /// Base events that are shown from now on, with the events that left before.
    pub(super) now_shown: Vec<Uuid>,
    pub(super) vanished_base_events: Vec<Uuid>,
    pub(super) new_events: Vec<event::Model>,
    pub(super) changed_events: Vec<event::Model>,
    /// Events whose zones and performers were written before and are replaced.
    pub(super) replaced: Vec<Uuid>,
    pub(super) left: Vec<Uuid>,
    pub(super) zones: Vec<zone::Model>,
    pub(super) venues: HashMap<Uuid, venue::Model>,
    pub(super) performers: HashMap<Uuid, performer::Model>,
    pub(super) event_performers: Vec<event_performer::Model>,
    pub(super) counts: Counts,
    /// Whether any of it can be seen by a reader.
    pub(super) visible: bool,
}

/// Looks into base events that differ. `known` are those of them that the copy holds.
pub(super) fn changes(details: &[Detail], known: &HashMap<Uuid, Known>, origin: Origin<'_>) -> Changes {
    let mut changes = Changes::default();
    for detail in details {
        changes.add_base_event(detail, known.get(&detail.id), origin);
    }
    changes
}

/// What it changes that base events, all of them known, are not in the feed any more.
pub(super) fn vanished(known: &HashMap<Uuid, Known>) -> Changes {
    let mut changes = Changes::default();
    for (id, Known { base_event, events }) in known {
        for event in present(events) {
            changes.add_left(event, base_event.first_online_at.is_some());
        }
        changes.vanished_base_events.push(*id);
    }
    changes
}

/// The events that the newest copy holds.
fn present(events: &HashMap<Uuid, KnownEvent>) -> impl Iterator<Item = Uuid> {
    events.iter().filter(|(_, event)| event.left_at.is_none()).map(|(id, _)| *id)
}

impl Changes {
    fn add_base_event(&mut self, detail: &Detail, known: Option<&Known>, origin: Origin<'_>) {
        let Detail { id, item, rejected, event_hashes, content_hash, .. } = detail;
        let first_online_at = known.and_then(|known| known.base_event.first_online_at);
        let row = base_event::Model {
            id: *id,
            provider_id: origin.provider_id,
            source_id: item.source_id.clone(),
            title: item.title.clone(),
            sell_mode: item.sell_mode.clone(),
            organizer_company_id: item.organizer_company_id.clone(),
            first_online_at: first_online_at.or((item.sell_mode == ONLINE).then_some(origin.taken_at)),
            content_hash: Some(*content_hash),
        };
        let shown = row.first_online_at.is_some();
        let mut says_the_same = true;
        if let Some(Known { base_event, events }) = known {
            if shown && first_online_at.is_none() {
                self.now_shown.push(*id);
            }
            // Every event is shown with what its base event says now, also one that is not in the feed any more or was rejected.
            says_the_same = base_event::Model { content_hash: base_event.content_hash, ..row.clone() } == *base_event;
            self.visible |= shown && !events.is_empty() && !says_the_same;
        }
        self.base_events.push(row);

        let event_id = |event: &str| identity::event_id(origin.slug, &item.source_id, event);
        let mut in_feed: HashSet<Uuid> = rejected.ids.iter().map(|id| event_id(id)).collect();
        for (event, &event_hash) in item.events.iter().zip(event_hashes) {
            let id_of_event = event_id(&event.source_id);
            in_feed.insert(id_of_event);
            let known_event = known.and_then(|known| known.events.get(&id_of_event));
            if known_event.is_some_and(|known| known.content_hash == event_hash && known.left_at.is_none()) {
                *if says_the_same { &mut self.counts.unchanged } else { &mut self.counts.updated } += 1;
                continue;
            }
            let mut row = event_row(id_of_event, *id, event, origin);
            row.content_hash = event_hash;
            row.shown = shown;
            self.visible |= shown;
            self.add_parts(&mut row, item, event, origin);
            match known_event {
                None => {
                    self.counts.inserted += 1;
                    self.new_events.push(row);
                }
                Some(known) => {
                    self.counts.updated += 1;
                    self.replaced.push(id_of_event);
                    row.first_seen_at = known.first_seen_at;
                    row.came_back_at = known.left_at.map(|_| origin.taken_at).or(known.came_back_at);
                    self.changed_events.push(row);
                }
            }
        }
        if let Some(known) = known
            && !rejected.unrecognised
        {
            for event in present(&known.events).filter(|event| !in_feed.contains(event)) {
                self.add_left(event, shown);
            }
        }
    }

    /// Adds the zones, the venue and the performers of an event.
    fn add_parts(&mut self, row: &mut event::Model, base_event: &BaseEventItem, event: &EventItem, origin: Origin<'_>) {
        self.zones.extend((0..).zip(&event.zones).map(|(position, zone)| zone::Model {
            event_id: row.id,
            position,
            source_id: zone.source_id.clone(),
            name: zone.name.clone(),
            capacity: zone.capacity,
            price: zone.price,
            numbered: zone.numbered,
        }));
        if let Some(venue) = &event.venue {
            let id = identity::venue_id(origin.slug, &venue.source_id);
            row.venue_id = Some(id);
            let direction = Direction::from_degrees(venue.latitude, venue.longitude);
            let venue = venue::Model {
                id,
                provider_id: origin.provider_id,
                source_id: venue.source_id.clone(),
                name: venue.name.clone(),
                folded_name: fold_name(&venue.name),
                direction_x: direction.x,
                direction_y: direction.y,
                direction_z: direction.z,
                latitude: venue.latitude,
                longitude: venue.longitude,
                place_code: venue.place_code.clone(),
            };
            self.venues.insert(id, venue);
        }
        let mut on_the_bill = HashSet::new();
        let bill =
            base_event.performers.iter().chain(&event.performers).filter(|performer| on_the_bill.insert(&performer.source_id));
        for (position, performer) in (0..).zip(bill) {
            let performer_id = self.add_performer(performer, origin);
            self.event_performers.push(event_performer::Model {
                event_id: row.id,
                position,
                performer_id,
                venue_id: row.venue_id,
                starts_at: row.starts_at,
                shown: row.shown,
            });
        }
    }

    fn add_performer(&mut self, performer: &PerformerItem, origin: Origin<'_>) -> Uuid {
        let id = identity::performer_id(origin.slug, &performer.source_id);
        let performer = performer::Model {
            id,
            provider_id: origin.provider_id,
            source_id: performer.source_id.clone(),
            name: performer.name.clone(),
            folded_name: fold_name(&performer.name),
        };
        self.performers.insert(id, performer);
        id
    }

    fn add_left(&mut self, event: Uuid, shown: bool) {
        self.left.push(event);
        self.counts.left += 1;
        self.visible |= shown;
    }
}

/// The row of an event that is new, not shown and nowhere.
fn event_row(id: Uuid, base_event_id: Uuid, event: &EventItem, origin: Origin<'_>) -> event::Model {
    let wall_clock = |time: &crate::provider::local_time::LocalTime| time.wall_clock.clone();
    let prices = || event.zones.iter().map(|zone| zone.price);
    event::Model {
        id,
        base_event_id,
        source_id: event.source_id.clone(),
        local_start: wall_clock(&event.start),
        local_end: event.end.as_ref().map(wall_clock),
        starts_at: event.start.instant,
        ends_at: event.end.as_ref().unwrap_or(&event.start).instant,
        sell_from: event.sell_from.as_ref().map(wall_clock),
        sell_to: event.sell_to.as_ref().map(wall_clock),
        sold_out: event.sold_out,
        min_price: prices().min(),
        max_price: prices().max(),
        venue_id: None,
        shown: false,
        content_hash: 0,
        first_seen_at: origin.taken_at,
        last_seen_at: None,
        left_at: None,
        came_back_at: None,
    }
}
