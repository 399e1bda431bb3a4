//! What readers see of an event, and what of it has changed.

use entity::{base_event, change::ChangeKind, event, to_decimal, zone};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// An event as a reader sees it.
#[derive(Clone, Debug)]
pub(super) struct ShownEvent<'a> {
    pub(super) event: &'a event::Model,
    pub(super) base_event: &'a base_event::Model,
    pub(super) zones: &'a [zone::Model],
    pub(super) venue: Option<&'a str>,
    pub(super) performers: Vec<&'a str>,
}

/// A zone without its tickets, of which changes are not logged.
#[derive(Debug, PartialEq, Serialize)]
struct ShownZone<'a> {
    name: Option<&'a str>,
    price: f64,
}

/// Fields with their old and new values.
#[derive(Debug, Default)]
pub(super) struct ChangedFields(Map<String, Value>);

impl ChangedFields {
    fn compare<T: PartialEq + Serialize>(&mut self, field: &str, old: &T, new: &T) {
        if old != new {
            self.0.insert(field.to_owned(), json!({ "old": old, "new": new }));
        }
    }

    fn has_any(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.0.contains_key(*field))
    }

    /// Those of an event that is no longer listed.
    pub(super) fn of_left() -> Self {
        let mut changed = Self::default();
        changed.compare("listed", &true, &false);
        changed
    }

    pub(super) fn into_json(self) -> String {
        Value::Object(self.0).to_string()
    }
}

impl ShownEvent<'_> {
    /// What happened to the event, and its changed fields; `None` if a reader of the log need not know.
    pub(super) fn compare(&self, new: &ShownEvent<'_>, currency_digits: i16) -> Option<(ChangeKind, ChangedFields)> {
        let (old, current) = (self.event, new.event);
        match (old.shown, current.shown) {
            (false, false) => return None,
            (false, true) => return Some((ChangeKind::Created, ChangedFields::default())),
            (true, false) => return Some((ChangeKind::Left, ChangedFields::of_left())),
            (true, true) => {}
        }
        let changed = self.compare_fields(new, currency_digits);
        let kind = if old.left_at.is_none() && current.left_at.is_some() {
            ChangeKind::Left
        } else if old.left_at.is_some() && current.left_at.is_none() {
            ChangeKind::Returned
        } else if changed.has_any(&["start_date", "start_time"]) {
            ChangeKind::Rescheduled
        } else if changed.has_any(&["sold_out"]) {
            if current.sold_out { ChangeKind::SoldOut } else { ChangeKind::OnSale }
        } else if changed.has_any(&["min_price", "max_price"]) || self.list_prices() != new.list_prices() {
            ChangeKind::PriceChanged
        } else if changed.0.is_empty() {
            return None;
        } else {
            ChangeKind::Updated
        };
        Some((kind, changed))
    }

    /// The zones in an order that does not depend on the feed.
    fn list_zones(&self, currency_digits: i16) -> Vec<ShownZone<'_>> {
        let mut zones: Vec<(Option<&str>, i64)> = self.zones.iter().map(|zone| (zone.name.as_deref(), zone.price)).collect();
        zones.sort_unstable();
        zones.into_iter().map(|(name, price)| ShownZone { name, price: to_decimal(price, currency_digits) }).collect()
    }

    fn list_prices(&self) -> Vec<i64> {
        let mut prices: Vec<i64> = self.zones.iter().map(|zone| zone.price).collect();
        prices.sort_unstable();
        prices
    }

    /// The fields that differ.
    fn compare_fields(&self, new: &ShownEvent<'_>, currency_digits: i16) -> ChangedFields {
        let mut changed = ChangedFields::default();
        changed.compare("title", &self.base_event.title, &new.base_event.title);
        changed.compare("sell_mode", &self.base_event.sell_mode, &new.base_event.sell_mode);
        let organizers = [self, new].map(|event| &event.base_event.organizer_company_id);
        changed.compare("organizer_company_id", organizers[0], organizers[1]);
        let (old, current) = (self.event, new.event);
        changed.compare("listed", &old.left_at.is_none(), &current.left_at.is_none());
        let starts = [old, current].map(|event| split_local(Some(&event.local_start)));
        changed.compare("start_date", &starts[0].0, &starts[1].0);
        changed.compare("start_time", &starts[0].1, &starts[1].1);
        let ends = [old, current].map(|event| split_local(event.local_end.as_deref()));
        changed.compare("end_date", &ends[0].0, &ends[1].0);
        changed.compare("end_time", &ends[0].1, &ends[1].1);
        changed.compare("sell_from", &old.sell_from, &current.sell_from);
        changed.compare("sell_to", &old.sell_to, &current.sell_to);
        changed.compare("sold_out", &old.sold_out, &current.sold_out);
        let price = |minor_units: Option<i64>| minor_units.map(|units| to_decimal(units, currency_digits));
        changed.compare("min_price", &price(old.min_price), &price(current.min_price));
        changed.compare("max_price", &price(old.max_price), &price(current.max_price));
        changed.compare("venue", &self.venue, &new.venue);
        changed.compare("performers", &self.performers, &new.performers);
        let zones = [self, new].map(|event| event.list_zones(currency_digits));
        changed.compare("zones", &zones[0], &zones[1]);
        changed
    }
}

/// Splits a local date and time, as in the API.
fn split_local(local: Option<&str>) -> (Option<&str>, Option<&str>) {
    match local.map(|local| (local, local.split_once('T'))) {
        Some((_, Some((date, time)))) => (Some(date), Some(time)),
        Some((date, None)) => (Some(date), None),
        None => (None, None),
    }
}
