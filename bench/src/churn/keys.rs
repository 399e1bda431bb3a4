//! The requests: searches of days and concerts near venues, with a Zipf distribution over all of them.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use provider_sim::SimCatalogue;

use super::site;
use crate::{feed::split_mix, settings::ChurnSettings};

/// The exponent of the distribution.
const EXPONENT: f64 = 1.0;
/// The days with events: of [`SimCatalogue::anchor`], before it and after it.
const DAYS_BEFORE: u64 = 60;
const DAYS: u64 = 361;
/// The lengths of ranges in days.
const LENGTHS: [u64; 6] = [1, 2, 3, 7, 14, 30];
/// The sizes of pages of searches, 20 on average as those of concerts.
const SEARCH_ROWS: [u64; 3] = [10, 20, 30];
const CONCERT_ROWS: u64 = 20;
/// Distances in km. Each provider has its own venues, so 200 providers have about 60 venues within a kilometre in a city.
const RADII: [f64; 2] = [0.5, 1.0];
/// Places to search near.
const PLACES: usize = 100;

/// The requests of a load.
#[derive(Debug)]
pub(super) struct RequestMix {
    /// All distinct paths.
    pub(super) keys: Vec<String>,
    /// The requests in their order, by kind.
    pub(super) searches: Vec<String>,
    pub(super) concerts: Vec<String>,
}

impl RequestMix {
    /// This many requests. The same settings have the same requests.
    pub(super) fn generate(settings: &ChurnSettings, requests: usize) -> Self {
        let keys = select_keys(&site::catalogue(settings, 0), settings.keys as usize);
        let distribution = ZipfDistribution::new(keys.len());
        let drawn = (0..requests as u64).map(|number| distribution.draw(number));
        let (searches, concerts): (Vec<usize>, Vec<usize>) = drawn.partition(|rank| is_search(*rank));
        let paths = |ranks: Vec<usize>| ranks.into_iter().map(|rank| keys[rank].clone()).collect();
        Self { searches: paths(searches), concerts: paths(concerts), keys }
    }

    /// The share of the searches.
    pub(super) fn search_share(&self) -> f64 {
        self.searches.len() as f64 / (self.searches.len() + self.concerts.len()) as f64
    }
}

/// Both kinds alternate by popularity.
fn is_search(rank: usize) -> bool {
    rank.is_multiple_of(2)
}

/// The paths by popularity.
fn select_keys(catalogue: &SimCatalogue, count: usize) -> Vec<String> {
    let (mut searches, mut concerts) = (shuffle(list_searches(catalogue)), shuffle(list_concerts(catalogue)));
    (0..count).filter_map(|rank| if is_search(rank) { searches.next() } else { concerts.next() }).collect()
}

/// All searches of a range of days.
fn list_searches(catalogue: &SimCatalogue) -> Vec<String> {
    let mut paths = Vec::new();
    for range in list_ranges(catalogue) {
        paths.extend(SEARCH_ROWS.map(|rows| format!("/search?{range}&limit={rows}")));
    }
    paths
}

/// All requests for the concerts near a place in a range of days.
fn list_concerts(catalogue: &SimCatalogue) -> Vec<String> {
    let venues = catalogue.base_events(0).flat_map(|base_event| base_event.events).map(|event| event.venue);
    let places: BTreeMap<u32, _> = venues.map(|venue| (venue.id, (venue.latitude, venue.longitude))).collect();
    let mut paths = Vec::new();
    for range in list_ranges(catalogue) {
        for (latitude, longitude) in places.values().take(PLACES) {
            paths.extend(RADII.map(|radius| {
                format!("/concerts?latitude={latitude}&longitude={longitude}&radius={radius}&{range}&limit={CONCERT_ROWS}")
            }));
        }
    }
    paths
}

/// The parameters of all ranges of days of the catalogue.
fn list_ranges(catalogue: &SimCatalogue) -> Vec<String> {
    let first = catalogue.anchor - Days::new(DAYS_BEFORE);
    let range = |start: NaiveDate, length: u64| format!("starts_at={start}&ends_at={}", start + Days::new(length - 1));
    (0..DAYS).flat_map(|day| LENGTHS.map(|length| range(first + Days::new(day), length))).collect()
}

fn shuffle(paths: Vec<String>) -> impl Iterator<Item = String> {
    let shuffled: BTreeMap<u64, String> = (0..).map(split_mix).zip(paths).collect();
    shuffled.into_values()
}

/// The key of rank n is requested in proportion to 1 / n.
#[derive(Debug)]
struct ZipfDistribution {
    /// The weights of a rank and of all before it.
    cumulative: Vec<f64>,
}

impl ZipfDistribution {
    fn new(ranks: usize) -> Self {
        let weights = (1..=ranks).map(|rank| (rank as f64).powf(-EXPONENT));
        let cumulative = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { cumulative: cumulative.collect() }
    }

    /// The rank, from 0, of a request.
    fn draw(&self, request: u64) -> usize {
        let total = self.cumulative.last().copied().unwrap_or_default();
        let drawn = split_mix(request) as f64 / u64::MAX as f64 * total;
        self.cumulative.partition_point(|sum| *sum < drawn).min(self.cumulative.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_distinct() {
        let keys = select_keys(&SimCatalogue::default(), 12_000);
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 12_000);
    }

    #[test]
    fn the_first_key_is_drawn_twice_as_often_as_the_second() {
        let distribution = ZipfDistribution::new(10_000);
        let mut counts = vec![0_u32; 10_000];
        (0..100_000).for_each(|request| counts[distribution.draw(request)] += 1);
        // The sum of 1 / n for 10,000 keys is 9.79.
        assert!((9_900..10_500).contains(&counts[0]), "{}", counts[0]);
        assert!((4_900..5_300).contains(&counts[1]), "{}", counts[1]);
        assert!(counts.iter().filter(|count| **count > 0).count() > 6_000);
    }
}
