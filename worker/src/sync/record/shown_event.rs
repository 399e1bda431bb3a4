//! What readers see of an event, and what of it has changed.

use entity::{
    EventStatus, UtcInstant, base_event,
    change::ChangeKind,
    event,
    event_state::{EventRows, EventState},
    performer, to_decimal, venue, zone,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// An event as a reader sees it.
#[derive(Clone, Debug)]
pub(super) struct ShownEvent<'a> {
    pub(super) event: &'a event::Model,
    pub(super) base_event: &'a base_event::Model,
    pub(super) zones: &'a [zone::Model],
    pub(super) venue: Option<&'a venue::Model>,
    pub(super) performers: Vec<&'a performer::Model>,
}

/// A zone without its tickets, of which changes are not logged.
#[derive(Debug, PartialEq, Serialize)]
struct ShownZone<'a> {
    name: Option<&'a str>,
    price: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
}

/// Where a venue is.
#[derive(Debug, PartialEq, Serialize)]
struct ShownAddress<'a> {
    latitude: Option<f64>,
    longitude: Option<f64>,
    address: Option<&'a str>,
    postal_code: Option<&'a str>,
    city: Option<&'a str>,
    region: Option<&'a str>,
    country: Option<&'a str>,
}

impl<'a> ShownAddress<'a> {
    fn of(venue: &'a venue::Model) -> Self {
        let degrees = |degrees: f64| venue.located.then_some(degrees);
        Self {
            latitude: degrees(venue.latitude),
            longitude: degrees(venue.longitude),
            address: venue.address.as_deref(),
            postal_code: venue.postal_code.as_deref(),
            city: venue.city.as_deref(),
            region: venue.region.as_deref(),
            country: venue.country.as_deref(),
        }
    }
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
        } else if changed.has_any(&["status"]) && current.status == EventStatus::Cancelled {
            ChangeKind::Cancelled
        } else if changed.has_any(&["status"]) && current.status == EventStatus::Postponed {
            ChangeKind::Postponed
        } else if changed.has_any(&["start_date", "start_time"]) {
            ChangeKind::Rescheduled
        } else if changed.has_any(&["sold_out"]) {
            if current.sold_out { ChangeKind::SoldOut } else { ChangeKind::OnSale }
        } else if changed.has_any(&["min_price", "max_price", "currency"]) || self.list_prices() != new.list_prices() {
            ChangeKind::PriceChanged
        } else if changed.0.is_empty() {
            return None;
        } else {
            ChangeKind::Updated
        };
        Some((kind, changed))
    }

    /// What filters select at an instant; `None` if readers do not see it.
    pub(super) fn state(&self, currency: (&str, i16), now: UtcInstant) -> Option<EventState> {
        let Self { event, base_event, venue, ref performers, .. } = *self;
        let rows = EventRows { event, base_event, venue, performers, currency };
        event.shown.then(|| EventState::new(rows, event.availability(now)))
    }

    /// The zones in an order that does not depend on the feed.
    fn list_zones(&self, currency_digits: i16) -> Vec<ShownZone<'_>> {
        let mut zones: Vec<&zone::Model> = self.zones.iter().collect();
        zones.sort_unstable_by_key(|zone| (&zone.name, zone.price, &zone.currency));
        let zones = zones.into_iter().map(|zone| ShownZone {
            name: zone.name.as_deref(),
            price: to_decimal(zone.price, zone.currency_digits.unwrap_or(currency_digits)),
            currency: zone.currency.as_deref(),
        });
        zones.collect()
    }

    fn list_prices(&self) -> Vec<(Option<&str>, i64)> {
        let mut prices: Vec<_> = self.zones.iter().map(|zone| (zone.currency.as_deref(), zone.price)).collect();
        prices.sort_unstable();
        prices
    }

    /// The details of the event, or else of its base event.
    fn list_details(&self) -> [(&'static str, Option<&str>); 5] {
        let event::Model { category, description, url, image_url, organizer_name, .. } = self.event;
        let base_event = self.base_event;
        [
            ("category", category.as_deref().or(base_event.category.as_deref())),
            ("description", description.as_deref().or(base_event.description.as_deref())),
            ("url", url.as_deref().or(base_event.url.as_deref())),
            ("image_url", image_url.as_deref().or(base_event.image_url.as_deref())),
            ("organizer", organizer_name.as_deref().or(base_event.organizer_name.as_deref())),
        ]
    }

    /// The fields that differ.
    fn compare_fields(&self, new: &ShownEvent<'_>, currency_digits: i16) -> ChangedFields {
        let mut changed = ChangedFields::default();
        changed.compare("title", &self.base_event.title, &new.base_event.title);
        changed.compare("sell_mode", &self.base_event.sell_mode, &new.base_event.sell_mode);
        let organizers = [self, new].map(|event| &event.base_event.organizer_company_id);
        changed.compare("organizer_company_id", organizers[0], organizers[1]);
        let (old, current) = (self.event, new.event);
        changed.compare("name", &old.name, &current.name);
        changed.compare("status", &old.status, &current.status);
        changed.compare("time_zone", &old.time_zone, &current.time_zone);
        for ((field, old), (_, new)) in self.list_details().into_iter().zip(new.list_details()) {
            changed.compare(field, &old, &new);
        }
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
        let price = |event: &event::Model, minor_units: Option<i64>| {
            minor_units.map(|units| to_decimal(units, event.currency_digits.unwrap_or(currency_digits)))
        };
        changed.compare("min_price", &price(old, old.min_price), &price(current, current.min_price));
        changed.compare("max_price", &price(old, old.max_price), &price(current, current.max_price));
        changed.compare("currency", &old.currency, &current.currency);
        let venues = [self, new].map(|event| event.venue.map(|venue| venue.name.as_str()));
        changed.compare("venue", &venues[0], &venues[1]);
        let addresses = [self, new].map(|event| event.venue.map(ShownAddress::of));
        changed.compare("venue_address", &addresses[0], &addresses[1]);
        let performers = [self, new].map(|event| event.performers.iter().map(|row| row.name.as_str()).collect::<Vec<_>>());
        changed.compare("performers", &performers[0], &performers[1]);
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
