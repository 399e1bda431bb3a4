//! What every error looks like on the wire, and how the description tells of it.

use std::fmt;

use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;

use crate::error::ApiError;
use crate::response::Nullable;

/// The media type of an error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One fault in a request, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Mistake {
    /// The parameter's name, of a fault in the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// Its place in a JSON body (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Its line in the body, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Mistake {
    /// A fault of a parameter.
    pub fn of_parameter(parameter: &str, message: impl Into<String>) -> Self {
        Self { parameter: Some(parameter.to_owned()), message: message.into(), ..Self::default() }
    }

    /// A fault at a place of a JSON body.
    pub fn at_pointer(pointer: String, message: impl Into<String>) -> Self {
        Self { pointer: Some(pointer), message: message.into(), ..Self::default() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(formatter, "line {line}: ")?;
        }
        if let Some(place) = self.parameter.as_ref().or(self.pointer.as_ref()) {
            write!(formatter, "{place}: ")?;
        }
        formatter.write_str(&self.message)
    }
}

/// What every error looks like (RFC 9457), with the members of the search contract beside.
#[derive(Clone, Debug, Object, Serialize)]
pub struct Problem {
    /// Always `about:blank`: `error.code` tells problems apart.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// Each fault in the request.
    pub errors: Vec<Mistake>,
    /// The id of this request in our logs.
    pub request_id: String,
    /// Always null.
    pub data: Nullable<bool>,
    /// The same for programs.
    pub error: ErrorCode,
}

/// An error for programs.
#[derive(Clone, Debug, Object, Serialize)]
pub struct ErrorCode {
    /// A stable word.
    pub code: String,
    /// What is wrong, in a sentence.
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
                problem(Some(400), "The request cannot be understood; `errors` says why"),
                problem(Some(429), "More requests than a client may make; `Retry-After` says when to ask again"),
                problem(Some(503), "The database is away; `Retry-After` says when to ask again"),
                problem(None, "Any other error, in the same shape"),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}
