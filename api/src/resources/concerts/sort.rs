//! The order of concerts.

use poem_openapi::registry::MetaSchema;
use serde::{Serialize, Serializer};

use super::filters::ConcertSortKey;
use crate::query::{ParameterKind, Parameters};

/// The order of a list of concerts. Those that start at the same time are sorted by their events and the positions of their performers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ConcertSort {
    /// Latest first.
    #[default]
    StartsAtDescending,
    /// Earliest first.
    StartsAt,
}

/// The value of `sort`.
#[derive(Debug)]
pub(super) struct ConcertSortText;

impl ConcertSort {
    const ALL: [Self; 2] = [Self::StartsAtDescending, Self::StartsAt];

    pub(super) fn read(parameters: &mut Parameters<'_>) -> Self {
        let parse = |text: &str| {
            let known = Self::ALL.into_iter().find(|sort| sort.name() == text);
            known.ok_or_else(|| format!("must be {}", Self::ALL.map(Self::name).join(" or ")))
        };
        parameters.get("sort", parse).unwrap_or_default()
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn name(self) -> &'static str {
        match self {
            Self::StartsAtDescending => "-starts_at",
            Self::StartsAt => "starts_at",
        }
    }

    /// The direction of the columns of an `ORDER BY`.
    pub(super) fn direction(self) -> &'static str {
        match self {
            Self::StartsAtDescending => "DESC",
            Self::StartsAt => "ASC",
        }
    }

    /// The operator between a sort key and one that precedes it.
    pub(super) fn follows(self) -> &'static str {
        match self {
            Self::StartsAtDescending => "<",
            Self::StartsAt => ">",
        }
    }

    /// Sorts rows.
    pub(super) fn sort<Row>(self, rows: &mut [Row], sort_key: impl Fn(&Row) -> ConcertSortKey) {
        rows.sort_unstable_by_key(sort_key);
        if self == Self::StartsAtDescending {
            rows.reverse();
        }
    }
}

impl Serialize for ConcertSort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl ParameterKind for ConcertSortText {
    fn schema() -> MetaSchema {
        let names = ConcertSort::ALL.map(|sort| sort.name().into()).into();
        MetaSchema { enum_items: names, default: Some(ConcertSort::default().name().into()), ..MetaSchema::new("string") }
    }
}
