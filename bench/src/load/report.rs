//! What a load has to tell, as it is handed from its process to ours.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::tally::{Kind, Source};

/// The step of the course of a load: fine enough for limits in seconds.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// A load that has ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Microseconds since 1970.
    pub(crate) started_at_micros: u64,
    /// How long it took, to the last answer.
    pub(crate) seconds: f64,
    /// Of all answers.
    pub(crate) all: Latency,
    /// Of those with status 200.
    pub(crate) good: Latency,
    /// Of those with status 503.
    pub(crate) refused: Latency,
    pub(crate) faults: BTreeMap<String, u64>,
    pub(crate) groups: Vec<Group>,
    /// Its course, by when answers came.
    pub(crate) intervals: Vec<Interval>,
}

/// Answers of one kind.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) kind: Kind,
    pub(crate) count: u64,
}

/// What came in one [`INTERVAL`].
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Interval {
    /// Status 200.
    pub(crate) good: u64,
    /// Other answers.
    pub(crate) others: u64,
    pub(crate) faults: u64,
    /// Those of `good` that came from Redis.
    pub(crate) from_redis: u64,
    /// Those of `good` that carry a `Warning`.
    pub(crate) warned: u64,
}

/// How long answers took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) half_micros: u32,
    /// What 99 of 100 did not exceed.
    pub(crate) p99_micros: u32,
    pub(crate) most_micros: u32,
}

impl Interval {
    pub(super) fn enter(&mut self, kind: Kind) {
        if kind.status != 200 {
            self.others += 1;
            return;
        }
        self.good += 1;
        self.from_redis += u64::from(kind.source == Source::Redis);
        self.warned += u64::from(kind.is_warned);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.good += other.good;
        self.others += other.others;
        self.faults += other.faults;
        self.from_redis += other.from_redis;
        self.warned += other.warned;
    }
}

impl Latency {
    pub(super) fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        // The least value that this share of them does not exceed.
        let at = |share: f64| micros.get(((micros.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied().unwrap_or(0);
        Self { count: micros.len() as u64, half_micros: at(0.5), p99_micros: at(0.99), most_micros: at(1.0) }
    }

    pub(crate) fn half(&self) -> Duration {
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

impl Report {
    /// Answers 200 a second while the load was on.
    pub(crate) fn good_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.good.count as f64 / self.seconds } else { 0.0 }
    }

    /// Answers 200 a second from one second of the load to another.
    pub(crate) fn good_per_second_between(&self, from: f64, until: f64) -> f64 {
        let [from, until] = [from, until].map(|seconds| (seconds / INTERVAL.as_secs_f64()).round() as usize);
        let count = until.saturating_sub(from);
        let good: u64 = self.intervals.iter().skip(from).take(count).map(|interval| interval.good).sum();
        good as f64 / (count as f64 * INTERVAL.as_secs_f64()).max(f64::EPSILON)
    }

    /// Requests that did not end with 200.
    pub(crate) fn errors(&self) -> u64 {
        self.all.count - self.good.count + self.faults.values().sum::<u64>()
    }

    /// How many answers are of this kind.
    pub(crate) fn count(&self, wanted: impl Fn(&Kind) -> bool) -> u64 {
        self.groups.iter().filter(|group| wanted(&group.kind)).map(|group| group.count).sum()
    }

    /// The share of the answers 200 that came from there.
    pub(crate) fn share_from(&self, source: Source) -> f64 {
        self.count(|kind| kind.status == 200 && kind.source == source) as f64 / (self.good.count as f64).max(1.0)
    }

    /// Statuses, sources and faults with their counts, in words.
    pub(crate) fn counts(&self) -> String {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for Group { kind, count } in &self.groups {
            let warned = if kind.is_warned { " warned" } else { "" };
            *counts.entry(format!("{} {:?}{warned}", kind.status, kind.source)).or_default() += count;
        }
        counts.extend(self.faults.clone());
        counts.iter().map(|(kind, count)| format!("{kind}: {count}")).collect::<Vec<_>>().join(", ")
    }

    /// The intervals that lie wholly between two moments, each with its time since the first of them.
    pub(crate) fn between(&self, from: Moment, until: Moment) -> impl Iterator<Item = (Duration, &Interval)> {
        let step = INTERVAL.as_micros() as u64;
        self.intervals.iter().enumerate().filter_map(move |(number, interval)| {
            let at = self.started_at_micros + number as u64 * step;
            (at >= from.0 && at + step <= until.0).then(|| (Duration::from_micros(at - from.0), interval))
        })
    }

    /// From a moment until everything was as wanted, and stayed so until another one; intervals in which nothing came say nothing.
    pub(crate) fn settled_after(&self, from: Moment, until: Moment, is_wanted: impl Fn(&Interval) -> bool) -> Option<Duration> {
        let mut settled = None;
        for (at, interval) in self.between(from, until) {
            if interval.good + interval.others + interval.faults == 0 {
                continue;
            }
            settled = if is_wanted(interval) { settled.or(Some(at + INTERVAL)) } else { None };
        }
        settled
    }
}

/// A moment of this machine's clock, in microseconds since 1970: the one thing that two processes can compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// Later than any.
    pub(crate) const LAST: Self = Self(u64::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_least_value_that_so_many_do_not_exceed() {
        let latency = Latency::of((1..=200).rev().collect());
        assert_eq!(latency, Latency { count: 200, half_micros: 100, p99_micros: 198, most_micros: 200 });
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }

    #[test]
    fn settled_means_from_then_on() {
        let interval = |good, others| Interval { good, others, ..Interval::default() };
        let intervals =
            vec![interval(1, 0), interval(0, 1), interval(1, 0), interval(1, 1), interval(0, 0), interval(1, 0), interval(2, 0)];
        let report = Report { started_at_micros: 1_000_000, intervals, ..Report::default() };
        let settled = report.settled_after(Moment(1_000_000), Moment::LAST, |interval| interval.others == 0);
        assert_eq!(settled, Some(Duration::from_millis(600)));
        assert_eq!(report.settled_after(Moment(1_000_000), Moment(1_400_000), |interval| interval.others == 0), None);
    }
}
