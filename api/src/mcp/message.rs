//! The messages of the protocol ([JSON-RPC 2.0](https://www.jsonrpc.org/specification)): what a body must be, and the errors of those
//! that the library cannot read.

use bytes::Bytes;
use poem_openapi::registry::{MetaMediaType, Registry};
use rmcp::model::{ClientJsonRpcMessage, ErrorData, JsonRpcError, RequestId};
use serde_json::Value;

use crate::{error::ApiError, resources::upload::Contents, response::encode_json};

const BATCH: &str = "batches are not supported: send each message in a request, as protocol versions from 2025-06-18 require";
const NOT_A_MESSAGE: &str =
    "the body must be a JSON-RPC 2.0 message: an object with `jsonrpc`, `method`, and for requests an `id` (text or integer)";

/// The body of a request: one message.
#[derive(Debug)]
pub(super) struct Message;

impl Contents for Message {
    const MEDIA_TYPES: &'static [&'static str] = &["application/json"];
    const ACCEPTED: &'static str = "`Content-Type: application/json`";

    fn described() -> Vec<MetaMediaType> {
        Vec::new()
    }

    fn register(_: &mut Registry) {}
}

/// Checks that a body is a message.
///
/// # Errors
///
/// With the error to respond with.
pub(super) fn check(body: &[u8]) -> Result<(), JsonRpcError> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| JsonRpcError::new(None, ErrorData::parse_error(format!("the body must be JSON: {error}"), None)))?;
    let reason = if value.is_array() { BATCH } else { NOT_A_MESSAGE };
    let id = value.get("id").and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok());
    match serde_json::from_value::<ClientJsonRpcMessage>(value) {
        Ok(_) => Ok(()),
        Err(_) => Err(JsonRpcError::new(id, ErrorData::invalid_request(reason, None))),
    }
}

/// The error for a text with which the library rejects a request.
pub(super) fn reject(text: &[u8]) -> JsonRpcError {
    let text = String::from_utf8_lossy(text).into_owned();
    JsonRpcError::new(None, ErrorData::invalid_request(text, None))
}

/// Encodes the response to a message that is rejected.
///
/// # Errors
///
/// When it cannot be encoded.
pub(super) fn encode(error: &JsonRpcError) -> Result<Bytes, ApiError> {
    encode_json(error).map(Bytes::from).map_err(ApiError::Encoding)
}
