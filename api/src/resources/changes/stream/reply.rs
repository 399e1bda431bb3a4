//! The response of a stream: Server-Sent Events.

use poem::{
    Body, IntoResponse, Response,
    http::{HeaderName, HeaderValue, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

const EVENT_STREAM: &str = "text/event-stream";
/// Proxies that buffer responses, such as nginx, forward this one while it is sent.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A response that ends only with its stream.
#[derive(Debug)]
pub(in super::super) struct EventStreamReply(Response);

impl EventStreamReply {
    pub(super) fn new(body: Body) -> Self {
        let mut response = Response::builder().content_type(EVENT_STREAM).body(body);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
        Self(response)
    }
}

impl IntoResponse for EventStreamReply {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for EventStreamReply {
    fn meta() -> MetaResponses {
        let content = MetaMediaType { content_type: EVENT_STREAM, schema: String::schema_ref() };
        let response = MetaResponse {
            description: "Success",
            status: Some(200),
            status_range: None,
            content: vec![content],
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        String::register(registry);
    }
}
