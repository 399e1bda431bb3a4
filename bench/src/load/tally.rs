//! What a load counts while it runs.

use std::time::{Duration, Instant};

use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::{
    connection::Fault,
    report::{Group, INTERVAL, Interval, Latency, Report},
};

/// Who answered, as `Cache-Status` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// The tier in the process.
    Process,
    Redis,
    /// No tier had it.
    Database,
    /// The server does not tell.
    Unsaid,
}

impl Source {
    /// Of the value of `Cache-Status`.
    pub(crate) fn of(value: &[u8]) -> Self {
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

/// What is told of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kind {
    pub(crate) status: u16,
    pub(crate) source: Source,
    pub(crate) is_warned: bool,
    pub(crate) has_retry_after: bool,
}

/// Counts and times of one or more connections.
#[derive(Debug)]
pub(crate) struct Tally {
    begin: Instant,
    /// Few kinds come up, so they are looked through. Times in microseconds.
    groups: Vec<(Kind, Vec<u32>)>,
    faults: Vec<(Fault, u64)>,
    intervals: Vec<Interval>,
}

impl Tally {
    pub(crate) fn since(begin: Instant) -> Self {
        Self { begin, groups: Vec::new(), faults: Vec::new(), intervals: Vec::new() }
    }

    /// Enters what came of a request that was due then.
    pub(crate) fn enter(&mut self, due: Instant, outcome: Result<Kind, Fault>) {
        let now = Instant::now();
        let at = ((now - self.begin).as_micros() / INTERVAL.as_micros()) as usize;
        if self.intervals.len() <= at {
            self.intervals.resize(at + 1, Interval::default());
        }
        let interval = &mut self.intervals[at];
        match outcome {
            Ok(kind) => {
                interval.enter(kind);
                let micros = u32::try_from((now - due).as_micros()).unwrap_or(u32::MAX);
                match self.groups.iter_mut().find(|(other, _)| *other == kind) {
                    Some((_, times)) => times.push(micros),
                    None => self.groups.push((kind, vec![micros])),
                }
            }
            Err(fault) => {
                interval.faults += 1;
                self.enter_fault(fault, 1);
            }
        }
    }

    fn enter_fault(&mut self, fault: Fault, count: u64) {
        match self.faults.iter_mut().find(|(other, _)| *other == fault) {
            Some((_, counted)) => *counted += count,
            None => self.faults.push((fault, count)),
        }
    }

    /// Takes in what another connection counted.
    pub(crate) fn add(&mut self, other: Self) {
        for (kind, mut times) in other.groups {
            match self.groups.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, known)) => known.append(&mut times),
                None => self.groups.push((kind, times)),
            }
        }
        for (fault, count) in other.faults {
            self.enter_fault(fault, count);
        }
        if self.intervals.len() < other.intervals.len() {
            self.intervals.resize(other.intervals.len(), Interval::default());
        }
        for (mine, its) in self.intervals.iter_mut().zip(&other.intervals) {
            mine.add(its);
        }
    }

    /// What there is to tell of a load that ends now.
    pub(crate) fn report(self, started_at: Duration) -> Report {
        let times_of = |wanted: &dyn Fn(&Kind) -> bool| {
            let chosen = self.groups.iter().filter(|(kind, _)| wanted(kind));
            Latency::of(chosen.flat_map(|(_, times)| times).copied().collect())
        };
        Report {
            started_at_micros: u64::try_from(started_at.as_micros()).unwrap_or(0),
            seconds: self.begin.elapsed().as_secs_f64(),
            all: times_of(&|_| true),
            good: times_of(&|kind| kind.status == 200),
            refused: times_of(&|kind| kind.status == 503),
            faults: self.faults.iter().map(|(fault, count)| (format!("{fault:?}"), *count)).collect(),
            groups: self.groups.iter().map(|(kind, times)| Group { kind: *kind, count: times.len() as u64 }).collect(),
            intervals: self.intervals,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_status_names_the_tier_that_answered() {
        for (value, source) in [
            ("marquee-process; hit", Source::Process),
            ("marquee-process;hit;detail=stale", Source::Process),
            ("marquee-redis; hit, marquee-process; fwd=uri-miss", Source::Redis),
            ("marquee-redis; fwd=uri-miss, marquee-process; fwd=uri-miss", Source::Database),
            ("marquee-process; fwd=uri-miss; collapsed", Source::Database),
        ] {
            assert_eq!(Source::of(value.as_bytes()), source, "{value}");
        }
    }

    #[test]
    fn what_connections_counted_adds_up() {
        let begin = Instant::now();
        let kind = Kind { status: 200, source: Source::Process, is_warned: false, has_retry_after: false };
        let (mut one, mut other) = (Tally::since(begin), Tally::since(begin));
        one.enter(begin, Ok(kind));
        other.enter(begin, Ok(kind));
        other.enter(begin, Ok(Kind { status: 503, ..kind }));
        other.enter(begin, Err(Fault::Closed));
        one.add(other);
        let report = one.report(Duration::from_secs(1));
        assert_eq!((report.all.count, report.good.count, report.refused.count, report.errors()), (3, 2, 1, 2));
        let counted: u64 = report.intervals.iter().map(|interval| interval.good + interval.others + interval.faults).sum();
        assert_eq!(counted, 4);
    }
}
