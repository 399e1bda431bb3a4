//! The metrics of this process in the last hour, for the plots of operators. Prometheus records those of all processes, and for longer.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use telemetry::MetricsRecorder;

/// How often the metrics are sampled.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(10);
/// Samples of one hour.
const CAPACITY: usize = 360;
/// Routes that are not requests of clients: health checks, scrapes, and the pages of operators, which update themselves.
const OWN_ROUTES: [&str; 4] = ["/livez", "/readyz", "/metrics", "/ops"];

/// The samples, oldest first.
#[derive(Debug, Default)]
pub struct Samples(Mutex<VecDeque<(Instant, Totals)>>);

/// Counters of the process since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    /// Requests of clients.
    pub(crate) requests: f64,
    /// Those with status 5xx.
    pub(crate) failed: f64,
    /// Those that were rejected because too many were waiting.
    pub(crate) shed: f64,
    /// The seconds that responses took, and how many were measured.
    pub(crate) seconds: f64,
    pub(crate) measured: f64,
    /// Responses of cached operations, and those that a cache had.
    pub(crate) cacheable: f64,
    pub(crate) cached: f64,
}

/// What happened between two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// Its length in seconds.
    pub(crate) length: f64,
    pub(crate) totals: Totals,
}

impl Samples {
    /// Samples the metrics until it is cancelled.
    pub(super) async fn run(&self, recorder: &MetricsRecorder) {
        let mut interval = tokio::time::interval(SAMPLE_INTERVAL);
        loop {
            interval.tick().await;
            self.add(Instant::now(), Totals::parse(&recorder.render()));
        }
    }

    /// Adds a sample, and removes the oldest if there are too many.
    fn add(&self, at: Instant, totals: Totals) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() > CAPACITY {
            samples.pop_front();
        }
        samples.push_back((at, totals));
    }

    /// The intervals of the last hour, oldest first.
    pub(crate) fn intervals(&self) -> Vec<Interval> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs = samples.iter().zip(samples.iter().skip(1));
        pairs
            .map(|((from, before), (to, after))| Interval {
                length: to.duration_since(*from).as_secs_f64().max(f64::EPSILON),
                totals: after.since(before),
            })
            .collect()
    }
}

impl Totals {
    /// Reads the text format of Prometheus.
    fn parse(text: &str) -> Self {
        let mut totals = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let route = label(labels, "route").unwrap_or_default();
            let is_own =
                OWN_ROUTES.iter().any(|own| route.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
            match (name, name.strip_prefix("marquee_http_seconds")) {
                ("marquee_http_requests_total", _) if !is_own => {
                    totals.requests += value;
                    if label(labels, "status").is_some_and(|status| status.starts_with('5')) {
                        totals.failed += value;
                    }
                }
                (_, Some("_sum")) if !is_own => totals.seconds += value,
                (_, Some("_count")) if !is_own => totals.measured += value,
                ("marquee_shed_requests_total", _) => totals.shed += value,
                ("marquee_cache_responses_total", _) => {
                    totals.cacheable += value;
                    if label(labels, "tier").is_some_and(|tier| tier != "database") {
                        totals.cached += value;
                    }
                }
                _ => {}
            }
        }
        totals
    }

    fn since(&self, earlier: &Self) -> Self {
        let difference = |of: fn(&Self) -> f64| (of(self) - of(earlier)).max(0.0);
        Self {
            requests: difference(|totals| totals.requests),
            failed: difference(|totals| totals.failed),
            shed: difference(|totals| totals.shed),
            seconds: difference(|totals| totals.seconds),
            measured: difference(|totals| totals.measured),
            cacheable: difference(|totals| totals.cacheable),
            cached: difference(|totals| totals.cached),
        }
    }
}

/// The value of a label: constants, slugs and route templates, which contain no quotes.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels
        .split(',')
        .find_map(|label| label.trim_end_matches('}').split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_the_series_of_clients() {
        let text = "# TYPE marquee_http_requests_total counter\n\
                    marquee_http_requests_total{route=\"/events/{id}\",method=\"GET\",status=\"200\"} 7\n\
                    marquee_http_requests_total{route=\"/search\",method=\"GET\",status=\"503\"} 2\n\
                    marquee_http_requests_total{route=\"/ops/runs/{id}\",method=\"GET\",status=\"500\"} 50\n\
                    marquee_http_requests_total{route=\"/livez\",method=\"GET\",status=\"200\"} 50\n\
                    marquee_http_seconds_sum{route=\"/search\"} 0.5\n\
                    marquee_http_seconds_count{route=\"/search\"} 2\n\
                    marquee_shed_requests_total 3\n\
                    marquee_cache_responses_total{resource=\"search\",tier=\"process\"} 4\n\
                    marquee_cache_responses_total{resource=\"search\",tier=\"database\"} 1\n\
                    process_start_time_seconds 1\n";
        let expected = Totals { requests: 9.0, failed: 2.0, shed: 3.0, seconds: 0.5, measured: 2.0, cacheable: 5.0, cached: 4.0 };
        assert_eq!(Totals::parse(text), expected);
    }

    #[test]
    fn samples_are_bounded_and_intervals_are_differences() {
        let (samples, start) = (Samples::default(), Instant::now());
        for number in 0..1_000_u32 {
            let totals = Totals { requests: f64::from(number) * 20.0, ..Totals::default() };
            samples.add(start + SAMPLE_INTERVAL * number, totals);
        }
        let intervals = samples.intervals();
        assert_eq!(intervals.len(), CAPACITY);
        assert!(intervals.iter().all(|interval| interval.totals.requests == 20.0 && interval.length == 10.0));
    }
}
