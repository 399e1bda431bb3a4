//! How large the body of a request may be that no operation reads.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response,
    http::{Method, header},
};

use crate::error::ApiError;

/// The body of a request that has nothing to say: what a client announces beyond this is a mistake.
pub const MAX_BODY_BYTES: u64 = 1024 * 1024;

/// Refuses requests that announce a body over [`MAX_BODY_BYTES`], unless their method brings one: what reads it bounds it. Bodies of
/// unknown length are not read at all.
///
/// # Errors
///
/// When it is refused, or what the endpoint says.
pub async fn bound_body(endpoint: Arc<impl Endpoint<Output = Response>>, request: Request) -> poem::Result<Response> {
    let brings_one = [Method::POST, Method::PUT].contains(request.method());
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if !brings_one && announced.is_some_and(|bytes| bytes > MAX_BODY_BYTES) {
        return Err(ApiError::BodyTooLarge { what: "bytes", limit: MAX_BODY_BYTES }.into());
    }
    endpoint.call(request).await
}
