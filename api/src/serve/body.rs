//! How large the body of a request may be.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response,
    http::{StatusCode, header},
};

use crate::error::ApiError;

/// The body of a request: no operation reads one as yet, and what a client announces beyond this is a mistake.
pub const MAX_BODY_BYTES: u64 = 1024 * 1024;

/// Refuses requests that announce a body over [`MAX_BODY_BYTES`]. Bodies of unknown length are not read at all.
///
/// # Errors
///
/// When it is refused, or what the endpoint says.
pub async fn bound_body(endpoint: Arc<impl Endpoint<Output = Response>>, request: Request) -> poem::Result<Response> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > MAX_BODY_BYTES) {
        return Err(ApiError::Refused(StatusCode::PAYLOAD_TOO_LARGE).into());
    }
    endpoint.call(request).await
}
