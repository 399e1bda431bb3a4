//! Problem responses (RFC 9457), and how the OpenAPI document describes them.

use std::fmt;

use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;

use super::Nullable;
use crate::error::{ApiError, ErrorCode};

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One invalid part of a request, and its position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct ValidationError {
    /// The name of the invalid parameter or header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The position in a JSON body, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The line in the body, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What is wrong, and what is accepted.
    pub message: String,
}

impl ValidationError {
    /// An invalid parameter.
    pub fn for_parameter(parameter: &str, message: impl Into<String>) -> Self {
        Self { parameter: Some(parameter.to_owned()), message: message.into(), ..Self::default() }
    }

    /// An invalid value in a JSON body.
    pub fn at_pointer(pointer: String, message: impl Into<String>) -> Self {
        Self { pointer: Some(pointer), message: message.into(), ..Self::default() }
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(formatter, "line {line}: ")?;
        }
        if let Some(position) = self.parameter.as_ref().or(self.pointer.as_ref()) {
            write!(formatter, "{position}: ")?;
        }
        formatter.write_str(&self.message)
    }
}

/// The body of every error: a problem (RFC 9457), with the members `data` and `error` of the search contract.
#[derive(Clone, Debug, Object, Serialize)]
pub struct Problem {
    /// The documentation of the error code, as a reference relative to the request's URL.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// A summary of the problem, the same for each occurrence of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, and what is accepted.
    pub detail: String,
    /// The invalid parts of the request.
    pub errors: Vec<ValidationError>,
    /// The id of the request in the server's log.
    pub request_id: String,
    /// Always null.
    pub data: Nullable<bool>,
    /// The error code and the detail.
    pub error: ErrorSummary,
}

/// An error for programs.
#[derive(Clone, Debug, Object, Serialize)]
pub struct ErrorSummary {
    /// The stable code of the error.
    pub code: ErrorCode,
    /// The same as `detail`.
    pub message: String,
}

impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        let problem = |status, description| MetaResponse {
            description,
            status,
            status_range: None,
            content: vec![MetaMediaType { content_type: PROBLEM_JSON, schema: Problem::schema_ref() }],
            headers: Vec::new(),
        };
        MetaResponses {
            responses: vec![
                problem(Some(400), "The request is invalid; `errors` lists why"),
                problem(Some(429), "The client exceeded its rate limit; retry after `Retry-After`"),
                problem(Some(503), "The service is temporarily unavailable; retry after `Retry-After`"),
                problem(None, "Any other error, as the same problem document"),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}
