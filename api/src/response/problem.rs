//! Problem responses (RFC 9457), and how the OpenAPI document describes them.

use poem::{
    Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;

use super::{AlwaysNull, encode_json};
use crate::error::{ApiError, ErrorCode, ValidationError};

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Deepest request path with a relative `type`. Routes are shallower; longer paths must not inflate the response.
const MAX_PATH_DEPTH: usize = 16;
/// In the extensions of an error response: its body describes the error in the format of another protocol than HTTP, and is not replaced by
/// a problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DescribedError;

/// The authentication schemes of API keys.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"marquee\", Basic realm=\"marquee\"");

/// The body of every error: a problem (RFC 9457), with the members `data` and `error` of the search contract.
#[derive(Clone, Debug, Object, Serialize)]
pub struct Problem {
    /// The documentation of the error code, as a reference relative to the request's URL.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// A summary of the problem, the same for each occurrence of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, and what is accepted.
    pub detail: String,
    /// The invalid parts of the request.
    pub errors: Vec<ValidationError>,
    /// The id of the request in the server's log.
    pub request_id: String,
    /// Always null.
    pub data: AlwaysNull,
    /// The error code and the detail.
    pub error: ErrorSummary,
}

/// An error for programs.
#[derive(Clone, Debug, Object, Serialize)]
pub struct ErrorSummary {
    /// The stable code of the error.
    pub code: ErrorCode,
    /// The same as `detail`.
    pub message: String,
}

impl Problem {
    /// The problem of an error in the response to a request of this path.
    #[must_use]
    pub fn new(error: &ApiError, request_id: &str, path: &str) -> Self {
        let (code, detail) = (error.code(), error.detail());
        Self {
            kind: reference(code, path),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            errors: error.errors().to_vec(),
            request_id: request_id.to_owned(),
            data: AlwaysNull,
            error: ErrorSummary { code, message: detail.clone() },
            detail,
        }
    }
}

/// The response to a request that failed.
#[must_use]
pub fn problem_response(error: &ApiError, request_id: &str, path: &str) -> Response {
    let body = encode_json(&Problem::new(error, request_id, path)).unwrap_or_default();
    let mut response = Response::builder().status(error.status()).content_type(PROBLEM_JSON).body(body);
    set_error_headers(error, response.headers_mut());
    response
}

/// Sets the headers of the response to a request that failed, in any format.
pub(crate) fn set_error_headers(error: &ApiError, headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if let Some(location) = error.location().and_then(|location| HeaderValue::from_str(location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    if error.status() == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
    }
}

/// The entry of the code in `/errors`, relative to the request's path, so that it also works behind a path prefix.
fn reference(code: ErrorCode, path: &str) -> String {
    let depth = path.matches('/').count().saturating_sub(1);
    let root = if depth > MAX_PATH_DEPTH { "/".to_owned() } else { "../".repeat(depth) };
    format!("{root}errors#{}", code.name())
}

impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        // Stands for the errors of each operation, which the OpenAPI document lists by status.
        let any = MetaResponse {
            description: "An error",
            status: None,
            status_range: None,
            content: vec![MetaMediaType { content_type: PROBLEM_JSON, schema: Problem::schema_ref() }],
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![any] }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_relative_to_the_path_of_the_request() {
        for (path, expected) in [
            ("/", "errors#not_found"),
            ("/search", "errors#not_found"),
            ("/sync-runs/9", "../errors#not_found"),
            ("/livez/", "../errors#not_found"),
            ("/events/1/rates", "../../errors#not_found"),
        ] {
            assert_eq!(reference(ErrorCode::NotFound, path), expected, "{path}");
        }
        assert_eq!(reference(ErrorCode::PathNotFound, &"/".repeat(30_000)), "/errors#path_not_found");
    }
}
