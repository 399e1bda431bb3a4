//! The orders of a list of events.

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::query::{ParameterKind, Parameters};

/// The order of a list. Events that are equal in it are sorted by their start, and then by their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Earliest first.
    #[default]
    StartsAt,
    /// Latest first.
    StartsAtDescending,
    /// By the lowest price, cheapest first. Events without a price are the last.
    Price,
    /// By the lowest price, most expensive first. Events without a price are the last.
    PriceDescending,
    /// Nearest first.
    Distance,
    /// Those in which the words are most important first, of the first ones by their start.
    Relevance,
    /// Those that changed last first.
    UpdatedAtDescending,
    /// Those that were first seen last first.
    FirstSeenAtDescending,
}

/// A position in a list: the value by which it is sorted if that is not the start, the start, and the id.
pub type SortKey = (SortValue, i64, Uuid);

/// A value by which a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SortValue {
    /// A price in minor units, an instant, or a rank.
    Integer(i64),
    /// A distance.
    Float(f64),
    /// There is none.
    Absent,
}

/// The value of `sort`.
#[derive(Debug)]
pub(crate) struct SortText;

impl Sort {
    /// All orders.
    pub(crate) const ALL: [Self; 8] = [
        Self::StartsAt,
        Self::StartsAtDescending,
        Self::Price,
        Self::PriceDescending,
        Self::Distance,
        Self::Relevance,
        Self::UpdatedAtDescending,
        Self::FirstSeenAtDescending,
    ];

    pub(crate) fn read(parameters: &mut Parameters<'_>) -> Self {
        let parse = |text: &str| {
            let names = Self::ALL.map(Self::name).join(", ");
            Self::ALL.into_iter().find(|sort| sort.name() == text).ok_or_else(|| format!("must be one of {names}"))
        };
        parameters.get("sort", parse).unwrap_or_default()
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::StartsAt
    }

    /// The value of the parameter.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StartsAt => "starts_at",
            Self::StartsAtDescending => "-starts_at",
            Self::Price => "price",
            Self::PriceDescending => "-price",
            Self::Distance => "distance",
            Self::Relevance => "relevance",
            Self::UpdatedAtDescending => "-updated_at",
            Self::FirstSeenAtDescending => "-first_seen_at",
        }
    }

    /// Whether events are read in the order of their starts.
    pub(super) fn is_by_start(self) -> bool {
        matches!(self, Self::StartsAt | Self::StartsAtDescending | Self::Relevance)
    }

    /// Whether prices are compared.
    pub(super) fn is_by_price(self) -> bool {
        matches!(self, Self::Price | Self::PriceDescending)
    }
}

impl Serialize for Sort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl ParameterKind for SortText {
    fn schema() -> MetaSchema {
        let names = Sort::ALL.map(|sort| sort.name().into()).into();
        MetaSchema { enum_items: names, default: Some(Sort::default().name().into()), ..MetaSchema::new("string") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_cursors_remain_what_they_are() {
        for value in [SortValue::Integer(-1), SortValue::Float(0.0), SortValue::Float(0.1 + 0.2), SortValue::Absent] {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<SortValue>(&text).unwrap(), value, "{text}");
        }
    }
}
