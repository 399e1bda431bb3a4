//! Invalid parts of requests.

use std::fmt;

use poem_openapi::Object;
use serde::Serialize;

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
    /// What is wrong, and what is accepted. For a parameter, it continues a sentence that begins with the name.
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
        if let Some(parameter) = &self.parameter {
            write!(formatter, "`{parameter}` ")?;
        } else if let Some(pointer) = &self.pointer {
            write!(formatter, "{pointer}: ")?;
        }
        formatter.write_str(&self.message)
    }
}
