//! How often ticket links were followed, for the events with the most.
//!
//! An event cannot be a label of a metric, because there are millions. This is the algorithm
//! [Space-Saving](https://doi.org/10.1007/978-3-540-30570-5_27): a new event replaces the least followed one, and the number of that is
//! the error of the new one. Every event with more than a thousandth of all followed links is counted.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sea_orm::prelude::Uuid;

/// Events that are counted: less than 100 KiB, and a search for the least followed one takes microseconds.
const MAX_EVENTS: usize = 1_000;

/// The numbers of this process since its start.
#[derive(Debug, Default)]
pub struct FollowedLinks(Mutex<HashMap<Uuid, FollowedCount>>);

/// How often the link of an event was followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FollowedCount {
    pub(crate) at_least: u64,
    pub(crate) at_most: u64,
}

impl FollowedLinks {
    /// Counts a link.
    pub(crate) fn count(&self, event_id: Uuid) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unknown = 0;
        if counts.len() >= MAX_EVENTS && !counts.contains_key(&event_id) {
            let least = counts.iter().min_by_key(|(_, count)| count.at_most).map(|(id, count)| (*id, count.at_most));
            if let Some((id, at_most)) = least {
                counts.remove(&id);
                unknown = at_most;
            }
        }
        let count = counts.entry(event_id).or_insert(FollowedCount { at_least: 0, at_most: unknown });
        count.at_least += 1;
        count.at_most += 1;
    }

    /// The events with the most followed links, the most first.
    pub(crate) fn most_followed(&self, limit: usize) -> Vec<(Uuid, FollowedCount)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<_> = counts.iter().map(|(id, count)| (*id, *count)).collect();
        counts.sort_unstable_by_key(|(id, count)| (Reverse(count.at_most), *id));
        counts.truncate(limit);
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_events_are_counted_among_many_others() {
        let links = FollowedLinks::default();
        let frequent = Uuid::from_u128(1);
        for number in 0..100 * MAX_EVENTS as u128 {
            links.count(Uuid::from_u128(number + 2));
            if number % 50 == 0 {
                links.count(frequent);
            }
        }
        let followed = 100 * MAX_EVENTS as u64 / 50;
        let most = links.most_followed(3);
        assert_eq!((most.len(), most[0].0), (3, frequent));
        assert!((most[0].1.at_least..=most[0].1.at_most).contains(&followed), "{most:?}");
        assert_eq!(links.most_followed(usize::MAX).len(), MAX_EVENTS);
    }

    #[test]
    fn numbers_are_exact_until_events_are_replaced() {
        let links = FollowedLinks::default();
        for number in [1, 2, 1, 3] {
            links.count(Uuid::from_u128(number));
        }
        let exact = |number, times| (Uuid::from_u128(number), FollowedCount { at_least: times, at_most: times });
        assert_eq!(links.most_followed(2), [exact(1, 2), exact(2, 1)]);
    }
}
