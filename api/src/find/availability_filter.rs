//! The filter `availability`: whether events can be bought now.

use std::collections::BTreeSet;

use entity::event::Availability;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use sea_orm::DbBackend;
use serde::{Serialize, Serializer};

use crate::query::{ParameterKind, Parameters};

/// Which events, by their availability; empty for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AvailabilityFilter(BTreeSet<&'static str>);

/// Names of availabilities.
#[derive(Debug)]
pub(crate) struct AvailabilityNames;

impl AvailabilityFilter {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Self {
        let names: BTreeSet<&'static str> = parameters.list_of("availability", parse).into_iter().collect();
        Self(if names.len() == Availability::ALL.len() { BTreeSet::new() } else { names })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names; none for all.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }

    /// The condition on a row of `event`.
    pub(super) fn condition(&self, now: &str) -> Option<String> {
        // The names are ours.
        let names: Vec<String> = self.0.iter().map(|name| format!("'{name}'")).collect();
        (!names.is_empty()).then(|| format!("{} IN ({})", availability_of_event(now), names.join(", ")))
    }
}

/// The name of the availability of a row of `event`, the same as [`Model::availability`](entity::event::Model::availability).
pub(super) fn availability_of_event(now: &str) -> String {
    format!(
        "CASE WHEN event.ends_at <= {now} THEN 'ended' WHEN event.sold_out = TRUE THEN 'sold_out' \
         WHEN event.sale_starts_at > {now} THEN 'not_yet' WHEN event.sale_ends_at <= {now} THEN 'ended' \
         WHEN event.sale_starts_at IS NULL AND event.sale_ends_at IS NULL THEN 'unknown' ELSE 'on_sale' END"
    )
}

/// The database's clock in a statement, in microseconds since 1970. It is constant within the statement.
pub(super) fn now_of_backend(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS BIGINT)",
        _ => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    }
}

fn parse(text: &str) -> Result<&'static str, String> {
    let names = Availability::ALL.map(Availability::name);
    names.into_iter().find(|name| *name == text).ok_or_else(|| format!("must be availabilities: {}", names.join(", ")))
}

impl Serialize for AvailabilityFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Vec::from_iter(self.0.iter().copied()).join(","))
    }
}

impl ParameterKind for AvailabilityNames {
    fn schema() -> MetaSchema {
        let names = Availability::ALL.map(Availability::name).map(Into::into).into();
        let name = MetaSchema { enum_items: names, ..MetaSchema::new("string") };
        MetaSchema { items: Some(Box::new(MetaSchemaRef::Inline(Box::new(name)))), ..MetaSchema::new("array") }
    }
}
