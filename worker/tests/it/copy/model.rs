//! Any sequence of feeds compared with a simple model: rows, visibility, removals, counts and versions.

use std::collections::{BTreeMap, BTreeSet};

use migration::testing::{Backend, TestDatabase};
use proptest::{prelude::*, test_runner::TestRunner};
use worker::sync::Counts;

use super::Copying;
use crate::feeds;

/// An element of a base event in a feed.
#[derive(Clone, Debug)]
struct BaseElement {
    /// `None` is an element without an id.
    id: Option<u8>,
    has_title: bool,
    title: u8,
    is_online: bool,
    events: Vec<EventElement>,
}

#[derive(Clone, Debug)]
struct EventElement {
    id: Option<u8>,
    is_valid: bool,
    prices: Vec<u8>,
}

/// An event that is expected in the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ExpectedEvent {
    prices: Vec<u8>,
    /// The title and sell mode of its base event when it was last accepted.
    base_event: (u8, bool),
    has_left: bool,
    came_back: bool,
}

#[derive(Clone, Debug, Default)]
struct ExpectedBaseEvent {
    title: u8,
    is_online: bool,
    was_ever_online: bool,
    events: BTreeMap<u8, ExpectedEvent>,
}

#[derive(Clone, Debug, Default)]
struct ExpectedCopy {
    base_events: BTreeMap<u8, ExpectedBaseEvent>,
    /// Base events without an id in the previous feed.
    unidentified: usize,
}

impl ExpectedCopy {
    fn apply(&mut self, feed: &[BaseElement]) -> Counts {
        let mut counts = Counts::default();
        let is_valid = |element: &&BaseElement| element.id.is_some() && element.has_title;
        counts.rejected += feed.iter().filter(|element| !is_valid(element)).count();
        let named: BTreeSet<u8> = feed.iter().filter_map(|element| element.id).collect();
        for &id in &named {
            let (valid, invalid): (Vec<_>, Vec<_>) = feed.iter().filter(|element| element.id == Some(id)).partition(is_valid);
            if let Some(last) = valid.last() {
                let base_event = self.base_events.entry(id).or_default();
                base_event.title = last.title;
                base_event.is_online = valid.iter().any(|element| element.is_online);
                base_event.was_ever_online |= base_event.is_online;
                let elements: Vec<&EventElement> = valid.iter().flat_map(|element| &element.events).collect();
                base_event.apply(&elements, !invalid.is_empty(), &mut counts);
            }
        }
        let unidentified = feed.iter().filter(|element| element.id.is_none()).count();
        let are_known = unidentified <= std::mem::replace(&mut self.unidentified, unidentified);
        for (_, base_event) in self.base_events.iter_mut().filter(|(id, _)| are_known && !named.contains(id)) {
            base_event.remove_missing(|_| true, &mut counts);
        }
        counts
    }

    /// The lines that a reader can see.
    fn visible(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains("shown")).collect()
    }

    /// In the form of [`Tables::lines`](super::Tables::lines).
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (id, base_event) in &self.base_events {
            for (event_id, event) in &base_event.events {
                lines.push(base_event.line(*id, *event_id, event));
            }
        }
        lines.sort();
        lines
    }
}

impl ExpectedBaseEvent {
    fn apply(&mut self, elements: &[&EventElement], some_are_missing: bool, counts: &mut Counts) {
        let mut valid: BTreeMap<u8, &EventElement> = BTreeMap::new();
        for element in elements {
            match element.id {
                Some(id) if element.is_valid => counts.warned += usize::from(valid.insert(id, element).is_some()),
                _ => counts.rejected += 1,
            }
        }
        counts.fetched += valid.len();
        for (&id, element) in &valid {
            let base_event = (self.title, self.is_online);
            let mut event = ExpectedEvent { prices: element.prices.clone(), base_event, has_left: false, came_back: false };
            match self.events.get(&id) {
                None => counts.inserted += 1,
                Some(copied) => {
                    event.came_back = copied.came_back || copied.has_left;
                    if event == *copied {
                        counts.unchanged += 1;
                    } else {
                        counts.updated += 1;
                    }
                }
            }
            self.events.insert(id, event);
        }
        // Rejected events are shown with the current base event too.
        let base_event = (self.title, self.is_online);
        self.events.values_mut().for_each(|event| event.base_event = base_event);
        let all_have_ids = elements.iter().all(|element| element.id.is_some());
        let named: BTreeSet<u8> = elements.iter().filter_map(|element| element.id).collect();
        self.remove_missing(|id| all_have_ids && !some_are_missing && !named.contains(&id), counts);
    }

    fn remove_missing(&mut self, is_missing: impl Fn(u8) -> bool, counts: &mut Counts) {
        for (_, event) in self.events.iter_mut().filter(|(id, event)| !event.has_left && is_missing(**id)) {
            event.has_left = true;
            counts.left += 1;
        }
    }

    fn line(&self, id: u8, event_id: u8, event: &ExpectedEvent) -> String {
        let zones: Vec<String> =
            (1..).zip(&event.prices).map(|(zone, price)| format!("9x{zone}@{}", i32::from(*price) * 100)).collect();
        let price = |price: Option<&u8>| price.map_or(-1, |price| i32::from(*price) * 100);
        let states = [(self.was_ever_online, "shown"), (event.has_left, "left"), (event.came_back, "came back")];
        let states: Vec<&str> = states.into_iter().filter_map(|(is_set, word)| is_set.then_some(word)).collect();
        format!(
            "{id}/{event_id} Title {} ({}): 2031-07-01T20:00:00 to 2031-07-01T22:00:00, {} from {} to {}: {}",
            self.title,
            if self.is_online { "online" } else { "offline" },
            zones.join(" "),
            price(event.prices.iter().min()),
            price(event.prices.iter().max()),
            states.join(", "),
        )
    }
}

fn document(feed: &[BaseElement]) -> String {
    let id_text = |id: Option<u8>| id.map(|id| id.to_string()).unwrap_or_default();
    let event = |event: &EventElement| {
        let prices: Vec<String> = event.prices.iter().map(u8::to_string).collect();
        let prices: Vec<&str> = prices.iter().map(String::as_str).collect();
        let id = id_text(event.id);
        if event.is_valid { feeds::event(&id, &prices) } else { feeds::invalid_event(&id) }
    };
    let base_event = |element: &BaseElement| {
        let title = if element.has_title { format!("Title {}", element.title) } else { String::new() };
        let events: Vec<String> = element.events.iter().map(event).collect();
        feeds::base_event(&id_text(element.id), if element.is_online { "online" } else { "offline" }, &title, &events)
    };
    feeds::feed(&feed.iter().map(base_event).collect::<Vec<_>>())
}

/// How a feed differs from the one before. Indices wrap around.
#[derive(Clone, Debug)]
enum Change {
    Add(BaseElement),
    Replace(usize, BaseElement),
    Remove(usize),
    Retitle(usize, u8),
    Switch(usize),
    Spoil(usize),
    Empty(usize),
}

impl Change {
    fn apply(&self, feed: &mut Vec<BaseElement>) {
        let count = feed.len().max(1);
        match self {
            Self::Add(element) => feed.push(element.clone()),
            Self::Remove(at) if !feed.is_empty() => {
                feed.remove(at % count);
            }
            Self::Remove(_) => {}
            Self::Replace(at, _) | Self::Retitle(at, _) | Self::Switch(at) | Self::Spoil(at) | Self::Empty(at) => {
                if let Some(changed) = feed.get_mut(at % count) {
                    self.apply_to(changed);
                }
            }
        }
    }

    fn apply_to(&self, element: &mut BaseElement) {
        match self {
            Self::Replace(_, other) => *element = other.clone(),
            Self::Retitle(_, title) => element.title = *title,
            Self::Switch(_) => element.is_online = !element.is_online,
            Self::Spoil(_) => element.events.iter_mut().for_each(|event| event.is_valid = false),
            Self::Empty(_) => element.events.clear(),
            Self::Add(_) | Self::Remove(_) => {}
        }
    }
}

fn any_element() -> impl Strategy<Value = BaseElement> {
    // Few ids, so that items recur, and some invalid ones.
    let id = || prop::option::weighted(0.97, 1..4_u8);
    let prices = prop::collection::vec(1..4_u8, 0..3);
    let event =
        (id(), prop::bool::weighted(0.9), prices).prop_map(|(id, is_valid, prices)| EventElement { id, is_valid, prices });
    let events = prop::collection::vec(event, 0..4);
    (id(), prop::bool::weighted(0.95), 1..3_u8, prop::bool::ANY, events)
        .prop_map(|(id, has_title, title, is_online, events)| BaseElement { id, has_title, title, is_online, events })
}

/// Feeds that differ from the previous one by a change or two.
fn any_feeds() -> impl Strategy<Value = Vec<Vec<BaseElement>>> {
    let at = 0..8_usize;
    let change = prop_oneof![
        3 => any_element().prop_map(Change::Add),
        2 => (at.clone(), any_element()).prop_map(|(at, element)| Change::Replace(at, element)),
        1 => at.clone().prop_map(Change::Remove),
        1 => (at.clone(), 1..3_u8).prop_map(|(at, title)| Change::Retitle(at, title)),
        1 => at.clone().prop_map(Change::Switch),
        1 => at.clone().prop_map(Change::Spoil),
        1 => at.prop_map(Change::Empty),
    ];
    prop::collection::vec(prop::collection::vec(change, 1..3), 1..16).prop_map(|steps| {
        let mut feed = Vec::new();
        let after = |changes: Vec<Change>| {
            changes.iter().for_each(|change| change.apply(&mut feed));
            feed.clone()
        };
        steps.into_iter().map(after).collect()
    })
}

async fn assert_equal(feeds: &[Vec<BaseElement>]) -> Result<(), TestCaseError> {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let copying = Copying::with(&database, "max_rejects_share = 1.0\nmax_shrink_share = 1.0\nmax_price_jump_share = 1.0").await;
    let mut model = ExpectedCopy::default();
    for (position, feed) in feeds.iter().enumerate() {
        let (before, version) = (model.clone(), copying.version().await);
        let counts = model.apply(feed);
        // A unique comment, so that no document is recognized by its bytes.
        let outcome = copying.sync(format!("{}<!-- {position} -->", document(feed))).await;
        if counts.fetched == 0 && counts.rejected > 0 {
            prop_assert_eq!(outcome.unwrap_err().code(), "all_rejected", "feed {}", position);
            model = before.clone();
        } else {
            prop_assert_eq!(outcome.unwrap().counts, counts, "feed {}", position);
        }
        prop_assert_eq!(copying.tables().await.lines(), model.lines(), "feed {}", position);
        let increment = copying.version().await - version;
        prop_assert_eq!(increment, i64::from(before.visible() != model.visible()), "the version, after feed {}", position);
    }
    copying.database.close().await.unwrap();
    Ok(())
}

#[test]
fn any_sequence_of_feeds_matches_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() });
    let outcome = runner.run(&any_feeds(), |feeds| runtime.block_on(assert_equal(&feeds)));
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
