//! Log lines, and the export of spans to a small OTLP receiver.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::net::TcpListener;
use tracing::subscriber::with_default;

use super::*;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn settings(log_format: LogFormat, endpoint: Option<String>) -> TelemetrySettings {
    TelemetrySettings {
        logs: LogSettings { log_format, log_filter: "info".to_owned() },
        traces: TraceSettings { otel_exporter_otlp_endpoint: endpoint },
    }
}

/// Collects log lines.
#[derive(Clone, Debug, Default)]
struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl LogBuffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("log lines are UTF-8")
    }
}

impl Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs one request and returns the line without its timestamp.
fn log_line(log_format: LogFormat) -> String {
    let lines = LogBuffer::default();
    let writer = lines.clone();
    let subscriber = build_subscriber(&settings(log_format, None), "marquee-api", None, move || writer.clone());
    with_default(subscriber, || {
        let span = tracing::info_span!("request", request.id = "r-1", http.method = "GET", http.route = tracing::field::Empty);
        span.record("http.route", "/search");
        let _entered = span.enter();
        tracing::info!(http.status = 200, http.duration_ms = 1.25, "request completed");
        tracing::debug!("below the level");
    });
    lines.text()
}

#[test]
fn a_text_line_has_the_fields_of_its_span() {
    let line = log_line(LogFormat::Text);
    let (_timestamp, line) = line.split_once(' ').expect("a timestamp");
    let span = "request{request.id=\"r-1\" http.method=\"GET\" http.route=\"/search\"}";
    assert_eq!(line.trim(), format!("INFO {span}: request completed http.status=200 http.duration_ms=1.25"));
}

#[test]
fn a_text_line_has_no_unsafe_characters() {
    let text = "\u{1b}[2J\r\nx\u{9b}\u{202e}\u{200b}";
    let lines = LogBuffer::default();
    let writer = lines.clone();
    let subscriber = build_subscriber(&settings(LogFormat::Text, None), "marquee-worker", None, move || writer.clone());
    with_default(subscriber, || {
        let _entered = tracing::info_span!("job", provider.slug = text).entered();
        tracing::warn!(error = text, "sync failed");
    });
    let line = lines.text();
    assert_eq!(line.chars().filter(|&character| command_line::is_unsafe(character)).collect::<String>(), "\n", "{line:?}");
}

#[test]
fn a_json_line_has_the_fields_of_its_span() {
    let line = log_line(LogFormat::Json);
    let (_timestamp, line) = line.split_once(",\"level\"").expect("a timestamp");
    assert_eq!(
        line.trim(),
        ":\"INFO\",\"message\":\"request completed\",\"http.status\":200,\"http.duration_ms\":1.25,\
         \"span\":{\"http.method\":\"GET\",\"http.route\":\"/search\",\"request.id\":\"r-1\",\"name\":\"request\"}}"
    );
}

/// Spans, each with the attributes of its resource.
type ReceivedSpans = Arc<Mutex<Vec<(Vec<KeyValue>, Span)>>>;

/// Starts an OTLP receiver; returns its endpoint and the spans that it receives.
async fn receive_spans() -> (String, ReceivedSpans) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}/", listener.local_addr().expect("an address"));
    let received = ReceivedSpans::default();
    let spans = received.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let spans = spans.clone();
            let service = service_fn(move |request| store_export(request, spans.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (endpoint, received)
}

async fn store_export(request: Request<Incoming>, spans: ReceivedSpans) -> Result<Response<String>, hyper::Error> {
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/v1/traces"));
    let body = request.into_body().collect().await?.to_bytes();
    let export = ExportTraceServiceRequest::decode(body).expect("an OTLP request");
    for resource_spans in export.resource_spans {
        let resource = resource_spans.resource.map(|resource| resource.attributes).unwrap_or_default();
        let exported = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.lock().expect("not poisoned").extend(exported.map(|span| (resource.clone(), span)));
    }
    Ok(Response::new(String::new()))
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        other => Some(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_the_spans_of_the_programs_and_no_others() {
    let (endpoint, received) = receive_spans().await;
    let settings = settings(LogFormat::Text, Some(endpoint));
    let export = SpanExport::start(&settings.traces, "marquee-api").expect("valid settings");
    with_default(build_subscriber(&settings, "marquee-api", export.as_ref(), io::sink), || {
        let request = tracing::info_span!(target: "api::server", "request", request.id = "r-1");
        set_remote_parent(&request, TRACEPARENT);
        let _entered = request.enter();
        let _library = tracing::info_span!(target: "sqlx::query", "query").entered();
        let _detail = tracing::debug_span!(target: "api::cache", "lookup").entered();
        tracing::info!(target: "api::server", { http.status = 200 }, "request completed");
    });
    Telemetry(export).shutdown().await;

    let received = received.lock().expect("not poisoned");
    let [(resource, span)] = received.as_slice() else { panic!("one span expected, got {received:?}") };
    assert_eq!(span.name, "request");
    assert_eq!(attribute(&span.attributes, "request.id").as_deref(), Some("r-1"));
    assert_eq!(attribute(resource, "service.name").as_deref(), Some("marquee-api"));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.parent_span_id)), TRACEPARENT);
    assert_eq!(span.events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["request completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_collector_delays_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("an address");
    let settings = settings(LogFormat::Text, Some(format!("http://{closed}")));
    let export = SpanExport::start(&settings.traces, "marquee-api").expect("valid settings");
    with_default(build_subscriber(&settings, "marquee-api", export.as_ref(), io::sink), || {
        // More than the queue of the exporter holds.
        for _ in 0..10_000 {
            let _span = tracing::info_span!(target: "api::server", "request").entered();
        }
    });
    Telemetry(export).shutdown().await;
}

#[tokio::test]
async fn exports_nothing_without_an_endpoint() {
    for endpoint in [None, Some(String::new())] {
        let settings = settings(LogFormat::Text, endpoint);
        assert!(SpanExport::start(&settings.traces, "marquee-api").expect("valid settings").is_none());
    }
}

#[test]
fn rejects_an_endpoint_that_is_not_an_http_url() {
    for endpoint in ["collector:4318", "grpc://collector:4317", "http://", "4318"] {
        assert!(traces::validate_endpoint(endpoint).is_err(), "{endpoint}");
    }
    for endpoint in ["", "http://127.0.0.1:4318", "https://collector.example/otlp"] {
        assert_eq!(traces::validate_endpoint(endpoint).as_deref(), Ok(endpoint));
    }
}
