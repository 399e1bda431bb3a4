//! How an answer is sent, whatever it says: validator, coding, what caches may do with it, 304, and HEAD.

use std::sync::Arc;

use bytes::Bytes;
use poem::{
    Body, Endpoint, Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use xxhash_rust::xxh3::xxh3_128;

use super::{Coding, conditional};
use crate::{cache::Served, error::ApiError};

/// A shared cache may keep an answer, and asks whether it still holds before each use: that costs a 304 and no query, and a new
/// version is seen as soon as it is known here.
pub(crate) const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, no-cache");
/// Answers differ by the coding that the client takes, and by nothing else of the request.
pub(crate) const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");
/// Bodies over this are encoded on a thread that may take its time; below it that takes less than handing it over.
const ENCODED_AT_ONCE_BYTES: usize = 32 * 1024;

/// What a request says of how it wants to be answered.
#[derive(Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) is_head: bool,
}

impl Asker<'_> {
    /// The answer with these headers, or 304 if the asker has it already. `headers` are to hold the validator.
    pub(crate) fn respond(&self, mut headers: HeaderMap, body: Bytes) -> Response {
        let is_known = headers.get(header::ETAG).is_some_and(|etag| conditional::is_known(self.headers, etag));
        let mut response = if is_known {
            headers.remove(header::CONTENT_TYPE);
            headers.remove(header::CONTENT_ENCODING);
            Response::from(StatusCode::NOT_MODIFIED)
        } else if self.is_head {
            headers.insert(header::CONTENT_LENGTH, body.len().into());
            Response::default()
        } else {
            Response::from(Body::from(body))
        };
        *response.headers_mut() = headers;
        response
    }
}

/// Answers HEAD as GET, and sends what was found as the client wants it.
///
/// # Errors
///
/// What the endpoint fails with, and 406 for a client that takes no coding at all.
pub async fn represent(endpoint: Arc<impl Endpoint<Output = Response>>, mut request: Request) -> poem::Result<Response> {
    let is_head = request.method() == Method::HEAD;
    if !is_head && request.method() != Method::GET {
        return endpoint.call(request).await;
    }
    let coding = Coding::wanted(request.headers()).ok_or(ApiError::NotAcceptable)?;
    request.set_method(Method::GET);
    let request_headers = request.headers().clone();
    let asker = Asker { headers: &request_headers, is_head };

    let mut response = endpoint.call(request).await?;
    if let Some(served) = response.extensions_mut().remove::<Served>() {
        return Ok(with_extensions_of(response, served.respond(&asker)));
    }
    if response.status() != StatusCode::OK {
        return Ok(response);
    }
    let body = response.take_body().into_bytes().await.map_err(|_| ApiError::ResponseBody)?;
    let body = encode(body, coding).await?;
    let mut headers = std::mem::take(response.headers_mut());
    headers.insert(header::ETAG, conditional::etag_of(xxh3_128(&body)));
    headers.insert(header::VARY, VARY);
    headers.entry(header::CACHE_CONTROL).or_insert(CACHE_CONTROL);
    if let Some(coding) = coding.header() {
        headers.insert(header::CONTENT_ENCODING, coding);
    }
    Ok(with_extensions_of(response, asker.respond(headers, body)))
}

/// Encodes a body, where it cannot delay others.
pub(crate) async fn encode(body: Bytes, coding: Coding) -> Result<Bytes, ApiError> {
    if coding == Coding::Identity || body.len() <= ENCODED_AT_ONCE_BYTES {
        return Ok(coding.encode(&body));
    }
    tokio::task::spawn_blocking(move || coding.encode(&body)).await.map_err(|_| ApiError::ResponseBody)
}

/// They hold the route that was matched, for the log and the metrics.
fn with_extensions_of(mut from: Response, mut to: Response) -> Response {
    *to.extensions_mut() = std::mem::take(from.extensions_mut());
    to
}
