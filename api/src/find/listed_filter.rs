//! The filter `listed`: whether events are still in the feed of their provider.

use poem_openapi::registry::MetaSchema;
use serde::{Serialize, Serializer};

use crate::query::{ParameterKind, Parameters};

/// Which events, by their presence in the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListedFilter {
    /// Those in the feed.
    Listed,
    /// Those that have left it.
    Left,
    /// All.
    Any,
}

/// The value of `listed`.
#[derive(Debug)]
pub(crate) struct ListedText;

impl ListedFilter {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Option<Self> {
        let parse = |text: &str| match text {
            "true" => Ok(Self::Listed),
            "false" => Ok(Self::Left),
            "any" => Ok(Self::Any),
            _ => Err("must be `true`, `false` or `any`".to_owned()),
        };
        parameters.get("listed", parse)
    }

    pub(super) fn condition(self) -> Option<&'static str> {
        match self {
            Self::Listed => Some("listing.listed = TRUE"),
            Self::Left => Some("listing.listed = FALSE"),
            Self::Any => None,
        }
    }
}

impl Serialize for ListedFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Listed => "true",
            Self::Left => "false",
            Self::Any => "any",
        })
    }
}

impl ParameterKind for ListedText {
    fn schema() -> MetaSchema {
        MetaSchema { enum_items: ["true", "false", "any"].map(Into::into).into(), ..MetaSchema::new("string") }
    }
}
