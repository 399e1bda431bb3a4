//! Traces of the programs, exported to a small OTLP receiver.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use migration::testing::{Backend, TestDatabase};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use provider_sim::SimCatalogue;
use tokio::net::TcpListener;

use crate::deployment::{Deployment, SLUG};

const CATALOGUE: SimCatalogue = SimCatalogue {
    seed: 5,
    events: 30,
    zones: 2,
    churn: 20.0,
    anchor: chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap(),
    details: false,
};
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// An OTLP collector that stores each span with the `service.name` of its process.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

impl Collector {
    /// Starts a collector; returns it with its endpoint.
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self::default();
        let exports = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let exports = exports.clone();
                let service = service_fn(move |request| exports.clone().store(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        (collector, endpoint)
    }

    async fn store(self, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
        assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/v1/traces"));
        let body = request.into_body().collect().await.unwrap().to_bytes();
        for export in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
            let service = attribute(&export.resource.unwrap().attributes, "service.name").unwrap();
            let spans = export.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.0.lock().unwrap().extend(spans.map(|span| (service.clone(), span)));
        }
        Ok(Response::new(Empty::new()))
    }

    /// The names of the services and spans, and the spans.
    fn spans(&self) -> Vec<(String, Span)> {
        self.0.lock().unwrap().clone()
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    match attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("`{key}` is {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_exported_as_a_span() {
    let deployment = Deployment::new(Arc::new(TestDatabase::migrated(Backend::Sqlite).await), CATALOGUE).await;
    let (collector, endpoint) = Collector::start().await;
    let mut api = deployment.start_api_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let traceparent = format!("00-{TRACE_ID}-b7ad6b7169203331-01");
    let headers = [("X-Request-Id", "trace-test-1"), ("traceparent", &traceparent)];
    let (status, _) = api.send("GET", "/providers", &headers, "").await.unwrap();
    assert_eq!(status, 200);
    assert!(api.terminate().success());

    let spans = collector.spans();
    let is_request = |span: &Span| attribute(&span.attributes, "request.id").as_deref() == Some("trace-test-1");
    let (service, span) = spans.iter().find(|(_, span)| is_request(span)).unwrap_or_else(|| panic!("no request in {spans:?}"));
    assert_eq!((service.as_str(), span.name.as_str()), ("marquee-api", "request"));
    assert_eq!(attribute(&span.attributes, "http.route").as_deref(), Some("/providers"));
    assert_eq!(span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), TRACE_ID);
    assert!(spans.iter().all(|(_, span)| span.name == "request"), "spans of libraries are exported: {spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_exported_as_a_span() {
    let deployment = Deployment::new(Arc::new(TestDatabase::migrated(Backend::Sqlite).await), CATALOGUE).await;
    let (collector, endpoint) = Collector::start().await;
    let mut command = deployment.worker_command(&["sync", SLUG]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    let status = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
    assert!(status.success());

    let spans = collector.spans();
    let [(service, span)] = spans.as_slice() else { panic!("one span expected, got {spans:?}") };
    assert_eq!((service.as_str(), span.name.as_str()), ("marquee-worker", "job"));
    assert_eq!(attribute(&span.attributes, "job.kind").as_deref(), Some("sync"));
    assert_eq!(attribute(&span.attributes, "provider.slug").as_deref(), Some(SLUG));
    assert_eq!(attribute(&span.attributes, "sync_run.id").as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_collector_does_not_affect_requests() {
    let deployment = Deployment::new(Arc::new(TestDatabase::migrated(Backend::Sqlite).await), CATALOGUE).await;
    let mut api = deployment.start_api_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]);
    for _ in 0..10 {
        assert_eq!(api.get("/providers").await.0, 200);
    }
    assert!(api.terminate().success());
}
