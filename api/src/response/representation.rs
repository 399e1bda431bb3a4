//! A body as it is sent, and the response of a read: coding, validator, caching headers, and 304
//! ([RFC 9110, 8](https://www.rfc-editor.org/rfc/rfc9110#section-8) and [13](https://www.rfc-editor.org/rfc/rfc9110#section-13)).

use headers::{ETag, HeaderMapExt, IfNoneMatch};
use poem::{
    Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use xxhash_rust::xxh3::xxh3_128;

use super::{ContentCoding, StoredBody};
use crate::error::ApiError;

/// The media type of almost every response.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Shared caches may store a response and must revalidate it before each use: that costs a 304 and no query, and a new version is
/// visible as soon as this process knows it.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, no-cache");
/// Responses depend on no other request header.
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");
/// Headers of a typical response, those of the outer layers included.
const HEADERS: usize = 16;

/// A body with its media type, its coding and its validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// The value of `Content-Type`.
    pub content_type: HeaderValue,
    /// The coding of `body`.
    pub coding: ContentCoding,
    /// The value of `ETag`, a strong validator: it identifies these bytes, so each coding has its own.
    pub etag: HeaderValue,
    /// The bytes.
    pub body: StoredBody,
}

impl Representation {
    /// A body that is in this coding already.
    #[must_use]
    pub fn new(content_type: HeaderValue, coding: ContentCoding, body: StoredBody) -> Self {
        Self { content_type, coding, etag: etag_of(body.bytes()), body }
    }

    /// Encodes a body in the coding that a request prefers.
    ///
    /// # Errors
    ///
    /// When the request accepts no coding that we have.
    pub async fn negotiate(request: &HeaderMap, content_type: HeaderValue, body: Vec<u8>) -> Result<Self, ApiError> {
        let coding = ContentCoding::negotiate(request)?;
        Ok(Self::new(content_type, coding, coding.encode(body.into()).await?))
    }

    /// The response to a GET with these request headers: 200, or 304 without a body if `If-None-Match` contains the validator.
    #[must_use]
    pub fn respond(self, request: &HeaderMap) -> Response {
        let is_modified = is_modified(request, &self.etag);
        let mut headers = HeaderMap::with_capacity(HEADERS);
        if is_modified {
            headers.insert(header::CONTENT_TYPE, self.content_type);
            // The router answers HEAD by dropping the body, from which it would be derived.
            headers.insert(header::CONTENT_LENGTH, self.body.content_length().into());
            if let Some(coding) = self.coding.header() {
                headers.insert(header::CONTENT_ENCODING, coding);
            }
        }
        headers.insert(header::ETAG, self.etag);
        headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
        headers.insert(header::VARY, VARY);
        let mut response =
            if is_modified { Response::from(self.body.into_body()) } else { Response::from(StatusCode::NOT_MODIFIED) };
        *response.headers_mut() = headers;
        response
    }
}

/// The `ETag` of a body: a hash of its bytes.
#[must_use]
pub fn etag_of(body: &[u8]) -> HeaderValue {
    // Hexadecimal digits in quotes are a valid header value.
    HeaderValue::try_from(format!("\"{:032x}\"", xxh3_128(body))).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the client lacks the representation with this validator. A malformed `If-None-Match` matches nothing.
#[must_use]
pub fn is_modified(request: &HeaderMap, etag: &HeaderValue) -> bool {
    // Checked first: most requests have no such header, and parsing our own validator has a cost.
    if !request.contains_key(header::IF_NONE_MATCH) {
        return true;
    }
    let condition: Option<IfNoneMatch> = request.typed_get();
    let etag: Option<ETag> = etag.to_str().ok().and_then(|etag| etag.parse().ok());
    match (condition, etag) {
        (Some(condition), Some(etag)) => condition.precondition_passes(&etag),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_is_compared_weakly_with_each_tag_of_the_list() {
        for (list, is_match) in [
            ("\"a,b\"", true),
            ("W/\"a,b\"", true),
            ("*", true),
            ("\"x\", \"a,b\"", true),
            ("\"x\",W/\"y\" ,\"a,b\",\"z\"", true),
            ("\"a\"", false),
            ("\"A,B\"", false),
            ("w/\"a,b\"", false),
            ("a,b", false),
            ("\"a,b", false),
            ("", false),
            (",", false),
        ] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(list))]);
            assert_eq!(!is_modified(&headers, &HeaderValue::from_static("\"a,b\"")), is_match, "{list}");
        }
    }
}
