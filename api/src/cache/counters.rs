//! Metrics of the cache: responses by tier and resource, stale responses, fetches and coalesced requests.

use metrics::{Counter, counter};

use super::{CacheResponse, CachedResource, Freshness};

/// CacheCounters, looked up once.
#[derive(Debug)]
pub(super) struct CacheCounters {
    /// By resource.
    resources: [ResourceCounters; CachedResource::NAMES.len()],
    from_redis: Counter,
    from_database: Counter,
    coalesced: Counter,
}

#[derive(Debug)]
struct ResourceCounters {
    /// By tier.
    responses: [Counter; 3],
    revalidating: Counter,
    database_unavailable: Counter,
}

impl ResourceCounters {
    fn new(resource: &'static str) -> Self {
        let tiers = ["process", "redis", "database"];
        let stale =
            |reason: &'static str| counter!("marquee_cache_stale_responses_total", "reason" => reason, "resource" => resource);
        Self {
            responses: tiers.map(|tier| counter!("marquee_cache_responses_total", "tier" => tier, "resource" => resource)),
            revalidating: stale("revalidating"),
            database_unavailable: stale("database_unavailable"),
        }
    }
}

impl CacheCounters {
    /// Looks up the counters; the recorder of the process must be installed.
    pub(super) fn new() -> Self {
        Self {
            resources: CachedResource::NAMES.map(ResourceCounters::new),
            from_redis: counter!("marquee_cache_fetches_total", "source" => "redis"),
            from_database: counter!("marquee_cache_fetches_total", "source" => "database"),
            coalesced: counter!("marquee_cache_coalesced_total"),
        }
    }

    pub(super) fn count_response(&self, resource: CachedResource, response: &CacheResponse) {
        let counters = &self.resources[resource as usize];
        counters.responses[response.tier as usize].increment(1);
        match response.freshness {
            Freshness::Fresh => (),
            Freshness::Revalidating(_) | Freshness::Outdated(_) => counters.revalidating.increment(1),
            Freshness::DatabaseUnavailable(_) => counters.database_unavailable.increment(1),
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
