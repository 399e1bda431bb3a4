//! The results of a load, as its process reports them.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::tally::{ResponseKind, ResponseTier};

/// The resolution of the time series, for limits in seconds.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// The results of a load.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LoadReport {
    /// Microseconds since 1970.
    pub(crate) started_at_micros: u64,
    /// The duration until the last response.
    pub(crate) seconds: f64,
    /// All responses.
    pub(crate) all: Latency,
    /// Responses with status 200.
    pub(crate) good: Latency,
    /// Responses with status 503.
    pub(crate) refused: Latency,
    pub(crate) connection_errors: BTreeMap<String, u64>,
    pub(crate) groups: Vec<Group>,
    /// The time series of responses.
    pub(crate) intervals: Vec<Interval>,
}

/// Responses of one kind.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) kind: ResponseKind,
    pub(crate) count: u64,
}

/// The responses in one [`INTERVAL`].
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Interval {
    /// Status 200.
    pub(crate) good: u64,
    /// Other responses.
    pub(crate) others: u64,
    pub(crate) errors: u64,
    /// Responses in `good` from Redis.
    pub(crate) from_redis: u64,
    /// Responses in `good` with a `Warning`.
    pub(crate) warned: u64,
}

/// Latencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) half_micros: u32,
    /// The 99th percentile.
    pub(crate) p99_micros: u32,
    pub(crate) most_micros: u32,
}

impl Interval {
    pub(super) fn record(&mut self, kind: ResponseKind) {
        if kind.status != 200 {
            self.others += 1;
            return;
        }
        self.good += 1;
        self.from_redis += u64::from(kind.source == ResponseTier::Redis);
        self.warned += u64::from(kind.is_warned);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.good += other.good;
        self.others += other.others;
        self.errors += other.errors;
        self.from_redis += other.from_redis;
        self.warned += other.warned;
    }
}

impl Latency {
    pub(super) fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        // The least value that this share of the values does not exceed.
        let at = |share: f64| micros.get(((micros.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied().unwrap_or(0);
        Self { count: micros.len() as u64, half_micros: at(0.5), p99_micros: at(0.99), most_micros: at(1.0) }
    }

    pub(crate) fn p50(&self) -> Duration {
        Duration::from_micros(self.half_micros.into())
    }

    pub(crate) fn p99(&self) -> Duration {
        Duration::from_micros(self.p99_micros.into())
    }

    pub(crate) fn text(&self) -> String {
        let [half, p99, most] = [self.half_micros, self.p99_micros, self.most_micros].map(|micros| f64::from(micros) / 1000.0);
        format!("p50 {half:.2} ms, p99 {p99:.2} ms, max {most:.1} ms, n={}", self.count)
    }
}

impl LoadReport {
    /// Responses 200 per second.
    pub(crate) fn good_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.good.count as f64 / self.seconds } else { 0.0 }
    }

    /// Responses 200 per second between two seconds of the load.
    pub(crate) fn good_per_second_between(&self, from: f64, until: f64) -> f64 {
        let [from, until] = [from, until].map(|seconds| (seconds / INTERVAL.as_secs_f64()).round() as usize);
        let count = until.saturating_sub(from);
        let good: u64 = self.intervals.iter().skip(from).take(count).map(|interval| interval.good).sum();
        good as f64 / (count as f64 * INTERVAL.as_secs_f64()).max(f64::EPSILON)
    }

    /// Requests without a response 200.
    pub(crate) fn errors(&self) -> u64 {
        self.all.count - self.good.count + self.connection_errors.values().sum::<u64>()
    }

    /// The number of matching responses.
    pub(crate) fn count(&self, matches: impl Fn(&ResponseKind) -> bool) -> u64 {
        self.groups.iter().filter(|group| matches(&group.kind)).map(|group| group.count).sum()
    }

    /// The share of the responses 200 from a tier.
    pub(crate) fn share_from(&self, source: ResponseTier) -> f64 {
        self.count(|kind| kind.status == 200 && kind.source == source) as f64 / (self.good.count as f64).max(1.0)
    }

    /// Counts of statuses, tiers and errors, as text.
    pub(crate) fn counts(&self) -> String {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for Group { kind, count } in &self.groups {
            let warned = if kind.is_warned { " warned" } else { "" };
            *counts.entry(format!("{} {:?}{warned}", kind.status, kind.source)).or_default() += count;
        }
        counts.extend(self.connection_errors.clone());
        counts.iter().map(|(kind, count)| format!("{kind}: {count}")).collect::<Vec<_>>().join(", ")
    }

    /// The intervals between two moments, with their time since the first moment.
    pub(crate) fn between(&self, from: ClockMoment, until: ClockMoment) -> impl Iterator<Item = (Duration, &Interval)> {
        let step = INTERVAL.as_micros() as u64;
        self.intervals.iter().enumerate().filter_map(move |(number, interval)| {
            let at = self.started_at_micros + number as u64 * step;
            (at >= from.0 && at + step <= until.0).then(|| (Duration::from_micros(at - from.0), interval))
        })
    }

    /// The time after `from` since which all intervals until `until` match. Empty intervals are ignored.
    pub(crate) fn stable_after(
        &self,
        from: ClockMoment,
        until: ClockMoment,
        matches: impl Fn(&Interval) -> bool,
    ) -> Option<Duration> {
        let mut settled = None;
        for (at, interval) in self.between(from, until) {
            if interval.good + interval.others + interval.errors == 0 {
                continue;
            }
            settled = if matches(interval) { settled.or(Some(at + INTERVAL)) } else { None };
        }
        settled
    }
}

/// A moment of the system clock in microseconds since 1970, which two processes can compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClockMoment(u64);

impl ClockMoment {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// Later than any other.
    pub(crate) const LAST: Self = Self(u64::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_least_value_that_the_share_does_not_exceed() {
        let latency = Latency::of((1..=200).rev().collect());
        assert_eq!(latency, Latency { count: 200, half_micros: 100, p99_micros: 198, most_micros: 200 });
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }

    #[test]
    fn stable_means_until_the_end() {
        let interval = |good, others| Interval { good, others, ..Interval::default() };
        let intervals =
            vec![interval(1, 0), interval(0, 1), interval(1, 0), interval(1, 1), interval(0, 0), interval(1, 0), interval(2, 0)];
        let report = LoadReport { started_at_micros: 1_000_000, intervals, ..LoadReport::default() };
        let settled = report.stable_after(ClockMoment(1_000_000), ClockMoment::LAST, |interval| interval.others == 0);
        assert_eq!(settled, Some(Duration::from_millis(600)));
        assert_eq!(report.stable_after(ClockMoment(1_000_000), ClockMoment(1_400_000), |interval| interval.others == 0), None);
    }
}
