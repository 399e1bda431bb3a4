//! `If-Match` of writes ([RFC 9110, 13.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1)): a client changes a resource only if
//! nothing has changed it since the client read it.

use headers::{ETag, HeaderMapExt, IfMatch};
use poem::http::HeaderMap;

use super::{ContentCoding, StoredBody, etag_of};
use crate::error::ApiError;

/// The condition of a write.
#[derive(Debug)]
pub struct Precondition(IfMatch);

impl Precondition {
    /// The condition in the headers of a request, if it has one.
    ///
    /// # Errors
    ///
    /// When the header is malformed: ignoring it would change what the client protects.
    pub fn of(request: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let malformed = |_| ApiError::parameter("If-Match", "must be `*` or a list of the `ETag`s of responses");
        Ok(request.typed_try_get().map_err(malformed)?.map(Self))
    }

    /// Checks the condition against the body that a GET of the same URL returns now. It is true for the validator of any coding.
    ///
    /// # Errors
    ///
    /// When none of the validators of the condition is current.
    pub async fn check(&self, body: StoredBody) -> Result<(), ApiError> {
        for coding in ContentCoding::ALL {
            let etag = etag_of(coding.encode(body.clone()).await?.bytes());
            let etag: Option<ETag> = etag.to_str().ok().and_then(|etag| etag.parse().ok());
            if etag.is_some_and(|etag| self.0.precondition_passes(&etag)) {
                return Ok(());
            }
        }
        Err(ApiError::PreconditionFailed)
    }
}
