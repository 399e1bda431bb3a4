//! Counters of a running load.

use std::time::{Duration, Instant};

use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::{
    connection::ConnectionError,
    report::{Group, INTERVAL, Interval, Latency, LoadReport},
};

/// The tier that a response came from, by `Cache-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ResponseTier {
    /// The cache in the process.
    Process,
    Redis,
    /// Not cached.
    Database,
    /// No `Cache-Status`.
    Unsaid,
}

impl ResponseTier {
    /// Parses the value of `Cache-Status`.
    pub(crate) fn parse(value: &[u8]) -> Self {
        let is_hit = |tier: &[u8]| {
            memmem::find(value, tier).is_some_and(|at| {
                let parameters = &value[at + tier.len()..];
                parameters.strip_prefix(b";").is_some_and(|first| first.trim_ascii_start().starts_with(b"hit"))
            })
        };
        if is_hit(b"marquee-process") {
            Self::Process
        } else if is_hit(b"marquee-redis") {
            Self::Redis
        } else {
            Self::Database
        }
    }
}

/// The counted properties of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResponseKind {
    pub(crate) status: u16,
    pub(crate) source: ResponseTier,
    pub(crate) is_warned: bool,
    pub(crate) has_retry_after: bool,
    /// By `Age`: for how long it may have been outdated.
    pub(crate) age_seconds: u32,
}

/// Counts and times of one or more connections.
#[derive(Debug)]
pub(crate) struct LoadTally {
    begin: Instant,
    /// Searched linearly, because there are few kinds. Times in microseconds.
    groups: Vec<(ResponseKind, Vec<u32>)>,
    errors: Vec<(ConnectionError, u64)>,
    intervals: Vec<Interval>,
}

impl LoadTally {
    pub(crate) fn since(begin: Instant) -> Self {
        Self { begin, groups: Vec::new(), errors: Vec::new(), intervals: Vec::new() }
    }

    /// Records the outcome of a request.
    pub(crate) fn record(&mut self, due: Instant, outcome: Result<ResponseKind, ConnectionError>) {
        let now = Instant::now();
        let at = ((now - self.begin).as_micros() / INTERVAL.as_micros()) as usize;
        if self.intervals.len() <= at {
            self.intervals.resize(at + 1, Interval::default());
        }
        let interval = &mut self.intervals[at];
        match outcome {
            Ok(kind) => {
                interval.record(kind);
                let micros = u32::try_from((now - due).as_micros()).unwrap_or(u32::MAX);
                match self.groups.iter_mut().find(|(other, _)| *other == kind) {
                    Some((_, times)) => times.push(micros),
                    None => self.groups.push((kind, vec![micros])),
                }
            }
            Err(error) => {
                interval.errors += 1;
                self.record_error(error, 1);
            }
        }
    }

    fn record_error(&mut self, error: ConnectionError, count: u64) {
        match self.errors.iter_mut().find(|(other, _)| *other == error) {
            Some((_, counted)) => *counted += count,
            None => self.errors.push((error, count)),
        }
    }

    /// Adds the counters of another connection.
    pub(crate) fn add(&mut self, other: Self) {
        for (kind, mut times) in other.groups {
            match self.groups.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, known)) => known.append(&mut times),
                None => self.groups.push((kind, times)),
            }
        }
        for (error, count) in other.errors {
            self.record_error(error, count);
        }
        if self.intervals.len() < other.intervals.len() {
            self.intervals.resize(other.intervals.len(), Interval::default());
        }
        for (mine, its) in self.intervals.iter_mut().zip(&other.intervals) {
            mine.add(its);
        }
    }

    /// The results of a load that ends now.
    pub(crate) fn report(self, started_at: Duration) -> LoadReport {
        let times_of = |wanted: &dyn Fn(&ResponseKind) -> bool| {
            let chosen = self.groups.iter().filter(|(kind, _)| wanted(kind));
            Latency::of(chosen.flat_map(|(_, times)| times).copied().collect())
        };
        LoadReport {
            started_at_micros: u64::try_from(started_at.as_micros()).unwrap_or(0),
            seconds: self.begin.elapsed().as_secs_f64(),
            all: times_of(&|_| true),
            good: times_of(&|kind| kind.status == 200),
            refused: times_of(&|kind| kind.status == 503),
            connection_errors: self.errors.iter().map(|(error, count)| (format!("{error:?}"), *count)).collect(),
            groups: self.groups.iter().map(|(kind, times)| Group { kind: *kind, count: times.len() as u64 }).collect(),
            intervals: self.intervals,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_tier_from_cache_status() {
        for (value, source) in [
            ("marquee-process; hit", ResponseTier::Process),
            ("marquee-process;hit;detail=stale", ResponseTier::Process),
            ("marquee-redis; hit, marquee-process; fwd=uri-miss", ResponseTier::Redis),
            ("marquee-redis; fwd=uri-miss, marquee-process; fwd=uri-miss", ResponseTier::Database),
            ("marquee-process; fwd=uri-miss; collapsed", ResponseTier::Database),
        ] {
            assert_eq!(ResponseTier::parse(value.as_bytes()), source, "{value}");
        }
    }

    #[test]
    fn adds_counters_of_connections() {
        let begin = Instant::now();
        let kind =
            ResponseKind { status: 200, source: ResponseTier::Process, is_warned: false, has_retry_after: false, age_seconds: 0 };
        let (mut one, mut other) = (LoadTally::since(begin), LoadTally::since(begin));
        one.record(begin, Ok(kind));
        other.record(begin, Ok(kind));
        other.record(begin, Ok(ResponseKind { status: 503, ..kind }));
        other.record(begin, Err(ConnectionError::Closed));
        one.add(other);
        let report = one.report(Duration::from_secs(1));
        assert_eq!((report.all.count, report.good.count, report.refused.count, report.errors()), (3, 2, 1, 2));
        let counted: u64 = report.intervals.iter().map(|interval| interval.good + interval.others + interval.errors).sum();
        assert_eq!(counted, 4);
    }
}
