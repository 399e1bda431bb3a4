//! What happens around every request: it gets an id, its error gets a body, and one line of the log tells how it went.

use std::{collections::HashMap, sync::Arc, time::Instant};

use poem::{
    Endpoint, IntoResponse, PathPattern, Request, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::registry::MetaApi;

use super::RequestId;
use crate::{error::ApiError, metrics::RequestMetrics, response::PROBLEM_JSON};

/// How a key can be shown.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"marquee\", Basic realm=\"marquee\"");

/// What must be known to tell of a request.
#[derive(Debug)]
pub struct Observer {
    paths: Paths,
    metrics: Arc<RequestMetrics>,
}

impl Observer {
    /// Of the requests for these operations.
    pub(crate) fn new(apis: &[MetaApi], metrics: Arc<RequestMetrics>) -> Self {
        Self { paths: Paths::of(apis), metrics }
    }
}

/// The operations' paths as the documents write them, and which methods each takes.
#[derive(Debug)]
struct Paths(HashMap<String, Operations>);

#[derive(Debug)]
struct Operations {
    template: String,
    allow: String,
}

impl Paths {
    fn of(apis: &[MetaApi]) -> Self {
        let paths = apis.iter().flat_map(|api| &api.paths).map(|path| {
            let mut methods: Vec<&str> = path.operations.iter().map(|operation| operation.method.as_str()).collect();
            if methods.contains(&"GET") {
                methods.push("HEAD");
            }
            (without_names(&path.path), Operations { template: path.path.clone(), allow: methods.join(", ") })
        });
        Self(paths.collect())
    }

    /// The template of a matched pattern. The documents are no operations: they have their pattern for a template.
    fn template<'a>(&'a self, pattern: Option<&'a str>) -> &'a str {
        match pattern {
            None | Some("") => "unmatched",
            Some(pattern) => self.0.get(&without_names(pattern)).map_or(pattern, |operations| &operations.template),
        }
    }

    fn allow(&self, pattern: Option<&str>) -> &str {
        pattern.and_then(|pattern| self.0.get(&without_names(pattern))).map_or("GET, HEAD", |operations| &operations.allow)
    }
}

/// A path without the names of its parameters: the framework replaces them by numbers.
fn without_names(path: &str) -> String {
    path.split('/').map(|segment| if segment.starts_with([':', '{']) { ":" } else { segment }).collect::<Vec<_>>().join("/")
}

/// Runs one request.
///
/// # Errors
///
/// None: an error becomes its answer here.
pub async fn observe(endpoint: Arc<impl Endpoint>, request: Request, observer: Arc<Observer>) -> poem::Result<Response> {
    let started = Instant::now();
    let request_id = RequestId::of(request.headers());
    let method = request.method().clone();
    let uri = request.uri().clone();

    let mut response = endpoint.get_response(request).await;
    let pattern = response.data::<PathPattern>().map(|pattern| pattern.0.clone());
    let mut cause = None;
    if response.status().is_client_error() || response.status().is_server_error() {
        let error = response.data::<Arc<ApiError>>().cloned().unwrap_or_else(|| Arc::new(response.status().into()));
        response = problem(&error, &request_id, uri.path());
        if error.status() == StatusCode::METHOD_NOT_ALLOWED
            && let Ok(allow) = HeaderValue::from_str(observer.paths.allow(pattern.as_deref()))
        {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        cause = Some(error).filter(|error| error.should_log());
    }
    request_id.put_into(&mut response);

    let duration = started.elapsed();
    let route = observer.paths.template(pattern.as_deref());
    observer.metrics.count(route, method.as_str(), response.status(), duration);
    let (path, status) = (uri.path(), response.status().as_u16());
    let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let request_id = request_id.as_str();
    match cause {
        None => tracing::info!(%method, route, path, status, duration_us, request_id, "request"),
        Some(error) => {
            let error = telemetry::with_causes(error.as_ref());
            tracing::error!(%method, route, path, status, duration_us, request_id, error, "request");
        }
    }
    Ok(response)
}

/// The answer that tells of an error.
pub(crate) fn problem(error: &ApiError, request_id: &RequestId, path: &str) -> Response {
    let body = serde_json::to_vec(&error.problem(request_id.as_str(), path)).unwrap_or_default();
    let mut response = Response::builder().status(error.status()).content_type(PROBLEM_JSON).body(body);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    if error.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    }
    response.into_response()
}
