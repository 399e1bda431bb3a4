//! `GET /metrics`: what the process counts, as Prometheus reads it; and the counting of requests.

use std::{sync::Arc, time::Duration};

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};
use poem::{Endpoint, Response, endpoint::make_sync, http::StatusCode};

use crate::State;

/// The media type of the [text format](https://prometheus.io/docs/instrumenting/exposition_formats/).
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Tells Prometheus what each metric is.
pub(crate) fn describe() {
    describe_counter!("marquee_http_requests_total", "Requests that were answered");
    describe_histogram!("marquee_http_seconds", Unit::Seconds, "From a request's head to its answer's");
    describe_counter!(
        "marquee_cache_answers_total",
        "Answers to searches for events, concerts, performers and venues, by the tier that had them"
    );
    describe_counter!("marquee_cache_stale_answers_total", "Answers of an older version, or of an unknown one; they say so");
    describe_counter!("marquee_cache_flights_total", "Answers that were fetched, by where they were found");
    describe_counter!("marquee_cache_collapsed_total", "Requests that waited for what another had asked for");
    describe_gauge!("marquee_cache_bytes", Unit::Bytes, "What the process keeps");
    describe_gauge!("marquee_cache_entries", "Answers that the process keeps");
    describe_histogram!("marquee_database_seconds", Unit::Seconds, "What reading the database took");
    describe_gauge!("marquee_database_waiting", "Requests that wait for their turn to read the database");
    describe_gauge!("marquee_database_up", "Whether the database answered when it was last asked");
    describe_counter!("marquee_shed_total", "Requests that were refused because too many waited");
    describe_gauge!("marquee_catalogue_version", "The version that this process answers from");
    describe_gauge!("marquee_catalogue_version_age_seconds", Unit::Seconds, "How long ago a sync made that version");
    crate::cache::describe_metrics();
}

/// The endpoint. It is no operation of the API: its form is Prometheus's.
pub(crate) fn endpoint(state: State) -> impl Endpoint<Output = Response> {
    make_sync(move |_| match &state.recorder {
        Some(recorder) => {
            state.cache.measure();
            Response::builder().content_type(TEXT_FORMAT).body(recorder.render())
        }
        None => StatusCode::NOT_FOUND.into(),
    })
}

/// Counts requests by route, method and status, and how long they took.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    /// Answers that were given at once are counted without a look for their counters.
    at_once: Vec<AtOnce>,
}

#[derive(Debug)]
struct AtOnce {
    route: &'static str,
    requests: Counter,
    seconds: Histogram,
}

impl RequestMetrics {
    /// To be made once the recorder of the process is there; of the `routes` answers may be given at once.
    #[must_use]
    pub(crate) fn new(routes: &[&'static str]) -> Arc<Self> {
        let of = |&route: &&'static str| AtOnce {
            route,
            requests: counter!("marquee_http_requests_total", "route" => route, "method" => "GET", "status" => "200"),
            seconds: histogram!("marquee_http_seconds", "route" => route),
        };
        Arc::new(Self { at_once: routes.iter().map(of).collect() })
    }

    /// Counts a GET that was answered with 200 at once.
    pub(crate) fn count_at_once(&self, route: &'static str, duration: Duration) {
        if let Some(of_route) = self.at_once.iter().find(|of_route| of_route.route == route) {
            of_route.requests.increment(1);
            of_route.seconds.record(duration);
        }
    }

    /// Counts any request. The route is a template, never a path: there are few of them.
    pub(crate) fn count(&self, route: &str, method: &str, status: StatusCode, duration: Duration) {
        let labels = [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.as_str().to_owned())];
        counter!("marquee_http_requests_total", &labels).increment(1);
        histogram!("marquee_http_seconds", "route" => route.to_owned()).record(duration);
    }
}
