//! The responses of operations that read, as values that describe themselves to OpenAPI.

use std::marker::PhantomData;

use poem::{
    IntoResponse, Request, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;

use super::{Encoded, JSON, Representation, encode_json};
use crate::{cache::set_version, error::ApiError};

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";
/// The [text format](https://prometheus.io/docs/instrumenting/exposition_formats/) of metrics.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The response of an operation that reads a `T`: 200 with its JSON, or 304.
#[derive(Debug)]
pub struct Reply<T> {
    response: Response,
    schema: PhantomData<fn() -> T>,
}

/// The same for a page of a list: it may have a `Link` header.
#[derive(Debug)]
pub struct PageReply<T>(Reply<T>);

/// The same for plain text.
#[derive(Debug)]
pub struct TextReply(Response);

impl<T> Reply<T> {
    /// A response to a GET with the JSON of a `T` as its body.
    #[must_use]
    pub fn new(response: Response) -> Self {
        Self { response, schema: PhantomData }
    }

    /// The same with the version of the catalogue that it has.
    #[must_use]
    pub(crate) fn at_version(mut self, version: i64) -> Self {
        set_version(self.response.headers_mut(), version);
        self
    }
}

impl<T: Serialize> Reply<T> {
    /// Encodes the response to a request.
    ///
    /// # Errors
    ///
    /// When the value cannot be encoded, or the request accepts no coding that we have.
    pub async fn json(request: &Request, value: &T) -> Result<Self, ApiError> {
        let body = encode_json(value).map_err(ApiError::Encoding)?;
        let representation = Representation::negotiate(request.headers(), JSON, body.into()).await?;
        Ok(Self::new(representation.respond(request.headers())))
    }
}

impl<T> PageReply<T> {
    /// A page with a complete response.
    #[must_use]
    pub fn new(reply: Reply<T>) -> Self {
        Self(reply)
    }
}

impl<T: Serialize> PageReply<T> {
    /// Encodes a page. `next` is the value of its `Link` header.
    ///
    /// # Errors
    ///
    /// As [`Reply::json`].
    pub async fn json(request: &Request, value: &T, next: Option<HeaderValue>) -> Result<Self, ApiError> {
        let mut reply = Reply::json(request, value).await?;
        if let Some(next) = next {
            reply.response.headers_mut().insert(header::LINK, next);
        }
        Ok(Self(reply))
    }
}

impl TextReply {
    /// Encodes the response to a request.
    ///
    /// # Errors
    ///
    /// When the request accepts no coding that we have.
    pub async fn new(request: &Request, text: String) -> Result<Self, ApiError> {
        Self::encode(request, PLAIN_TEXT, text).await
    }

    /// Encodes metrics.
    ///
    /// # Errors
    ///
    /// When the request accepts no coding that we have.
    pub async fn prometheus(request: &Request, metrics: String) -> Result<Self, ApiError> {
        Self::encode(request, PROMETHEUS_TEXT, metrics).await
    }

    async fn encode(request: &Request, content_type: &'static str, text: String) -> Result<Self, ApiError> {
        let content_type = HeaderValue::from_static(content_type);
        let representation = Representation::negotiate(request.headers(), content_type, text.into()).await?;
        Ok(Self(representation.respond(request.headers())))
    }
}

impl<T: Send> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<T: Send> IntoResponse for PageReply<T> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl IntoResponse for TextReply {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<T: Type + Serialize> ApiResponse for Reply<T> {
    fn meta() -> MetaResponses {
        let content = MetaMediaType { content_type: Encoded::<T>::MEDIA_TYPE, schema: T::schema_ref() };
        responses(content, Vec::new())
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type + Serialize> ApiResponse for PageReply<T> {
    fn meta() -> MetaResponses {
        let content = MetaMediaType { content_type: Encoded::<T>::MEDIA_TYPE, schema: T::schema_ref() };
        responses(content, vec![next_link()])
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl ApiResponse for TextReply {
    fn meta() -> MetaResponses {
        responses(MetaMediaType { content_type: PLAIN_TEXT, schema: String::schema_ref() }, Vec::new())
    }

    fn register(registry: &mut Registry) {
        String::register(registry);
    }
}

pub(super) fn responses(content: MetaMediaType, headers: Vec<MetaHeader>) -> MetaResponses {
    let response = |status, description, content, headers| MetaResponse {
        description,
        status: Some(status),
        status_range: None,
        content,
        headers,
    };
    MetaResponses {
        responses: vec![
            response(200, "Success", vec![content], headers),
            response(304, "Not modified: `If-None-Match` contains the current `ETag`", Vec::new(), Vec::new()),
        ],
    }
}

/// The `Link` header of a page.
pub(super) fn next_link() -> MetaHeader {
    let description = "The next page (`rel=\"next\"`), relative to the request's URL. Absent on the last page";
    MetaHeader {
        name: "Link".to_owned(),
        description: Some(description.to_owned()),
        required: false,
        deprecated: false,
        schema: <String as Type>::schema_ref(),
    }
}
