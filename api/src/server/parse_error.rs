//! Responses to requests that hyper cannot parse. hyper writes them itself, with an empty body, and offers no hook: the [`Socket`]
//! recognizes them among the bytes that it writes, and sends a problem instead, like every other error.
//!
//! [`Socket`]: super::socket::Socket

use poem::http::HeaderMap;

use super::{RequestId, request_metrics::OTHER_METHOD};
use crate::{
    error::ApiError,
    query::MAX_TARGET_BYTES,
    response::{PROBLEM_JSON, Problem, encode_json},
};

/// How the responses of hyper end: they have no other header than `Date`, while those of the service have an `X-Request-Id`.
const EMPTY_BODY: &str = "content-length: 0\r\n";

/// Whether a head has a line. hyper has one error for a head that is too large, and does not report whether its request line is.
#[derive(Debug, Default)]
pub(super) struct HeadLines {
    has_line: bool,
    /// Whether the last read ended with a head, so that the next one begins another head, or a body.
    is_head_complete: bool,
}

impl HeadLines {
    /// Records a read. Of requests that are sent before the previous response, and after a body with lines, a head may appear to have a
    /// line that it lacks, and never the reverse.
    pub(super) fn record_read(&mut self, bytes: &[u8]) {
        self.has_line = self.has_line && !self.is_head_complete || bytes.contains(&b'\n');
        self.is_head_complete = bytes.ends_with(b"\r\n\r\n");
    }
}

/// The response to send instead of the `written` bytes, if these are the response of hyper to a request that it cannot parse.
pub(super) fn replace_response(written: &[u8], lines: &HeadLines) -> Option<Vec<u8>> {
    let error = match written.strip_prefix(b"HTTP/1.1 ").or_else(|| written.strip_prefix(b"HTTP/1.0 "))?.get(..3)? {
        b"400" => ApiError::Malformed("the request line or a header is not valid HTTP/1.1"),
        b"431" if !lines.has_line => ApiError::UriTooLong { limit: MAX_TARGET_BYTES },
        b"431" => ApiError::HeadersTooLarge,
        _ => return None,
    };
    let head = std::str::from_utf8(written).ok()?;
    if !head.ends_with("\r\n\r\n") || head.contains("x-request-id: ") {
        return None;
    }
    let (before, after) = head.split_once(EMPTY_BODY)?;
    let (version, other_headers) = (before.get(..8)?, before.split_once("\r\n")?.1);
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
    Some(format!("{version} {status}\r\n{other_headers}{headers}{after}{body}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_a_line_after_its_first_line_feed() {
        let request = "GET /a HTTP/1.1\r\nA: b\r\n\r\n";
        for (reads, expected) in [
            (&[][..], false),
            (&["GET /", "aaaa"], false),
            (&["GET /a HTTP/1.1\r", "\n", "A: b"], true),
            (&[request, "GET /"], false),
            (&[request, request, "GET /", "aaaa"], false),
            (&[request, "GET /a HTTP/1.1\r\nA: ", "aaaa"], true),
            (&[request, "body", "GET /", "aaaa"], false),
            // Not known.
            (&["GET /a HTTP/1.1\r\n\r\nGET /", "aaaa"], true),
        ] {
            let mut lines = HeadLines::default();
            reads.iter().for_each(|bytes| lines.record_read(bytes.as_bytes()));
            assert_eq!(lines.has_line, expected, "{reads:?}");
        }
    }
}
