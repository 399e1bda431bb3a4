//! Request ids, which connect a response to its log lines.

use poem::{
    Response,
    http::{HeaderMap, HeaderName, HeaderValue},
};
use uuid::fmt::Hyphenated;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ids of clients are ignored: common formats have 16 to 64 characters.
const MAX_CHARACTERS: usize = 128;

/// An id of letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The id that the client sent, if it is valid, so that one id can follow a request through several systems; else a new one.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let is_well_formed = |id: &&HeaderValue| {
            (1..=MAX_CHARACTERS).contains(&id.len())
                && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        };
        Self(headers.get(HEADER).filter(is_well_formed).cloned().unwrap_or_else(generate))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn set_header(&self, response: &mut Response) {
        response.headers_mut().insert(HEADER, self.0.clone());
    }
}

/// A random UUID. Ids need not be hard to guess, and this generator needs no system call.
fn generate() -> HeaderValue {
    let id = uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
    let mut text = [0; Hyphenated::LENGTH];
    id.hyphenated().encode_lower(&mut text);
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("none"))
}
