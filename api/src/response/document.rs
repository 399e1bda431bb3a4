//! Documents that never change while the process runs: the OpenAPI description, the Swagger UI, the list of errors.

use bytes::Bytes;
use poem::{Endpoint, Request, Response, Result, http::HeaderValue};
use tokio::sync::OnceCell;

use super::{ContentCoding, Representation};

/// An endpoint that serves a document, encoded at most once in each coding.
#[derive(Debug)]
pub struct StaticDocument {
    content_type: HeaderValue,
    body: Bytes,
    encoded: [OnceCell<Representation>; ContentCoding::COUNT],
}

impl StaticDocument {
    /// A document of this media type.
    #[must_use]
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { content_type: HeaderValue::from_static(content_type), body: body.into(), encoded: Default::default() }
    }
}

impl Endpoint for StaticDocument {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let coding = ContentCoding::negotiate(request.headers())?;
        let encode = async || {
            let body = coding.encode(self.body.clone().into()).await?;
            Ok::<_, crate::error::ApiError>(Representation::new(self.content_type.clone(), coding, body))
        };
        let representation = self.encoded[coding as usize].get_or_try_init(encode).await?.clone();
        Ok(representation.respond(request.headers()))
    }
}
