//! JSON bodies of writes.

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

use super::encode_json;
use crate::error::ApiError;

/// A JSON body of the schema of `T`. poem-openapi's `Json` builds a tree of values first.
///
/// `T` describes the same fields to OpenAPI and to serde, so that body and schema cannot differ.
#[derive(Clone, Debug)]
pub struct Encoded<T> {
    body: Bytes,
    schema: PhantomData<fn() -> T>,
}

impl<T> Encoded<T> {
    pub(super) const MEDIA_TYPE: &'static str = "application/json";
}

impl<T: Type + Serialize> Encoded<T> {
    /// Encodes a body.
    ///
    /// # Errors
    ///
    /// When the value cannot be encoded, which is a bug.
    pub fn new(value: &T) -> Result<Self, ApiError> {
        let body = encode_json(value).map_err(ApiError::Encoding)?;
        Ok(Self { body: body.into(), schema: PhantomData })
    }
}

impl<T: Type> Payload for Encoded<T> {
    const CONTENT_TYPE: &'static str = Self::MEDIA_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Send> IntoResponse for Encoded<T> {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::MEDIA_TYPE).body(self.body)
    }
}

impl<T: Type> ApiResponse for Encoded<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Success",
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
