//! `POST /mcp`: reads of the API as tools of the [Model Context Protocol](https://modelcontextprotocol.io), for language models
//! ([ADR 48](../../../docs/adr/0048-mcp.md)).
//!
//! A tool is an operation of the API: its arguments are the query parameters, and a call is a request inside the process. Nothing is
//! stored for a client. It is not an operation itself, because the protocol defines its messages.

mod arguments;
mod message;
mod operations;
mod server;
mod tools;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use poem::{
    Endpoint, Request, Response, Route,
    http::{HeaderValue, Request as HttpRequest, StatusCode, header},
};
use rmcp::transport::{
    StreamableHttpServerConfig, StreamableHttpService, streamable_http_server::session::never::NeverSessionManager,
};
use serde_json::Value;
use tracing::Span;

use self::{message::Message, operations::Operations, server::ToolServer, tools::Tools};
use crate::{
    error::ApiError,
    query::no_parameters,
    resources::upload::{Upload, media_type, require_no_coding},
    response::{ContentCoding, Cors, DescribedError, JSON},
};

/// The path of the endpoint.
pub(crate) const PATH: &str = "/mcp";
/// The longest message: twice the arguments of the longest URL, if every character of them is escaped.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// The library requires both. It responds with JSON, which every client must accept.
const ACCEPT: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");

/// The endpoint.
pub(crate) struct McpEndpoint {
    cors: Cors,
    service: StreamableHttpService<ToolServer, NeverSessionManager>,
}

impl McpEndpoint {
    /// The endpoint for these operations, which `document` describes.
    pub(crate) fn new(cors: Cors, operations: Route, document: &str) -> Self {
        // Our own document is valid.
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        let server = ToolServer::new(Arc::new(Tools::of(&document)), Arc::new(Operations::new(operations)));
        // The service entry checks `Host`, and `call` checks `Origin`.
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(MAX_MESSAGE_BYTES)
            .disable_allowed_hosts();
        let service = StreamableHttpService::new(move || Ok(server.clone()), Arc::default(), config);
        Self { cors, service }
    }
}

impl Endpoint for McpEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if !self.cors.accepts_origin(request.headers()) {
            return Err(ApiError::OriginNotAllowed.into());
        }
        no_parameters(&request)?;
        media_type::<Message>(&request)?;
        require_no_coding(&request)?;
        let coding = ContentCoding::negotiate(request.headers())?;
        let (request, mut body) = request.split();
        let bytes = Upload::<Message>::of(&request, &mut body)?.bytes(MAX_MESSAGE_BYTES).await?;
        if let Err(error) = message::check(&bytes) {
            return Ok(respond(StatusCode::BAD_REQUEST, coding, message::encode(&error)?).await?);
        }
        let (parts, body) = self.service.handle(forward(&request, bytes.into())).await.into_parts();
        let Ok(body) = body.collect().await;
        if parts.status.is_server_error() {
            return Err(ApiError::TaskPanicked.into());
        }
        let body = body.to_bytes();
        let is_json = body.is_empty() || parts.headers.get(header::CONTENT_TYPE) == Some(&JSON);
        let body = if is_json { body } else { message::encode(&message::reject(&body))? };
        Ok(respond(parts.status, coding, body).await?)
    }
}

/// The request as the library reads it.
fn forward(request: &Request, body: Bytes) -> HttpRequest<Full<Bytes>> {
    let mut forwarded = HttpRequest::new(Full::new(body));
    request.method().clone_into(forwarded.method_mut());
    request.uri().clone_into(forwarded.uri_mut());
    request.headers().clone_into(forwarded.headers_mut());
    request.extensions().clone_into(forwarded.extensions_mut());
    forwarded.headers_mut().insert(header::ACCEPT, ACCEPT);
    // The library calls tools in a task, outside of the span.
    forwarded.extensions_mut().insert(Span::current());
    forwarded
}

/// A response with a message, or without one.
async fn respond(status: StatusCode, coding: ContentCoding, body: Bytes) -> Result<Response, ApiError> {
    let mut response = Response::builder().status(status).header(header::CACHE_CONTROL, NO_STORE).finish();
    if status.is_client_error() {
        response.extensions_mut().insert(DescribedError);
    }
    if !body.is_empty() {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, JSON);
        headers.insert(header::VARY, VARY);
        if let Some(coding) = coding.header() {
            headers.insert(header::CONTENT_ENCODING, coding);
        }
        response.set_body(coding.encode(body.into()).await?.into_body());
    }
    Ok(response)
}
