//! Whether an item was rejected, in responses.

use entity::reject;
use poem_openapi::Enum;
use serde::Serialize;

/// Whether an item of a feed was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The item was rejected.
    Error,
    /// The item was imported without a detail.
    Warning,
}

impl From<reject::Severity> for Severity {
    fn from(severity: reject::Severity) -> Self {
        match severity {
            reject::Severity::Error => Self::Error,
            reject::Severity::Warning => Self::Warning,
        }
    }
}
