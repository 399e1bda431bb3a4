//! Responses to requests that hyper cannot parse. hyper writes them itself, with an empty body, and offers no hook: the [`Socket`]
//! recognizes them among the bytes that it writes, and sends a problem instead, like every other error.
//!
//! [`Socket`]: super::socket::Socket

use poem::http::HeaderMap;

use super::{RequestId, request_metrics::OTHER_METHOD};
use crate::{
    error::ApiError,
    response::{PROBLEM_JSON, Problem, encode_json},
};

/// How the responses of hyper end: they have no other header than `Date`, while those of the service have an `X-Request-Id`.
const EMPTY_BODY: &str = "content-length: 0\r\n";

/// The response to send instead of the `written` bytes, if these are the response of hyper to a request that it cannot parse.
pub(super) fn replace_response(written: &[u8]) -> Option<Vec<u8>> {
    let error = match written.strip_prefix(b"HTTP/1.1 ").or_else(|| written.strip_prefix(b"HTTP/1.0 "))?.get(..3)? {
        b"400" => ApiError::Malformed("the request line or a header is not valid HTTP/1.1"),
        b"431" => ApiError::HeadersTooLarge,
        _ => return None,
    };
    let head = std::str::from_utf8(written).ok()?;
    if !head.ends_with("\r\n\r\n") || head.contains("x-request-id: ") {
        return None;
    }
    let (before, after) = head.split_once(EMPTY_BODY)?;
    let id = RequestId::from_headers(&HeaderMap::new());
    let status = error.status();
    tracing::info!(request.id = id.as_str(), http.status = status.as_u16(), "request rejected by the HTTP parser");
    metrics::counter!("marquee_http_requests_total", "route" => "unmatched", "method" => OTHER_METHOD, "status" => status.as_str().to_owned())
        .increment(1);
    let body = encode_json(&Problem::new(&error, id.as_str(), "/")).ok()?;
    let id = id.as_str();
    let length = body.len();
    let headers = format!(
        "content-type: {PROBLEM_JSON}\r\nx-content-type-options: nosniff\r\ncontent-length: {length}\r\ncache-control: no-store\r\nx-request-id: {id}\r\n"
    );
    Some(format!("{before}{headers}{after}{body}").into_bytes())
}
