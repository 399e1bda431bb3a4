//! The filter `status` of events.

use std::collections::BTreeSet;

use entity::EventStatus;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::{Serialize, Serializer};

use super::{ParameterKind, Parameters};

/// The value that means every status.
const ANY: &str = "any";

/// Which statuses an event may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StatusFilter {
    /// All but cancelled.
    #[default]
    NotCancelled,
    /// Any.
    Any,
    /// One of these.
    Of(BTreeSet<EventStatus>),
}

/// Names of statuses.
#[derive(Debug)]
pub(crate) struct StatusNames;

impl ParameterKind for StatusNames {
    fn schema() -> MetaSchema {
        let names = EventStatus::ALL.map(EventStatus::name).into_iter().chain([ANY]).map(Into::into).collect();
        let name = MetaSchema { enum_items: names, ..MetaSchema::new("string") };
        MetaSchema { items: Some(Box::new(MetaSchemaRef::Inline(Box::new(name)))), ..MetaSchema::new("array") }
    }
}

impl StatusFilter {
    /// Reads the parameter.
    pub(crate) fn read(parameters: &mut Parameters<'_>) -> Self {
        Self::read_or(parameters, Self::NotCancelled)
    }

    /// Reads the parameter, with the filter that is applied without it.
    pub(crate) fn read_or(parameters: &mut Parameters<'_>, default: Self) -> Self {
        let statuses = parameters.list_of("status", parse_status);
        if statuses.contains(&None) {
            return Self::Any;
        }
        let statuses: BTreeSet<EventStatus> = statuses.into_iter().flatten().collect();
        match statuses.len() {
            0 => default,
            all if all == EventStatus::ALL.len() => Self::Any,
            others if others == EventStatus::ALL.len() - 1 && !statuses.contains(&EventStatus::Cancelled) => Self::NotCancelled,
            _ => Self::Of(statuses),
        }
    }

    /// Whether it is absent from the canonical form of a request.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::NotCancelled
    }
}

impl Serialize for StatusFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::NotCancelled => serializer.serialize_none(),
            Self::Any => serializer.serialize_str(ANY),
            Self::Of(statuses) => {
                let names: Vec<&str> = statuses.iter().map(|status| status.name()).collect();
                serializer.serialize_str(&names.join(","))
            }
        }
    }
}

/// Parses a status; `None` if it is any.
fn parse_status(text: &str) -> Result<Option<EventStatus>, String> {
    if text == ANY {
        return Ok(None);
    }
    EventStatus::ALL.into_iter().find(|status| status.name() == text).map(Some).ok_or_else(|| {
        let names = EventStatus::ALL.map(EventStatus::name);
        format!("must be `{ANY}` or statuses: {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_values_are_one_filter() {
        let read = |query: &str| StatusFilter::read(&mut Parameters::parse(query));
        let of = |statuses: &[EventStatus]| StatusFilter::Of(statuses.iter().copied().collect());
        for (query, filter) in [
            ("", StatusFilter::NotCancelled),
            ("status=", StatusFilter::NotCancelled),
            ("status=moved_online,rescheduled&status=scheduled,postponed", StatusFilter::NotCancelled),
            ("status=any", StatusFilter::Any),
            ("status=cancelled,any", StatusFilter::Any),
            ("status=moved_online,rescheduled,scheduled,postponed,cancelled", StatusFilter::Any),
            ("status=cancelled", of(&[EventStatus::Cancelled])),
            ("status=cancelled,scheduled,cancelled", of(&[EventStatus::Scheduled, EventStatus::Cancelled])),
        ] {
            assert_eq!(read(query), filter, "{query}");
        }
    }
}
