//! What was measured with one build, and the numbers of the table.

use crate::{
    load::{LoadReport, ResponseTier},
    samples::Samples,
};

/// The routes of the requests.
pub(super) const ROUTES: [&str; 2] = ["/search", "/concerts"];
/// The tiers of the cache.
pub(super) const TIERS: [(&str, ResponseTier); 3] =
    [("the process", ResponseTier::Process), ("Redis", ResponseTier::Redis), ("the database", ResponseTier::Database)];

/// The results of one build.
#[derive(Debug)]
pub(super) struct ChurnOutcome {
    /// In the order of [`ROUTES`].
    pub(super) loads: [LoadReport; 2],
    /// Fetches of the APIs from the database.
    pub(super) database_fetches: u64,
    /// Versions of the catalogue.
    pub(super) versions: u64,
    pub(super) syncs: SyncTotals,
}

/// The syncs during the measurement.
#[derive(Debug, Default)]
pub(super) struct SyncTotals {
    /// From their start to their end in the ledger.
    pub(super) durations: Samples,
    /// Events in the feeds.
    pub(super) events: i64,
    /// Events that were new, changed or removed.
    pub(super) changed: i64,
}

/// The share of the responses that are marked as stale.
pub(super) fn stale_share(loads: &[LoadReport]) -> f64 {
    let stale: u64 = loads.iter().map(|load| load.count(|kind| kind.is_warned)).sum();
    stale as f64 / count_responses(loads)
}

/// At least 1, because it is a divisor.
fn count_responses(loads: &[LoadReport]) -> f64 {
    loads.iter().map(|load| load.all.count).sum::<u64>().max(1) as f64
}

impl SyncTotals {
    /// The share of the events that a sync changes. Each provider is synced once a minute.
    pub(super) fn changed_share(&self) -> f64 {
        self.changed as f64 / (self.events as f64).max(1.0)
    }
}

impl ChurnOutcome {
    pub(super) fn reads_per_request(&self) -> f64 {
        self.database_fetches as f64 / count_responses(&self.loads)
    }

    pub(super) fn share_from(&self, tier: ResponseTier) -> f64 {
        let count: u64 = self.loads.iter().map(|load| load.count(|kind| kind.source == tier)).sum();
        count as f64 / count_responses(&self.loads)
    }

    /// In seconds.
    pub(super) fn max_age(&self) -> f64 {
        let groups = self.loads.iter().flat_map(|load| &load.groups);
        groups.filter(|group| group.kind.is_warned).map(|group| group.kind.age_seconds).max().unwrap_or_default().into()
    }

    pub(super) fn errors(&self) -> f64 {
        self.loads.iter().map(LoadReport::errors).sum::<u64>() as f64
    }

    pub(super) fn versions_per_second(&self) -> f64 {
        self.versions as f64 / self.loads[0].seconds.max(f64::EPSILON)
    }
}
