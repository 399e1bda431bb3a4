//! Compares changed base events with their copies, event by event. It is pure: it reads and writes nothing.

use std::collections::{HashMap, HashSet};

use entity::{
    EventStatus, GeoCell, UtcInstant,
    alias::{self, AliasKind},
    base_event, event, event_performer, fold_name, performer,
    sphere::Direction,
    venue, zone,
};
use uuid::Uuid;

use super::{identity::ItemIds, moved::find_moved, report::Counts, summary::BaseEventDetail};
use crate::provider::item::{BaseEventItem, Coordinates, EventItem, ONLINE, PerformerItem, VenueItem};

/// A base event in the copy.
#[derive(Debug)]
pub(super) struct CopiedBaseEvent {
    pub(super) base_event: base_event::Model,
    pub(super) events: HashMap<Uuid, event::Model>,
}

/// The provider of a feed and the time of its fetch.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeedOrigin {
    pub(super) provider_id: i32,
    /// When the fetch of this feed started.
    pub(super) fetched_at: UtcInstant,
    /// The same for the previous successful run.
    pub(super) last_fetched_at: Option<UtcInstant>,
}

/// The rows to write. Existing rows are updated.
#[derive(Debug, Default)]
pub(super) struct CopyChanges {
    pub(super) base_events: Vec<base_event::Model>,
    /// Base events that become visible, including their events that were removed from the feed earlier.
    pub(super) newly_shown: Vec<Uuid>,
    pub(super) removed_base_events: Vec<Uuid>,
    /// Copied base events with events that are shown with other content of the base event, or for the first time.
    pub(super) retitled: Vec<Uuid>,
    pub(super) new_events: Vec<event::Model>,
    pub(super) changed_events: Vec<event::Model>,
    /// Events with replaced zones and performers.
    pub(super) replaced: Vec<Uuid>,
    /// Base events with events that are found by the same words as before, as far as the batch changes them.
    pub(super) same_words: HashSet<Uuid>,
    pub(super) left: Vec<Uuid>,
    /// Events and base events that an undo removes.
    pub(super) deleted_events: Vec<Uuid>,
    pub(super) deleted_base_events: Vec<Uuid>,
    pub(super) zones: Vec<zone::Model>,
    pub(super) venues: HashMap<Uuid, venue::Model>,
    pub(super) performers: HashMap<Uuid, performer::Model>,
    pub(super) event_performers: Vec<event_performer::Model>,
    /// The ids of keys that have replaced others.
    pub(super) aliases: Vec<alias::Model>,
    pub(super) removed_aliases: Vec<Uuid>,
    pub(super) counts: Counts,
    /// Whether a reader can see any of it.
    pub(super) visible: bool,
}

/// Compares base events with their copies.
pub(super) fn diff_changed(
    details: &[BaseEventDetail],
    copied: &HashMap<Uuid, CopiedBaseEvent>,
    (origin, ids): (FeedOrigin, &ItemIds),
) -> CopyChanges {
    let mut changes = CopyChanges::default();
    for detail in details {
        changes.add_base_event(detail, copied.get(&detail.id), (origin, ids));
    }
    changes
}

/// The changes for copied base events that were removed from the feed.
pub(super) fn diff_removed(copied: &HashMap<Uuid, CopiedBaseEvent>) -> CopyChanges {
    let mut changes = CopyChanges::default();
    for (id, CopiedBaseEvent { base_event, events }) in copied {
        for event in listed_events(events) {
            changes.add_left(event, base_event.first_online_at.is_some());
        }
        changes.removed_base_events.push(*id);
    }
    changes
}

/// The events that were in the feed of the copy.
fn listed_events(events: &HashMap<Uuid, event::Model>) -> impl Iterator<Item = Uuid> {
    events.iter().filter(|(_, event)| event.left_at.is_none()).map(|(id, _)| *id)
}

impl CopyChanges {
    /// How many more events are listed than before, if they were only replaced or deleted.
    pub(super) fn count_listed_difference(&self, copied: &HashMap<Uuid, CopiedBaseEvent>) -> i64 {
        let replaced: HashSet<&Uuid> = self.replaced.iter().chain(&self.deleted_events).collect();
        let listed = copied.values().flat_map(|copied| listed_events(&copied.events));
        let before = listed.filter(|id| replaced.contains(id)).count();
        let after = self.changed_events.iter().filter(|event| event.left_at.is_none()).count();
        after as i64 - before as i64
    }

    fn add_base_event(
        &mut self,
        detail: &BaseEventDetail,
        copied: Option<&CopiedBaseEvent>,
        (origin, ids): (FeedOrigin, &ItemIds),
    ) {
        let BaseEventDetail { id, item, rejected, event_hashes, content_hash, element, .. } = detail;
        let first_online_at = copied.and_then(|copied| copied.base_event.first_online_at);
        let row = base_event::Model {
            id: *id,
            provider_id: origin.provider_id,
            source_id: item.source_id.clone(),
            title: item.title.clone(),
            sell_mode: item.sell_mode.clone(),
            organizer_company_id: item.organizer_company_id.clone(),
            first_online_at: first_online_at.or((item.sell_mode == ONLINE).then_some(origin.fetched_at)),
            content_hash: Some(*content_hash),
            category: item.details.category.map(|category| category.slug().to_owned()),
            organizer_name: item.details.organizer_name.clone(),
            url: item.details.url.clone(),
            image_url: item.details.image_url.clone(),
            description: item.details.description.clone(),
            element_hash: element.map(|element| element.hash),
            element_events: element.map(|element| element.events),
        };
        let shown = row.first_online_at.is_some();
        let mut is_row_unchanged = true;
        if let Some(CopiedBaseEvent { base_event, events }) = copied {
            if shown && first_online_at.is_none() {
                self.newly_shown.push(*id);
            }
            // Every event is shown with the current base event, also one that was removed from the feed or rejected.
            is_row_unchanged = row.has_content_of(base_event);
            if shown && !is_row_unchanged {
                self.retitled.push(*id);
                self.visible |= !events.is_empty();
            }
        }
        self.base_events.push(row);

        let no_events = HashMap::new();
        let copied_events = copied.map_or(&no_events, |copied| &copied.events);
        let event_ids = self.identify_events(detail, copied_events, (origin, ids));
        let mut in_feed: HashSet<Uuid> = rejected.ids.iter().map(|event| ids.event(&item.source_id, event)).collect();
        for ((event, &event_hash), event_id) in item.events.iter().zip(event_hashes).zip(event_ids) {
            in_feed.insert(event_id);
            let copied_event = copied_events.get(&event_id);
            if copied_event.is_some_and(|copied| copied.content_hash == event_hash && copied.left_at.is_none()) {
                *if is_row_unchanged { &mut self.counts.unchanged } else { &mut self.counts.updated } += 1;
                continue;
            }
            let mut row = build_event_row(event_id, *id, event, origin);
            (row.content_hash, row.shown) = (event_hash, shown);
            self.add_parts(&mut row, item, event, (origin, ids));
            self.add_event(row, copied_event, origin);
        }
        if let Some(copied) = copied
            && !rejected.has_unidentified
        {
            for event in listed_events(&copied.events).filter(|event| !in_feed.contains(event)) {
                self.add_left(event, shown);
            }
        }
    }

    /// The ids of the events of a base event, in their order. A key that was changed has the id of the key before.
    fn identify_events(
        &mut self,
        detail: &BaseEventDetail,
        copied: &HashMap<Uuid, event::Model>,
        (origin, ids): (FeedOrigin, &ItemIds),
    ) -> Vec<Uuid> {
        let BaseEventDetail { item, rejected, .. } = detail;
        let keys: Vec<Uuid> = item.events.iter().map(|event| ids.event_of_key(&item.source_id, &event.source_id)).collect();
        let mut event_ids = Vec::with_capacity(keys.len());
        for &key in &keys {
            let id = ids.resolve(key);
            let is_taken = id != key && (keys.contains(&id) || event_ids.contains(&id));
            if is_taken {
                // The feed has several keys that one event had: they are several events.
                self.removed_aliases.push(key);
            }
            event_ids.push(if is_taken { key } else { id });
        }
        if !rejected.has_unidentified {
            let rejected = rejected.ids.iter().map(|event| ids.event(&item.source_id, event));
            let in_feed = event_ids.iter().copied().chain(rejected).collect();
            let moved = find_moved(item, copied, &in_feed, (ids, origin.fetched_at));
            for (event, id) in item.events.iter().zip(&mut event_ids) {
                if let Some(&target) = moved.get(event.source_id.as_str()) {
                    let (provider_id, kind) = (origin.provider_id, AliasKind::Event);
                    self.aliases.push(alias::Model { id: std::mem::replace(id, target), provider_id, kind, target });
                }
            }
        }
        event_ids
    }

    fn add_event(&mut self, mut row: event::Model, copied: Option<&event::Model>, origin: FeedOrigin) {
        self.visible |= row.shown;
        match copied {
            None => {
                self.counts.inserted += 1;
                self.new_events.push(row);
            }
            Some(copied) => {
                self.counts.updated += 1;
                self.replaced.push(row.id);
                row.first_seen_at = copied.first_seen_at;
                row.came_back_at = copied.left_at.map(|_| origin.fetched_at).or(copied.came_back_at);
                row.previous_start_at =
                    if row.starts_at == copied.starts_at { copied.previous_start_at } else { Some(copied.starts_at) };
                let has_moved = row.source_id != copied.source_id && row.starts_at != copied.starts_at;
                if has_moved && row.status == EventStatus::Scheduled {
                    row.status = EventStatus::Rescheduled;
                }
                self.changed_events.push(row);
            }
        }
    }

    /// Adds the zones, the venue and the performers of an event.
    fn add_parts(
        &mut self,
        row: &mut event::Model,
        base_event: &BaseEventItem,
        event: &EventItem,
        (origin, ids): (FeedOrigin, &ItemIds),
    ) {
        self.zones.extend((0..).zip(&event.zones).map(|(position, zone)| zone::Model {
            event_id: row.id,
            position,
            source_id: zone.source_id.clone(),
            name: zone.name.clone(),
            capacity: zone.capacity,
            price: zone.price,
            numbered: zone.numbered,
            currency: zone.currency.as_ref().map(|currency| currency.code().to_owned()),
            currency_digits: zone.currency.as_ref().map(|currency| i16::from(currency.digits())),
        }));
        let venue = event.venue.as_ref().map(|venue| build_venue_row(venue, (origin, ids)));
        row.venue_id = venue.as_ref().map(|venue| venue.id);
        row.cell = venue.as_ref().and_then(|venue| venue.cell);
        let concert_venue_id = venue.as_ref().filter(|venue| venue.located).map(|venue| venue.id);
        self.venues.extend(venue.map(|venue| (venue.id, venue)));
        let mut seen = HashSet::new();
        let performers =
            base_event.performers.iter().chain(&event.performers).filter(|performer| seen.insert(&performer.source_id));
        for (position, performer) in (0..).zip(performers) {
            let performer_id = self.add_performer(performer, (origin, ids));
            self.event_performers.push(event_performer::Model {
                event_id: row.id,
                position,
                performer_id,
                venue_id: concert_venue_id,
                starts_at: row.starts_at,
                shown: row.shown && row.status != EventStatus::Cancelled,
                cancelled: row.shown && row.status == EventStatus::Cancelled,
            });
        }
    }

    fn add_performer(&mut self, performer: &PerformerItem, (origin, ids): (FeedOrigin, &ItemIds)) -> Uuid {
        let id = ids.performer(&performer.source_id);
        let performer = performer::Model {
            id,
            provider_id: origin.provider_id,
            source_id: ids.shown_source_id(id, &performer.source_id),
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

/// The row of a new event without a venue that is not shown.
fn build_event_row(id: Uuid, base_event_id: Uuid, event: &EventItem, origin: FeedOrigin) -> event::Model {
    let wall_clock = |time: &crate::provider::local_time::LocalTime| time.wall_clock.clone();
    // Prices of several currencies cannot be compared: the first one counts.
    let currency = event.zones.first().and_then(|zone| zone.currency.as_ref());
    let prices = || event.zones.iter().filter(|zone| zone.currency.as_ref() == currency).map(|zone| zone.price);
    let details = &event.details;
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
        first_seen_at: origin.fetched_at,
        last_seen_at: None,
        left_at: None,
        came_back_at: None,
        sale_starts_at: event.sell_from.as_ref().map(|time| time.instant),
        sale_ends_at: event.sell_to.as_ref().map(|time| time.instant),
        next_boundary_at: None,
        status: event.status,
        currency: currency.map(|currency| currency.code().to_owned()),
        currency_digits: currency.map(|currency| i16::from(currency.digits())),
        category: details.category.map(|category| category.slug().to_owned()),
        time_zone: event.time_zone.map(|zone| zone.name().to_owned()),
        name: event.name.clone(),
        organizer_name: details.organizer_name.clone(),
        url: details.url.clone(),
        image_url: details.image_url.clone(),
        description: details.description.clone(),
        previous_start_at: None,
        cell: None,
    }
}

fn build_venue_row(venue: &VenueItem, (origin, ids): (FeedOrigin, &ItemIds)) -> venue::Model {
    let at = venue.coordinates;
    let Coordinates { latitude, longitude } = at.unwrap_or(Coordinates { latitude: 0.0, longitude: 0.0 });
    let direction = if at.is_some() { Direction::from_degrees(latitude, longitude) } else { Direction::NOWHERE };
    let id = ids.venue(&venue.source_id);
    venue::Model {
        id,
        provider_id: origin.provider_id,
        source_id: ids.shown_source_id(id, &venue.source_id),
        name: venue.name.clone(),
        folded_name: fold_name(&venue.name),
        direction_x: direction.x,
        direction_y: direction.y,
        direction_z: direction.z,
        latitude,
        longitude,
        place_code: venue.place_code.clone(),
        located: at.is_some(),
        cell: at.map(|_| GeoCell::at(latitude, longitude).0),
        country: venue.country.clone(),
        city: venue.city.clone(),
        region: venue.region.clone(),
        postal_code: venue.postal_code.clone(),
        address: venue.address.clone(),
        time_zone: venue.time_zone.map(|zone| zone.name().to_owned()),
        folded_city: venue.city.as_deref().map(fold_name),
    }
}
