//! Traces: the spans of requests and jobs, exported by OTLP/HTTP (protobuf) to an OpenTelemetry collector.
//!
//! Spans are exported in batches by a background thread. A request or job never waits for the collector: if the queue is full, spans are
//! dropped.

use std::{
    collections::HashMap,
    error::Error,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use clap::Args;
use opentelemetry::{KeyValue, propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use reqwest::Url;
use tokio::runtime::Handle;
use tracing::{Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::with_causes;

/// Only spans and events of these crates are exported. Libraries have spans too, among them the HTTP client that exports.
const EXPORTED_CRATES: [&str; 3] = ["api", "worker", "rates"];
/// How long one export may take, and how long a process waits for the last one when it exits.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where traces are exported to.
#[derive(Args, Clone, Debug, Default)]
pub struct TraceSettings {
    /// OTLP endpoint of an OpenTelemetry collector that receives traces, such as http://127.0.0.1:4318. Unset: no traces are exported
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", global = true, hide_env_values = true, value_parser = validate_endpoint)]
    pub otel_exporter_otlp_endpoint: Option<String>,
}

/// The export of a process.
#[derive(Debug)]
pub(crate) struct SpanExport(SdkTracerProvider);

impl SpanExport {
    /// Starts the export; `None` if no endpoint is set.
    pub(crate) fn start(settings: &TraceSettings, service: &'static str) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(endpoint) = settings.otel_exporter_otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) else {
            return Ok(None);
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(ExportClient::new()?)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()?;
        let resource = Resource::builder()
            .with_service_name(service)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Some(Self(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())))
    }

    pub(crate) fn build_layer<S>(&self, service: &'static str) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let targets = EXPORTED_CRATES.map(|name| (name, LevelFilter::INFO));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(service))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_filter(Targets::new().with_targets(targets))
    }

    pub(crate) async fn shutdown(self) {
        // It blocks until the exporting thread has ended, which needs this runtime for its requests.
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(EXPORT_TIMEOUT)).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(error = with_causes(&error), "last traces not exported");
        }
    }
}

/// Makes `span` a child of the remote span in a [`traceparent`](https://www.w3.org/TR/trace-context/) header. Must be called before the
/// span is entered. An invalid header is ignored, as the specification requires.
pub fn set_remote_parent(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    // Fails if traces are not exported or the span is disabled: then nothing depends on its parent.
    let _ignored = span.set_parent(TraceContextPropagator::new().extract(&carrier));
}

/// Sends batches with the HTTP client and TLS library of the workspace.
#[derive(Debug)]
struct ExportClient {
    client: reqwest::Client,
    /// The exporting thread has no runtime.
    runtime: Handle,
    is_failing: AtomicBool,
}

impl ExportClient {
    fn new() -> reqwest::Result<Self> {
        let client = reqwest::Client::builder().timeout(EXPORT_TIMEOUT).build()?;
        Ok(Self { client, runtime: Handle::current(), is_failing: AtomicBool::new(false) })
    }

    /// Logs the first failure and the first success after it: a collector may be unavailable for hours.
    fn report(&self, error: Option<String>) {
        let was_failing = self.is_failing.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if !was_failing => tracing::warn!(error, "trace export failed"),
            None if was_failing => tracing::info!("trace export available again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for ExportClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let sent = self.runtime.spawn(send(self.client.clone(), request)).await?;
        self.report(match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("the collector responded with status {}", response.status())),
            Err(error) => Some(with_causes(error)),
        });
        Ok(sent?)
    }
}

async fn send(client: reqwest::Client, request: reqwest::Request) -> reqwest::Result<Response<Bytes>> {
    // The URL may contain a password, and an error text its URL.
    let response = client.execute(request).await.map_err(reqwest::Error::without_url)?;
    let mut copy = Response::new(Bytes::new());
    *copy.status_mut() = response.status();
    *copy.headers_mut() = response.headers().clone();
    *copy.body_mut() = response.bytes().await.map_err(reqwest::Error::without_url)?;
    Ok(copy)
}

/// Accepts an http or https URL. An empty value means unset.
pub(crate) fn validate_endpoint(endpoint: &str) -> Result<String, String> {
    let is_http = |url: Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    if endpoint.is_empty() || endpoint.parse().is_ok_and(is_http) {
        Ok(endpoint.to_owned())
    } else {
        Err("must be an http:// or https:// URL such as http://127.0.0.1:4318".to_owned())
    }
}
