//! Metrics of the cache: responses by tier, stale responses, fetches and coalesced requests.

use metrics::{Counter, counter};

use super::{CacheResponse, Freshness};

/// CacheCounters, looked up once.
#[derive(Debug)]
pub(super) struct CacheCounters {
    responses: [Counter; 3],
    revalidating: Counter,
    database_unavailable: Counter,
    from_redis: Counter,
    from_database: Counter,
    coalesced: Counter,
}

impl CacheCounters {
    /// Looks up the counters; the recorder of the process must be installed.
    pub(super) fn new() -> Self {
        let tiers = ["process", "redis", "database"];
        let stale = |reason: &'static str| counter!("marquee_cache_stale_responses_total", "reason" => reason);
        Self {
            responses: tiers.map(|tier| counter!("marquee_cache_responses_total", "tier" => tier)),
            revalidating: stale("revalidating"),
            database_unavailable: stale("database_unavailable"),
            from_redis: counter!("marquee_cache_fetches_total", "source" => "redis"),
            from_database: counter!("marquee_cache_fetches_total", "source" => "database"),
            coalesced: counter!("marquee_cache_coalesced_total"),
        }
    }

    pub(super) fn count_response(&self, response: &CacheResponse) {
        self.responses[response.tier as usize].increment(1);
        match response.freshness {
            Freshness::Fresh => (),
            Freshness::Revalidating(_) | Freshness::Outdated(_) => self.revalidating.increment(1),
            Freshness::DatabaseUnavailable(_) => self.database_unavailable.increment(1),
        }
        if response.is_coalesced {
            self.coalesced.increment(1);
        }
    }

    pub(super) fn count_fetch_from_redis(&self) {
        self.from_redis.increment(1);
    }

    pub(super) fn count_fetch_from_database(&self) {
        self.from_database.increment(1);
    }
}
