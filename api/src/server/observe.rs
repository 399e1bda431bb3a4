//! What surrounds every request: its id, its span, the problem response of its error, its log line and its metrics.

use std::time::{Duration, Instant};

use poem::{
    Request, Response,
    http::{HeaderValue, StatusCode, Uri, header},
};
use poem_openapi::registry::MetaApi;
use tracing::{Instrument, field::Empty};

use super::{
    RequestId,
    request_metrics::{RequestMetrics, method_name},
    routes::{RouteSet, Routes},
};
use crate::{
    error::ApiError,
    response::{DescribedError, problem_response},
    web::{self, PageLanguage, ops},
};

/// The route of requests that match none.
const UNMATCHED: &str = "unmatched";
/// The part of a path that is logged. The paths of all routes are shorter, but a client may send [`MAX_TARGET_BYTES`], many of them in the
/// queue of the trace exporter.
///
/// [`MAX_TARGET_BYTES`]: crate::query::MAX_TARGET_BYTES
const MAX_LOGGED_PATH_CHARACTERS: usize = 512;

/// A request as logs and metrics describe it.
#[derive(Debug)]
pub(crate) struct RequestContext {
    id: RequestId,
    method: &'static str,
    uri: Uri,
    /// The language of a page with its error.
    language: PageLanguage,
    /// The `traceparent` header: the caller's span.
    trace_parent: Option<HeaderValue>,
    started: Instant,
}

impl RequestContext {
    pub(crate) fn new(request: &Request, started: Instant) -> Self {
        let (method, uri) = (method_name(request.method()), request.uri().clone());
        let trace_parent = request.headers().get("traceparent").cloned();
        let is_page = web::is_page(uri.path());
        let accepted = request.headers().get(header::ACCEPT_LANGUAGE);
        let language = if is_page { PageLanguage::of(uri.query(), accepted) } else { PageLanguage::default() };
        Self { id: RequestId::from_headers(request.headers()), method, uri, language, trace_parent, started }
    }

    pub(crate) fn id(&self) -> &RequestId {
        &self.id
    }
}

/// Observes requests.
#[derive(Debug)]
pub(crate) struct Observer {
    pub(super) routes: Routes,
    metrics: RequestMetrics,
}

impl Observer {
    /// An observer of requests for these operations and the other routes of the set. The recorder of the process must be installed.
    pub(crate) fn new(apis: &[MetaApi], set: RouteSet, hot_routes: &[&'static str]) -> Self {
        Self { routes: Routes::new(apis, set), metrics: RequestMetrics::new(hot_routes) }
    }

    /// Runs a request in its span, and turns its error into a problem response, or a page for people. This is the only place that does so.
    pub(crate) async fn observe(
        &self,
        request: RequestContext,
        respond: impl Future<Output = poem::Result<Response>>,
    ) -> Response {
        let route = self.routes.find(request.uri.path());
        let template = route.map_or(UNMATCHED, |route| route.template.as_str());
        let span = tracing::info_span!(
            "request",
            request.id = request.id.as_str(),
            http.method = request.method,
            http.route = template,
            caller.key = Empty
        );
        if let Some(trace_parent) = request.trace_parent.as_ref().and_then(|value| value.to_str().ok()) {
            telemetry::set_remote_parent(&span, trace_parent);
        }
        async {
            let (mut response, error) = match respond.await {
                Ok(response) if !is_error(response.status()) || is_described(&response) => (response, None),
                // The framework responds to a panic itself.
                Ok(response) => self.respond_to_error(response.status().into(), &request),
                Err(error) => self.respond_to_error(error.into(), &request),
            };
            request.id.set_header(&mut response);
            let duration = request.started.elapsed();
            self.metrics.count(template, request.method, response.status(), duration);
            log(&request, response.status(), duration, error.as_ref());
            response
        }
        .instrument(span)
        .await
    }

    /// Records a GET on a hot route that is completed without waiting: cheaply, because there are tens of thousands a second.
    pub(crate) fn record_hit(&self, id: &RequestId, route: &'static str, status: StatusCode, duration: Duration) {
        match status {
            StatusCode::OK => self.metrics.count_hit(route, duration),
            status => self.metrics.count(route, "GET", status, duration),
        }
        let span = tracing::debug_span!("request", request.id = id.as_str(), http.method = "GET", http.route = route);
        let _entered = span.enter();
        tracing::debug!(http.status = status.as_u16(), http.duration_ms = milliseconds(duration), "request completed");
    }

    fn respond_to_error(&self, error: ApiError, request: &RequestContext) -> (Response, Option<ApiError>) {
        let path = request.uri.path();
        let is_for_operators = || ops::is_below(path) && self.routes.find(path).is_some();
        let mut response = if is_for_operators() {
            ops::error_response(&error, request.id.as_str(), path)
        } else if web::is_page(path) {
            web::error_response(&error, request.id.as_str(), &request.uri, request.language)
        } else {
            problem_response(&error, request.id.as_str(), path)
        };
        if error.status() == StatusCode::METHOD_NOT_ALLOWED
            && let Some(methods) = self.routes.allow(path)
            && let Ok(allow) = HeaderValue::from_str(methods)
        {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        (response, Some(error))
    }
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn is_described(response: &Response) -> bool {
    response.extensions().get::<DescribedError>().is_some()
}

fn log(request: &RequestContext, status: StatusCode, duration: Duration, error: Option<&ApiError>) {
    let (path, status, duration_ms) = (shorten(request.uri.path()), status.as_u16(), milliseconds(duration));
    match error.filter(|error| error.should_log()) {
        None => {
            tracing::info!(http.path = path, http.status = status, http.duration_ms = duration_ms, "request completed");
        }
        Some(error) => {
            let error = telemetry::with_causes(error);
            tracing::error!(http.path = path, http.status = status, http.duration_ms = duration_ms, error, "request failed");
        }
    }
}

/// The part of a path that is logged.
fn shorten(path: &str) -> &str {
    path.char_indices().nth(MAX_LOGGED_PATH_CHARACTERS).map_or(path, |(end, _)| &path[..end])
}

/// Milliseconds with three decimals.
#[expect(clippy::cast_precision_loss, reason = "a request takes less than 2^53 microseconds")]
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}
