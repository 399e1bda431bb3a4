//! `GET /performers/{id}`: one performer.

use entity::{alias::AliasKind, footprint::Scope};
use poem_openapi::{Object, types::Example};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use uuid::uuid;

use super::{
    filters::TABLE,
    response::{ListedPerformer, PerformerRow},
};
use crate::{
    cache::{CachedResource, SnapshotVersion},
    resources::{
        item::Item,
        name_list::{NameTable, NamedRow},
    },
    response::EventId,
};

/// A performer with the number of its upcoming events.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(example)]
pub struct PerformerDetails {
    /// The members that lists contain, too.
    #[serde(flatten)]
    #[oai(flatten)]
    pub performer: ListedPerformer,
    /// The permanent id, for the filter `performer`.
    pub uuid: EventId,
    /// The number of upcoming events that are not cancelled, at most 10,000.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    pub upcoming_events: i64,
}

/// The columns of [`PerformerDetails`].
#[derive(Debug, FromQueryResult)]
pub(crate) struct PerformerDetailsRow {
    #[sea_orm(nested)]
    performer: PerformerRow,
    upcoming_events: i64,
}

/// A performer.
#[derive(Clone, Debug)]
pub(crate) struct PerformerItem;

impl Item for PerformerItem {
    const NAME: &'static str = "performer";
    const PATH: &'static str = "/performers";
    const ALIAS: AliasKind = AliasKind::Performer;
    const TABLE: NameTable = TABLE;
    const COLUMNS: &'static str = "";
    const EVENTS: (&'static str, &'static str) = (
        "event_performer CROSS JOIN listing",
        "event_performer.performer_id = performer.id AND listing.event_id = event_performer.event_id",
    );
    const RESOURCE: CachedResource = CachedResource::Performers;
    const SCOPES: &'static [Scope] = &[Scope::Performers, Scope::Events];

    type Row = PerformerDetailsRow;
    type Body = PerformerDetails;

    fn snapshot(row: &PerformerDetailsRow) -> SnapshotVersion {
        row.performer.snapshot()
    }
}

impl From<PerformerDetailsRow> for PerformerDetails {
    fn from(row: PerformerDetailsRow) -> Self {
        let PerformerDetailsRow { performer, upcoming_events } = row;
        Self { uuid: performer.id.to_string().into(), performer: performer.into(), upcoming_events }
    }
}

impl Example for PerformerDetails {
    fn example() -> Self {
        Self {
            performer: ListedPerformer::example(),
            uuid: uuid!("0b8f5c0e-6a4c-5a52-9c0b-64c2ff3e42b3").to_string().into(),
            upcoming_events: 3,
        }
    }
}
