//! `GET /metrics`: what the process counts, as Prometheus reads it; and the counting of requests.

use std::{sync::Arc, time::Duration};

use metrics::{Counter, Histogram, counter, histogram};
use poem::{Endpoint, Response, endpoint::make_sync, http::StatusCode};

use crate::State;

/// The media type of the [text format](https://prometheus.io/docs/instrumenting/exposition_formats/).
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

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
    searches_at_once: Counter,
    search_seconds: Histogram,
}

impl RequestMetrics {
    /// To be made once the recorder of the process is there.
    #[must_use]
    pub(crate) fn new() -> Arc<Self> {
        let searches_at_once =
            counter!("marquee_http_requests_total", "route" => "/search", "method" => "GET", "status" => "200");
        let search_seconds = histogram!("marquee_http_seconds", "route" => "/search");
        Arc::new(Self { searches_at_once, search_seconds })
    }

    /// Counts a search that was answered with 200 at once.
    pub(crate) fn count_at_once(&self, duration: Duration) {
        self.searches_at_once.increment(1);
        self.search_seconds.record(duration);
    }

    /// Counts any request. The route is a template, never a path: there are few of them.
    pub(crate) fn count(&self, route: &str, method: &str, status: StatusCode, duration: Duration) {
        let labels = [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.as_str().to_owned())];
        counter!("marquee_http_requests_total", &labels).increment(1);
        histogram!("marquee_http_seconds", "route" => route.to_owned()).record(duration);
    }
}
