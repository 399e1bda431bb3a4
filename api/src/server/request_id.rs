//! The id of a request, by which an answer and a line of the log are found to belong together.

use poem::{
    Response,
    http::{HeaderMap, HeaderName, HeaderValue},
};
use uuid::fmt::Hyphenated;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// A client's own id is taken up to this length: ids in the field have 16 to 64 characters.
const MAX_CHARACTERS: usize = 128;

/// An id: letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The client's own id if it is short and plain, so that one id can follow a request through several systems; else a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let is_plain = |id: &&HeaderValue| {
            (1..=MAX_CHARACTERS).contains(&id.len())
                && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        };
        Self(headers.get(HEADER).filter(is_plain).cloned().unwrap_or_else(new))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn put_into(&self, response: &mut Response) {
        response.headers_mut().insert(HEADER, self.0.clone());
    }
}

/// A random UUID. Ids need not be hard to guess, and these cost no system call.
fn new() -> HeaderValue {
    let id = uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
    let mut text = [0; Hyphenated::LENGTH];
    id.hyphenated().encode_lower(&mut text);
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("none"))
}
