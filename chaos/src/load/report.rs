//! What clients observed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{LoadKind, RequestError, Sample};

/// The samples of a load, in the order of their start.
#[derive(Debug)]
pub(crate) struct LoadReport {
    samples: Vec<Sample>,
}

impl LoadReport {
    pub(super) fn new(mut samples: Vec<Sample>) -> Self {
        samples.sort_by_key(|sample| sample.started);
        Self { samples }
    }

    fn of(&self, kind: LoadKind) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.kind == kind)
    }

    /// From the first request that failed to the next one that succeeded after all failures. It includes requests between failures
    /// that succeeded, because a client cannot rely on them.
    pub(crate) fn outage(&self, kind: LoadKind) -> Duration {
        let Some(first) = self.of(kind).find(|sample| !sample.is_success()) else { return Duration::ZERO };
        let last = self.of(kind).filter(|sample| !sample.is_success()).last().unwrap_or(first);
        let recovered = self.of(kind).find(|sample| sample.started > last.started);
        recovered.map_or(last.started + last.duration, |sample| sample.started).duration_since(first.started)
    }

    /// From this instant to the end of the last request that failed.
    pub(crate) fn recovery(&self, since: Instant) -> Duration {
        let failed = self.samples.iter().filter(|sample| !sample.is_success());
        let last = failed.map(|sample| sample.started + sample.duration).max();
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(since))
    }

    /// Requests that failed.
    pub(crate) fn failures(&self, kind: LoadKind) -> usize {
        self.of(kind).filter(|sample| !sample.is_success()).count()
    }

    /// All requests.
    pub(crate) fn count(&self, kind: LoadKind) -> usize {
        self.of(kind).count()
    }

    /// Reads that showed a part of a batch.
    pub(crate) fn half_visible(&self) -> usize {
        self.samples.iter().filter(|sample| sample.result == Err(RequestError::HalfVisible)).count()
    }

    /// The longest time until a response.
    pub(crate) fn slowest(&self, kind: LoadKind) -> Duration {
        self.of(kind).map(|sample| sample.duration).max().unwrap_or_default()
    }

    /// Responses with this status.
    pub(crate) fn with_status(&self, status: u16) -> usize {
        self.samples.iter().filter(|sample| sample.result == Ok(status)).count()
    }

    /// The failures of each kind, by status or cause.
    pub(crate) fn describe_failures(&self) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for sample in self.samples.iter().filter(|sample| !sample.is_success()) {
            let cause = match &sample.result {
                Ok(status) => status.to_string(),
                Err(cause) => format!("{cause:?}"),
            };
            *counts.entry(format!("{:?} {cause}", sample.kind)).or_default() += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(cause, count)| format!("{count} x {cause}")).collect();
        if counts.is_empty() { "no failure".to_owned() } else { counts.join(", ") }
    }
}
