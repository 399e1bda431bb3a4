//! Undoes changes, from the newest to the oldest: each has the previous values of the fields that it changed. It is pure.

use entity::{
    EventStatus, UtcInstant, change,
    event::Availability,
    event_state::{ChangedStates, EventState},
    to_decimal,
};
use sea_orm::prelude::Uuid;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{clock::to_instant, response::PastZone};
use crate::{
    query::Edge,
    resources::{events::rows::EventRows, search::split_date_and_time},
    response::{LocalDate, LocalTime},
};

/// Fields of changes that are not read from them: the rows of venues and performers have more, and the availability depends on time.
const OTHER_FIELDS: [&str; 4] = ["venue", "venue_address", "performers", "availability"];
/// Fields that determine when an event starts, and when it ends.
const START_FIELDS: [&str; 3] = ["start_date", "start_time", "time_zone"];
const END_FIELDS: [&str; 2] = ["end_date", "end_time"];
/// Fields that determine its sale period.
const SALE_FIELDS: [&str; 3] = ["sell_from", "sell_to", "time_zone"];

/// The fields that the log has, named and encoded as there.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct LoggedFields {
    pub(super) title: String,
    pub(super) sell_mode: String,
    pub(super) organizer_company_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) status: EventStatus,
    /// `None` if it is the provider's, as for the currency.
    pub(super) time_zone: Option<String>,
    pub(super) category: Option<String>,
    pub(super) description: Option<String>,
    pub(super) url: Option<String>,
    pub(super) image_url: Option<String>,
    pub(super) organizer: Option<String>,
    pub(super) listed: bool,
    pub(super) start_date: LocalDate,
    pub(super) start_time: Option<LocalTime>,
    pub(super) end_date: Option<LocalDate>,
    pub(super) end_time: Option<LocalTime>,
    pub(super) sell_from: Option<String>,
    pub(super) sell_to: Option<String>,
    pub(super) sold_out: bool,
    pub(super) min_price: Option<f64>,
    pub(super) max_price: Option<f64>,
    pub(super) currency: Option<String>,
    pub(super) zones: Vec<PastZone>,
}

/// An event while changes are undone.
#[derive(Debug)]
pub(super) struct PastFields {
    fields: Map<String, Value>,
    pub(super) starts_at: UtcInstant,
    pub(super) ends_at: UtcInstant,
    sale: (Option<UtcInstant>, Option<UtcInstant>),
    /// Its venue; `None` if it is unknown.
    pub(super) venue: Option<Option<Uuid>>,
    /// Its performers; `None` if they are unknown.
    pub(super) performers: Option<Vec<Uuid>>,
    /// The time zone of the provider.
    default_zone: String,
    /// Whether it was removed from its feed or returned to it since then.
    pub(super) listed_changed: bool,
    pub(super) start_changed: bool,
    times_changed: bool,
    sale_changed: bool,
}

/// The log does not have what the event was before a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownBefore;

impl PastFields {
    /// An event as it is now.
    pub(super) fn new(rows: &EventRows) -> serde_json::Result<Self> {
        let event = &rows.event;
        let fields = match serde_json::to_value(LoggedFields::new(rows))? {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Ok(Self {
            fields,
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            sale: (event.sale_starts_at, event.sale_ends_at),
            venue: Some(event.venue_id),
            performers: Some(rows.performers.iter().map(|performer| performer.id).collect()),
            default_zone: rows.provider.time_zone.clone(),
            listed_changed: false,
            start_changed: false,
            times_changed: false,
            sale_changed: false,
        })
    }

    /// Undoes the newest change that was not undone yet.
    pub(super) fn undo(&mut self, change: &change::Model) -> Result<(), UnknownBefore> {
        let changed: Map<String, Value> = serde_json::from_str(&change.changed).map_err(|_| UnknownBefore)?;
        // All values were removed for legal reasons.
        if changed.is_empty() {
            return Err(UnknownBefore);
        }
        let has_any = |fields: &[&str]| fields.iter().any(|field| changed.contains_key(*field));
        self.listed_changed |= has_any(&["listed"]);
        self.start_changed |= has_any(&START_FIELDS);
        self.sale_changed |= has_any(&SALE_FIELDS);
        let has_times = has_any(&START_FIELDS) || has_any(&END_FIELDS);
        let (has_venue, has_performers) = (has_any(&["venue", "venue_address"]), has_any(&["performers"]));
        for (name, mut values) in changed {
            if !OTHER_FIELDS.contains(&name.as_str()) {
                let old = values.get_mut("old").map(Value::take).ok_or(UnknownBefore)?;
                self.fields.insert(name, old);
            }
        }
        let states = change.states.as_deref().and_then(ChangedStates::from_json);
        match states.and_then(|states| Some((states.old?, states.new))) {
            Some((old, new)) => self.undo_state(old, new.as_ref()),
            None => {
                self.times_changed |= has_times;
                self.venue = self.venue.take().filter(|_| !has_venue);
                self.performers = self.performers.take().filter(|_| !has_performers);
            }
        }
        Ok(())
    }

    fn undo_state(&mut self, old: EventState, new: Option<&EventState>) {
        self.start_changed |= new.is_none_or(|new| new.starts_at != old.starts_at);
        (self.starts_at, self.ends_at, self.times_changed) = (old.starts_at, old.ends_at, false);
        self.venue = Some(old.venue.map(|venue| venue.key.0));
        self.performers = Some(old.performers.into_iter().map(|performer| performer.0).collect());
    }

    /// The fields, and the availability at an instant.
    pub(super) fn finish(mut self, now: UtcInstant) -> serde_json::Result<(Self, LoggedFields, Availability)> {
        let fields: LoggedFields = serde_json::from_value(Value::Object(std::mem::take(&mut self.fields)))?;
        let zone = fields.time_zone.as_ref().unwrap_or(&self.default_zone).parse().unwrap_or(chrono_tz::Tz::UTC);
        if self.times_changed {
            let start = join(&fields.start_date, fields.start_time.as_ref());
            let end = fields.end_date.as_ref().map(|date| join(date, fields.end_time.as_ref()));
            self.starts_at = to_instant(&start, zone, Edge::Start).unwrap_or(self.starts_at);
            let ends_at = end.map_or(Some(self.starts_at), |end| to_instant(&end, zone, Edge::End));
            self.ends_at = ends_at.unwrap_or(self.ends_at).max(self.starts_at);
        }
        if self.sale_changed {
            let instant = |text: &Option<String>, edge| text.as_deref().and_then(|text| to_instant(text, zone, edge));
            self.sale = (instant(&fields.sell_from, Edge::Start), instant(&fields.sell_to, Edge::End));
        }
        let availability = Availability::at(now, self.ends_at, self.sale, fields.sold_out);
        Ok((self, fields, availability))
    }
}

impl LoggedFields {
    /// The fields of an event as it is now, as the worker would log them.
    fn new(rows: &EventRows) -> Self {
        let EventRows { event, base_event, provider, .. } = rows;
        let (start_date, start_time) = split_date_and_time(&event.local_start);
        let (end_date, end_time) = event.local_end.as_deref().map(split_date_and_time).unzip();
        let price = |minor_units: Option<i64>| {
            minor_units.map(|units| to_decimal(units, event.currency_digits.unwrap_or(provider.currency_digits)))
        };
        let detail = |own: &Option<String>, shared: &Option<String>| own.as_ref().or(shared.as_ref()).cloned();
        Self {
            title: base_event.title.clone(),
            sell_mode: base_event.sell_mode.clone(),
            organizer_company_id: base_event.organizer_company_id.clone(),
            name: event.name.clone(),
            status: event.status,
            time_zone: event.time_zone.clone(),
            category: detail(&event.category, &base_event.category),
            description: detail(&event.description, &base_event.description),
            url: detail(&event.url, &base_event.url),
            image_url: detail(&event.image_url, &base_event.image_url),
            organizer: detail(&event.organizer_name, &base_event.organizer_name),
            listed: event.left_at.is_none(),
            start_date,
            start_time,
            end_date,
            end_time: end_time.flatten(),
            sell_from: event.sell_from.clone(),
            sell_to: event.sell_to.clone(),
            sold_out: event.sold_out,
            min_price: price(event.min_price),
            max_price: price(event.max_price),
            currency: event.currency.clone(),
            zones: PastZone::list(&rows.zones, provider.currency_digits),
        }
    }
}

/// A wall clock from its date and its time.
fn join(date: &LocalDate, time: Option<&LocalTime>) -> String {
    match time {
        Some(time) => format!("{}T{}", date.0, time.0),
        None => date.0.clone(),
    }
}
