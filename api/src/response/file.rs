//! Bodies in the formats of other programs.

use std::marker::PhantomData;

use poem::{
    IntoResponse, Request, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponses, Registry},
    types::Type,
};

use super::{
    Reply, Representation,
    reply::{next_link, responses},
};
use crate::{cache::set_version, error::ApiError};

/// A format.
pub trait FileFormat: Send + Sync + 'static {
    /// The media type, with its parameters.
    const MEDIA_TYPE: &'static str;
    /// The same as the value of `Content-Type`.
    const CONTENT_TYPE: HeaderValue = HeaderValue::from_static(Self::MEDIA_TYPE);
    /// The name under which browsers store it instead of showing it.
    const FILE_NAME: Option<&'static str> = None;

    /// What a body contains: a text, or the values of JSON.
    type Schema: Type;
}

/// The response of an operation that returns a file: 200, or 304.
#[derive(Debug)]
pub struct FileReply<F> {
    response: Response,
    format: PhantomData<fn() -> F>,
}

/// The same for a page of a list: it may have a `Link` header.
#[derive(Debug)]
pub struct FilePage<F>(FileReply<F>);

impl<F: FileFormat> FileReply<F> {
    /// Encodes the response to a request.
    ///
    /// # Errors
    ///
    /// When the request accepts no coding that we have.
    pub async fn encode(request: &Request, body: Vec<u8>) -> Result<Self, ApiError> {
        let representation = Representation::negotiate(request.headers(), F::CONTENT_TYPE, body).await?;
        Ok(Self::new(Reply::new(representation.respond(request.headers()))))
    }

    /// The same with the version of the catalogue that it has.
    #[must_use]
    pub(crate) fn at_version(mut self, version: i64) -> Self {
        set_version(self.response.headers_mut(), version);
        self
    }

    fn new(reply: Reply<F>) -> Self {
        let mut response = reply.into_response();
        let file_name = F::FILE_NAME.and_then(|name| format!("attachment; filename=\"{name}\"").try_into().ok());
        if let Some(file_name) = file_name.filter(|_| response.status().is_success()) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, file_name);
        }
        Self { response, format: PhantomData }
    }
}

impl<F: FileFormat> FilePage<F> {
    /// A page with a complete response.
    #[must_use]
    pub fn new(reply: Reply<F>) -> Self {
        Self(FileReply::new(reply))
    }
}

impl<F: Send> IntoResponse for FileReply<F> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<F: Send> IntoResponse for FilePage<F> {
    fn into_response(self) -> Response {
        self.0.response
    }
}

impl<F: FileFormat> ApiResponse for FileReply<F> {
    fn meta() -> MetaResponses {
        responses(content::<F>(), Vec::new())
    }

    fn register(registry: &mut Registry) {
        F::Schema::register(registry);
    }
}

impl<F: FileFormat> ApiResponse for FilePage<F> {
    fn meta() -> MetaResponses {
        responses(content::<F>(), vec![next_link()])
    }

    fn register(registry: &mut Registry) {
        F::Schema::register(registry);
    }
}

fn content<F: FileFormat>() -> MetaMediaType {
    MetaMediaType { content_type: F::MEDIA_TYPE, schema: F::Schema::schema_ref() }
}
