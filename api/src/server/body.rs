//! The limit of request bodies that no operation reads.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response,
    http::{Method, header},
};

use crate::error::ApiError;

/// The largest ignored body. A client that declares more is misbehaving.
pub const MAX_BODY_BYTES: u64 = 1024 * 1024;

/// Rejects GET and similar requests that declare a body over [`MAX_BODY_BYTES`]. POST and PUT bodies are limited by their operations.
/// Bodies of unknown length are not read.
///
/// # Errors
///
/// When the request is rejected, or when the endpoint fails.
pub async fn bound_body(endpoint: Arc<impl Endpoint<Output = Response>>, request: Request) -> poem::Result<Response> {
    let reads_body = [Method::POST, Method::PUT].contains(request.method());
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if !reads_body && declared.is_some_and(|bytes| bytes > MAX_BODY_BYTES) {
        return Err(ApiError::BodyTooLarge { what: "bytes", limit: MAX_BODY_BYTES }.into());
    }
    endpoint.call(request).await
}
