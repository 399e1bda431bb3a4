//! The metrics of a process for Prometheus
//! ([text format](https://prometheus.io/docs/instrumenting/exposition_formats/)).
//!
//! Programs record with the `metrics` crate. This module defines the buckets of durations and serves `GET /metrics`.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use clap::Args;
use command_line::ListenAddress;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// Upper bounds of duration buckets in seconds: from a cached response to a feed of gigabytes.
const DURATION_BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0];
/// A change of it is a restart. The name is that of Prometheus' client libraries.
const START_TIME: &str = "process_start_time_seconds";
/// How long a scraper may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often recorded values are added to their histograms: a busy API records 50,000 values per second.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// Concurrent connections: enough for a few scrapers, and too few to exhaust the process.
const CONNECTIONS: usize = 16;

/// The metrics endpoint.
#[derive(Args, Clone, Debug)]
pub struct MetricsSettings {
    /// Listen address of the Prometheus endpoint /metrics
    #[arg(long, env = "METRICS_LISTEN", default_value = "127.0.0.1:9100", value_name = "ADDRESS")]
    pub metrics_listen: ListenAddress,
}

/// The metrics of the process.
#[derive(Clone, Debug)]
pub struct MetricsRecorder(PrometheusHandle);

impl MetricsRecorder {
    /// Renders every metric in the text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Adds the recorded values to their histograms. Must be called about every [`UPKEEP_EVERY`], because they are buffered in memory.
    pub fn run_upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Starts to record the metrics of the process. Must be called once.
///
/// # Errors
///
/// When another recorder is installed.
pub fn start_metrics() -> Result<MetricsRecorder, BuildError> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS)?;
    let recorder = builder.install_recorder().map(MetricsRecorder)?;
    describe_gauge!(START_TIME, Unit::Seconds, "When the process started, in seconds since 1970");
    gauge!(START_TIME).set(UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64());
    Ok(recorder)
}

/// Serves `GET /metrics` until `shutdown` is cancelled.
pub async fn serve_metrics(listener: TcpListener, recorder: MetricsRecorder, shutdown: CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            _ = upkeep.tick() => {
                recorder.run_upkeep();
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (Ok((stream, _)), Ok(permit)) = (accepted, connections.clone().try_acquire_owned()) else {
            // Out of file descriptors or connections: the scraper retries.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let recorder = recorder.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(respond(&request, &recorder))));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // Errors mean that the scraper disconnected.
            let _ignored = connection.await;
            drop(permit);
        });
    }
}

fn respond(request: &Request<Incoming>, recorder: &MetricsRecorder) -> Response<String> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, recorder.render()),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are supported.\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "Not found. The metrics are at /metrics.\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, hyper::header::HeaderValue::from_static("nosniff"));
    headers.insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    response
}
