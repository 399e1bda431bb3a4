//! The response of a request for performers.

use entity::UtcInstant;
use poem_openapi::{Object, types::Example};
use sea_orm::{FromQueryResult, prelude::Uuid};
use serde::{Deserialize, Serialize};

use crate::{
    cache::SnapshotVersion,
    resources::name_list::{NameSortKey, NamedRow},
    response::ProviderSlug,
};

/// A page of performers.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PerformerList {
    /// The performers, sorted by name.
    pub performers: Vec<ListedPerformer>,
}

/// A performer in a list.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(example)]
pub struct ListedPerformer {
    /// The provider's id.
    pub id: String,
    /// The provider's slug.
    pub provider: ProviderSlug,
    /// The id for `bandIds` of `/concerts` that identifies only this performer.
    pub band_id: String,
    /// The name.
    pub name: String,
}

/// The columns of a performer.
#[derive(Debug, FromQueryResult)]
pub(super) struct PerformerRow {
    pub(super) id: Uuid,
    source_id: String,
    name: String,
    sort_text: String,
    slug: String,
    version: i64,
    raised_at: UtcInstant,
}

impl NamedRow for PerformerRow {
    fn sort_key(&self) -> NameSortKey {
        (self.sort_text.clone(), self.id)
    }

    fn snapshot(&self) -> SnapshotVersion {
        (self.version, self.raised_at)
    }
}

impl From<PerformerRow> for ListedPerformer {
    fn from(row: PerformerRow) -> Self {
        let PerformerRow { id, source_id, name, slug, .. } = row;
        // Commas separate ids, and surrounding spaces are trimmed: such an id is replaced by ours.
        let is_plain = !source_id.contains(',') && source_id.trim() == source_id && !source_id.ends_with(':');
        let band_id = if is_plain { format!("{slug}:{source_id}") } else { id.to_string() };
        Self { id: source_id, provider: slug.into(), band_id, name }
    }
}

impl From<Vec<PerformerRow>> for PerformerList {
    fn from(rows: Vec<PerformerRow>) -> Self {
        Self { performers: rows.into_iter().map(ListedPerformer::from).collect() }
    }
}

impl Example for PerformerList {
    fn example() -> Self {
        Self { performers: vec![ListedPerformer::example()] }
    }
}

impl Example for ListedPerformer {
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        Self { id: text("12"), provider: "fever".into(), band_id: text("fever:12"), name: text("Pantomima Full") }
    }
}
