//! The metrics of a process, as Prometheus reads them
//! ([text format](https://prometheus.io/docs/instrumenting/exposition_formats/)).
//!
//! Programs record through the `metrics` crate; this module says how durations are counted and answers `GET /metrics`.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use clap::Args;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// Upper bounds of durations, in seconds: from an answer of the cache to a feed of gigabytes.
const DURATION_BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0];
/// How long a scraper may take to ask.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often values of histograms are folded away: a busy API records fifty thousand a second.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// Connections at once: a few scrapers, and no way to exhaust the process by opening more.
const CONNECTIONS: usize = 16;

/// Where metrics are read.
#[derive(Args, Clone, Debug)]
pub struct MetricsSettings {
    /// Where Prometheus reads the metrics, at /metrics
    #[arg(long, env = "METRICS_LISTEN", default_value = "127.0.0.1:9100", value_name = "ADDRESS")]
    pub metrics_listen: SocketAddr,
}

/// All metrics of the process.
#[derive(Clone, Debug)]
pub struct MetricsRecorder(PrometheusHandle);

impl MetricsRecorder {
    /// Every metric with its present value, in the text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds away what was recorded since the last time; to be called about every [`UPKEEP_EVERY`], for it waits in memory until then.
    pub fn fold(&self) {
        self.0.run_upkeep();
    }
}

/// Begins to record the metrics of the whole process. To be called once.
///
/// # Errors
///
/// When something else records them already.
pub fn start_metrics() -> Result<MetricsRecorder, BuildError> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS)?;
    builder.install_recorder().map(MetricsRecorder)
}

/// Answers `GET /metrics` until `shutdown` is cancelled.
pub async fn serve_metrics(listener: TcpListener, recorder: MetricsRecorder, shutdown: CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            _ = upkeep.tick() => {
                recorder.fold();
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (Ok((stream, _)), Ok(permit)) = (accepted, connections.clone().try_acquire_owned()) else {
            // Out of files or of room: a scraper comes again.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let recorder = recorder.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&request, &recorder))));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            // A scraper that went away is told nothing.
            let _ended = connection.await;
            drop(permit);
        });
    }
}

fn answer(request: &Request<Incoming>, recorder: &MetricsRecorder) -> Response<String> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, recorder.render()),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are allowed.\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "There is only /metrics here.\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    response
}
