//! What readers would see of a feed: counts of its events.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::output::count;
use crate::provider::item::{BaseEventItem, EventItem, ONLINE, ParsedFeed};

/// Values that the text lists for each kind. JSON has all of them.
const MAX_LISTED: usize = 10;

/// Counts of the events of base events that are online.
#[derive(Debug, Default)]
pub(super) struct LintSummary {
    events: usize,
    /// Local days on which events start.
    days: BTreeMap<Option<String>, usize>,
    statuses: BTreeMap<Option<String>, usize>,
    categories: BTreeMap<Option<String>, usize>,
    cities: BTreeMap<Option<String>, usize>,
    without: BTreeMap<&'static str, usize>,
}

impl LintSummary {
    pub(super) fn new(feed: &ParsedFeed) -> Self {
        let mut summary = Self::default();
        for base_event in feed.base_events.iter().filter(|base_event| base_event.sell_mode == ONLINE) {
            for event in &base_event.events {
                summary.add(base_event, event);
            }
        }
        summary
    }

    fn add(&mut self, base_event: &BaseEventItem, event: &EventItem) {
        self.events += 1;
        let day = event.start.wall_clock.split('T').next().map(str::to_owned);
        let details = [&event.details, &base_event.details];
        let category = details.iter().find_map(|details| details.category).map(|category| category.slug().to_owned());
        let city = event.venue.as_ref().and_then(|venue| venue.city.clone());
        for (counts, value) in [
            (&mut self.statuses, Some(event.status.name().to_owned())),
            (&mut self.categories, category),
            (&mut self.cities, city),
            (&mut self.days, day),
        ] {
            *counts.entry(value).or_default() += 1;
        }
        for (detail, is_missing) in [
            ("price", event.zones.is_empty()),
            ("venue", event.venue.is_none()),
            ("url", details.iter().all(|details| details.url.is_none())),
            ("image", details.iter().all(|details| details.image_url.is_none())),
        ] {
            *self.without.entry(detail).or_default() += usize::from(is_missing);
        }
    }

    /// As lines of text.
    pub(super) fn describe(&self) -> Vec<String> {
        let events = count(self.events, "event");
        let (Some(first), Some(last)) = self.first_and_last_day() else {
            return vec![format!("shown: {events}")];
        };
        let without: Vec<String> = self
            .without
            .iter()
            .map(|(detail, missing)| format!("{detail} {:.0} %", 100.0 * share(*missing, self.events)))
            .collect();
        vec![
            format!("shown: {events} on {}, {first} to {last}", count(self.days.len(), "day")),
            format!("by status: {}", describe_counts(&self.statuses)),
            format!("by category: {}", describe_counts(&self.categories)),
            format!("by city: {}", describe_counts(&self.cities)),
            format!("by day: {}", describe_counts(&self.days)),
            format!("without: {}", without.join(", ")),
        ]
    }

    fn first_and_last_day(&self) -> (Option<&str>, Option<&str>) {
        let mut days = self.days.keys().filter_map(Option::as_deref);
        let first = days.next();
        (first, days.next_back().or(first))
    }

    pub(super) fn to_json(&self) -> Value {
        let list = |counts: &BTreeMap<Option<String>, usize>| -> Value {
            sort_counts(counts).into_iter().map(|(value, events)| json!({ "value": value, "events": events })).collect()
        };
        let without = self
            .without
            .iter()
            .map(|(detail, missing)| ((*detail).to_owned(), json!({ "events": missing, "share": share(*missing, self.events) })));
        let (first_day, last_day) = self.first_and_last_day();
        json!({
            "events": self.events,
            "days": self.days.len(),
            "first_day": first_day,
            "last_day": last_day,
            "by_status": list(&self.statuses),
            "by_category": list(&self.categories),
            "by_city": list(&self.cities),
            "by_day": list(&self.days),
            "without": without.collect::<Value>(),
        })
    }
}

/// Highest count first.
fn sort_counts(counts: &BTreeMap<Option<String>, usize>) -> Vec<(Option<&str>, usize)> {
    let mut sorted: Vec<_> = counts.iter().map(|(value, events)| (value.as_deref(), *events)).collect();
    sorted.sort_by_key(|(_, events)| std::cmp::Reverse(*events));
    sorted
}

fn describe_counts(counts: &BTreeMap<Option<String>, usize>) -> String {
    let sorted = sort_counts(counts);
    let listed = sorted.iter().take(MAX_LISTED).map(|(value, events)| format!("{} {events}", value.unwrap_or("none")));
    let mut listed = listed.collect::<Vec<_>>().join(", ");
    if let Some(others) = sorted.len().checked_sub(MAX_LISTED).filter(|others| *others > 0) {
        let events: usize = sorted[MAX_LISTED..].iter().map(|(_, events)| events).sum();
        listed += &format!(", {others} others {events}");
    }
    listed
}

#[expect(clippy::cast_precision_loss, reason = "item counts are far below the 2^53 that a float holds exactly")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
