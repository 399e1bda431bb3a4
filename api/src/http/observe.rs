//! What happens around every request: it gets an id, its error gets a body, and one line of the log tells how it went.

use std::{collections::HashMap, sync::Arc, time::Instant};

use poem::{
    Endpoint, IntoResponse, PathPattern, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::registry::MetaApi;

use crate::{
    error::{ApiError, PROBLEM_JSON},
    metrics::RequestMetrics,
    search::AtOnce,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A client's own request id is taken up to this length: ids in the field have 16 to 64 characters.
const REQUEST_ID_CHARACTERS: usize = 128;

/// What must be known to tell of a request.
#[derive(Debug)]
pub struct Observer {
    paths: Paths,
    metrics: Arc<RequestMetrics>,
}

impl Observer {
    /// Of the requests for these operations.
    #[must_use]
    pub fn new(apis: &[MetaApi]) -> Self {
        Self { paths: Paths::of(apis), metrics: RequestMetrics::new() }
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
    let request_id = request_id(request.headers());
    let method = request.method().clone();
    let uri = request.uri().clone();

    let mut response = endpoint.get_response(request).await;
    if response.data::<AtOnce>().is_some() {
        return Ok(observer.tell_of_answer_at_once(response, &request_id, started));
    }
    let pattern = response.data::<PathPattern>().map(|pattern| pattern.0.clone());
    let mut cause = None;
    if response.status().is_client_error() || response.status().is_server_error() {
        let error = response.data::<Arc<ApiError>>().cloned().unwrap_or_else(|| Arc::new(ApiError::Refused(response.status())));
        response = answer(&error, &request_id);
        if error.status() == StatusCode::METHOD_NOT_ALLOWED
            && let Ok(allow) = HeaderValue::from_str(observer.paths.allow(pattern.as_deref()))
        {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        cause = error.status().is_server_error().then_some(error);
    }
    insert_request_id(&mut response, &request_id);

    let duration = started.elapsed();
    let route = observer.paths.template(pattern.as_deref());
    observer.metrics.count(route, method.as_str(), response.status(), duration);
    let (path, status) = (uri.path(), response.status().as_u16());
    let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    match cause {
        None => tracing::info!(%method, route, path, status, duration_us, request_id, "request"),
        Some(error) => {
            let error = telemetry::with_causes(error.as_ref());
            tracing::error!(%method, route, path, status, duration_us, request_id, error, "request");
        }
    }
    Ok(response)
}

impl Observer {
    /// Of these there are tens of thousands a second: they are counted, and no line of the log is written unless it is asked for.
    fn tell_of_answer_at_once(&self, mut response: Response, request_id: &str, started: Instant) -> Response {
        insert_request_id(&mut response, request_id);
        let duration = started.elapsed();
        match response.status() {
            StatusCode::OK => self.metrics.count_at_once(duration),
            status => self.metrics.count("/search", "GET", status, duration),
        }
        tracing::debug!(route = "/search", status = response.status().as_u16(), request_id, "request answered at once");
        response
    }
}

fn insert_request_id(response: &mut Response, request_id: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

fn answer(error: &ApiError, request_id: &str) -> Response {
    let body = serde_json::to_vec(&error.problem(request_id)).unwrap_or_default();
    let mut response = Response::builder().status(error.status()).content_type(PROBLEM_JSON).body(body);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response.into_response()
}

/// The client's own id if it is short and plain, so that one id can follow a request through several systems; else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let is_plain = |id: &&str| {
        (1..=REQUEST_ID_CHARACTERS).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_plain);
    // Ids need not be hard to guess, and these cost no system call.
    given
        .map_or_else(|| uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid().to_string(), str::to_owned)
}
