//! JSON bodies that are encoded once.

use std::marker::PhantomData;

use bytes::Bytes;
use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

use crate::{cache::Served, error::ApiError};

/// A JSON body of the schema of `T`, already encoded. poem-openapi's own `Json` builds a tree of values first.
///
/// `T` describes itself to OpenAPI and to serde by the same fields, so body and schema cannot drift apart.
#[derive(Clone, Debug)]
pub struct Encoded<T> {
    body: Body,
    schema: PhantomData<fn() -> T>,
}

#[derive(Clone, Debug)]
enum Body {
    Made(Bytes),
    /// From the cache, with all that is to be said of it.
    Kept(Served),
}

impl<T> Encoded<T> {
    /// An answer that was encoded from a `T` before; [`represent`](super::represent) sends it.
    #[must_use]
    pub fn kept(served: Served) -> Self {
        Self { body: Body::Kept(served), schema: PhantomData }
    }
}

impl<T: Type + Serialize> Encoded<T> {
    /// Encodes an answer.
    ///
    /// # Errors
    ///
    /// When a value cannot be JSON, which is a fault of ours.
    pub fn new(answer: &T) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(answer).map_err(ApiError::Encoding)?;
        Ok(Self { body: Body::Made(body.into()), schema: PhantomData })
    }
}

impl<T: Type> Payload for Encoded<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Send> IntoResponse for Encoded<T> {
    fn into_response(self) -> Response {
        match self.body {
            Body::Made(body) => Response::builder().content_type("application/json").body(body),
            Body::Kept(served) => {
                let mut response = Response::default();
                response.extensions_mut().insert(served);
                response
            }
        }
    }
}

impl<T: Type> ApiResponse for Encoded<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The answer",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
