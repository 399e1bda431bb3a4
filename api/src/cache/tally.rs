//! How often each tier answered, for the metrics.

use metrics::{Counter, counter};

use super::{Served, Standing};

/// Counters, looked up once.
#[derive(Debug)]
pub(super) struct Tally {
    answers: [Counter; 3],
    revalidating: Counter,
    database_away: Counter,
    from_redis: Counter,
    from_database: Counter,
    collapsed: Counter,
}

impl Tally {
    /// To be made once the recorder of the process is there.
    pub(super) fn new() -> Self {
        let tiers = ["process", "redis", "database"];
        let stale = |reason: &'static str| counter!("marquee_cache_stale_answers_total", "reason" => reason);
        Self {
            answers: tiers.map(|tier| counter!("marquee_cache_answers_total", "tier" => tier)),
            revalidating: stale("revalidating"),
            database_away: stale("database_away"),
            from_redis: counter!("marquee_cache_flights_total", "source" => "redis"),
            from_database: counter!("marquee_cache_flights_total", "source" => "database"),
            collapsed: counter!("marquee_cache_collapsed_total"),
        }
    }

    /// Counts an answer that is given.
    pub(super) fn answered(&self, served: &Served) {
        self.answers[served.source as usize].increment(1);
        match served.standing {
            Standing::Fresh => (),
            Standing::Revalidating(_) | Standing::Outdated(_) => self.revalidating.increment(1),
            Standing::DatabaseAway(_) => self.database_away.increment(1),
        }
        if served.is_collapsed {
            self.collapsed.increment(1);
        }
    }

    /// Counts a flight that found its answer in Redis.
    pub(super) fn landed_from_redis(&self) {
        self.from_redis.increment(1);
    }

    /// Counts a flight that asked the database.
    pub(super) fn landed_from_database(&self) {
        self.from_database.increment(1);
    }
}
