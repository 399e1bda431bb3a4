//! Metrics of requests, and the descriptions of all metrics.

use std::time::Duration;

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};
use poem::http::{Method, StatusCode};

/// Describes each metric for Prometheus. The recorder of the process must be installed.
pub(crate) fn describe() {
    describe_counter!("marquee_http_requests_total", "Completed requests");
    describe_counter!(
        "marquee_key_requests_total",
        "Requests with an API key, by key and by whether its rate limit rejected them"
    );
    describe_histogram!("marquee_http_seconds", Unit::Seconds, "Time from the head of a request to the head of its response");
    describe_gauge!("marquee_http_connections", "Open connections, including those of operators");
    describe_counter!(
        "marquee_http_connections_closed_total",
        "Connections closed by the server, by reason: header, idle, slow_reader, evicted, drain"
    );
    describe_counter!("marquee_mcp_calls_total", "Calls of tools at /mcp, by tool and by the HTTP status of the same request");
    describe_counter!("marquee_ticket_redirects_total", "Followed ticket links, by provider");
    describe_counter!(
        "marquee_pictures_total",
        "Pictures of events that were requested with IMAGES=proxy, by outcome: loaded, cached, refused, failed, timed_out, too_large, \
         not_a_picture, busy"
    );
    describe_counter!("marquee_rate_limited_total", "Requests rejected because their client exceeds the rate limit");
    describe_counter!("marquee_rate_batches_total", "Batches of prices by outcome: accepted, repeated, rejected");
    describe_counter!("marquee_rate_prices_total", "Accepted prices");
    describe_histogram!("marquee_rate_batch_seconds", Unit::Seconds, "Duration of batches of prices, from the first byte");
    describe_counter!(
        "marquee_cache_responses_total",
        "Responses of cached operations, by resource and by the tier that had them"
    );
    describe_counter!(
        "marquee_cache_stale_responses_total",
        "Responses that may be outdated, marked as such, by resource and reason"
    );
    describe_counter!("marquee_cache_fetches_total", "Fetches after a miss in the process, by source");
    describe_counter!("marquee_cache_coalesced_total", "Requests that joined the fetch of another request");
    describe_counter!("marquee_cache_releases_total", "Releases of all programs that this process has followed, by cause");
    describe_counter!("marquee_cache_restarts_total", "How often this process lost its place in the ledger of releases");
    describe_gauge!("marquee_cache_bytes", Unit::Bytes, "Size of the cache in the process");
    describe_gauge!("marquee_cache_entries", "Entries of the cache in the process");
    describe_gauge!("marquee_vocabulary_words", "Words from which mistyped words are corrected");
    describe_gauge!("marquee_change_streams", "Open streams of changes");
    describe_counter!("marquee_streamed_changes_total", "Changes sent to streams");
    describe_counter!(
        "marquee_change_streams_closed_total",
        "Ended streams of changes, by reason: client, slow_reader, shutdown, expired, restored, failed"
    );
    describe_histogram!("marquee_database_seconds", Unit::Seconds, "Duration of database reads");
    describe_gauge!("marquee_database_waiting", "Requests that wait for a database read");
    describe_gauge!("marquee_database_up", "Whether the last check of the primary database succeeded");
    describe_gauge!("marquee_replica_up", "Whether the last check of the read replica succeeded");
    describe_counter!("marquee_shed_requests_total", "Requests rejected because too many were waiting");
    describe_gauge!("marquee_catalogue_version", "Newest version of the catalogue that this process has seen");
    describe_gauge!("marquee_catalogue_version_age_seconds", Unit::Seconds, "Time since a sync created that version");
    crate::cache::describe_metrics();
}

/// The name of requests that the parser rejects, or with a method that is not in the standard.
pub(super) const OTHER_METHOD: &str = "other";

/// The name of a method in logs and metrics. A client may send any text, and each name is a series of metrics that is never removed.
pub(super) fn method_name(method: &Method) -> &'static str {
    const STANDARD: [(Method, &str); 9] = [
        (Method::GET, "GET"),
        (Method::HEAD, "HEAD"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::PATCH, "PATCH"),
        (Method::TRACE, "TRACE"),
        (Method::CONNECT, "CONNECT"),
    ];
    STANDARD.iter().find(|(standard, _)| standard == method).map_or(OTHER_METHOD, |(_, name)| name)
}

/// Counts and durations of requests by route.
#[derive(Debug)]
pub(super) struct RequestMetrics {
    /// Counters of cache hits, looked up once.
    hits: Vec<HitMetrics>,
}

#[derive(Debug)]
struct HitMetrics {
    route: &'static str,
    requests: Counter,
    seconds: Histogram,
}

impl RequestMetrics {
    /// Looks up the counters of the `hot_routes`. The recorder of the process must be installed.
    pub(super) fn new(hot_routes: &[&'static str]) -> Self {
        let look_up = |&route: &&'static str| HitMetrics {
            route,
            requests: counter!("marquee_http_requests_total", "route" => route, "method" => "GET", "status" => "200"),
            seconds: histogram!("marquee_http_seconds", "route" => route),
        };
        Self { hits: hot_routes.iter().map(look_up).collect() }
    }

    /// Counts a GET on a hot route with status 200.
    pub(super) fn count_hit(&self, route: &'static str, duration: Duration) {
        if let Some(hit) = self.hits.iter().find(|hit| hit.route == route) {
            hit.requests.increment(1);
            hit.seconds.record(duration);
        }
    }

    /// Counts any request. The route is a template, never a path, and the method is a [`method_name`], so that there are few label values.
    pub(super) fn count(&self, route: &str, method: &'static str, status: StatusCode, duration: Duration) {
        let labels = [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.as_str().to_owned())];
        counter!("marquee_http_requests_total", &labels).increment(1);
        histogram!("marquee_http_seconds", "route" => route.to_owned()).record(duration);
    }
}
