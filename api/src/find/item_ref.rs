//! References to performers, venues or organizers: by our ids, or by the provider and its id.

use std::{fmt, str::FromStr};

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{
    database::sql::Sql,
    query::{ParameterKind, Parameters, parse_provider_slug},
};

/// Values of one filter: few enough to find the events of all of them in one statement.
const MAX_REFS: usize = 100;
/// Characters of an id with its provider: more than a feed may contain.
const MAX_ID_CHARACTERS: usize = 400;

/// What a filter names; sorted and distinct, empty for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemRefSet(Vec<ItemRef>);

/// A performer, venue or organizer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ItemRef {
    /// Our id.
    Id(Uuid),
    /// The slug of a provider, and its id.
    OfProvider { provider: String, source_id: String },
}

/// References to items.
#[derive(Debug)]
pub(crate) struct ItemRefs;

/// A reference to an item in a path.
#[derive(Debug)]
pub(crate) struct ItemRefText;

impl ItemRefSet {
    pub(super) fn read(parameters: &mut Parameters<'_>, name: &'static str) -> Self {
        let parse = |text: &str| text.trim().parse();
        let requirement = || "must be UUIDs or ids as `provider:id`, separated by commas".to_owned();
        let mut refs: Vec<ItemRef> = parameters.list_of(name, |text| parse(text).map_err(|NotAnItemRef| requirement()));
        refs.sort_unstable();
        refs.dedup();
        if refs.len() > MAX_REFS {
            parameters.add_error(name, format!("must have at most {MAX_REFS} values, got {}", refs.len()));
        }
        Self(refs)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Our ids among them.
    pub(super) fn ids(&self) -> Vec<Uuid> {
        self.0.iter().filter_map(|item| if let ItemRef::Id(id) = item { Some(*id) } else { None }).collect()
    }

    /// The providers' ids among them.
    pub(super) fn of_providers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|item| match item {
            ItemRef::OfProvider { provider, source_id } => Some((provider.as_str(), source_id.as_str())),
            ItemRef::Id(_) => None,
        })
    }
}

impl ItemRef {
    /// What a reference in a path must be.
    pub(crate) const REQUIREMENT: &str = "must be a UUID or an id as `provider:id`";

    /// The condition that it names a row of a table, which is joined with `provider`.
    pub(crate) fn condition(&self, table: &str, sql: &mut Sql) -> String {
        match self {
            Self::Id(id) => format!("{table}.id = {}", sql.bind(*id)),
            Self::OfProvider { provider, source_id } => {
                let (provider, source_id) = (sql.bind(provider.clone()), sql.bind(source_id.clone()));
                format!("provider.slug = {provider} AND {table}.source_id = {source_id}")
            }
        }
    }
}

/// A text that refers to no item.
#[derive(Debug)]
pub(crate) struct NotAnItemRef;

impl FromStr for ItemRef {
    type Err = NotAnItemRef;

    fn from_str(text: &str) -> Result<Self, NotAnItemRef> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        match text.split_once(':') {
            Some((provider, source_id)) if parse_provider_slug(provider).is_ok() && is_id(source_id) => {
                Ok(Self::OfProvider { provider: provider.to_owned(), source_id: source_id.to_owned() })
            }
            _ => Err(NotAnItemRef),
        }
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_ID_CHARACTERS && !text.contains(char::is_control)
}

impl fmt::Display for ItemRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(formatter),
            Self::OfProvider { provider, source_id } => write!(formatter, "{provider}:{source_id}"),
        }
    }
}

impl Serialize for ItemRefSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}

impl ParameterKind for ItemRefText {
    fn schema() -> MetaSchema {
        MetaSchema {
            max_length: Some(MAX_ID_CHARACTERS),
            example: Some("fever:12".into()),
            pattern: Some(r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z0-9-]+:[^\x00-\x1f\x7f-\x9f]+)$".to_owned()),
            ..MetaSchema::new("string")
        }
    }
}

impl ParameterKind for ItemRefs {
    fn schema() -> MetaSchema {
        let item = MetaSchema {
            max_length: Some(MAX_ID_CHARACTERS),
            example: Some("fever:12".into()),
            pattern: Some(r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z0-9-]+:[^\s\x00-\x1f\x7f-\x9f,]+)$".to_owned()),
            ..MetaSchema::new("string")
        };
        MetaSchema {
            items: Some(Box::new(MetaSchemaRef::Inline(Box::new(item)))),
            max_items: Some(MAX_REFS),
            ..MetaSchema::new("array")
        }
    }
}
