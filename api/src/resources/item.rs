//! One performer or venue, by our id, or by the provider and its id.

use std::{borrow::Cow, marker::PhantomData};

use entity::{
    alias::{self, AliasKind},
    footprint::{Scope, Selection},
};
use poem_openapi::types::{Example, ParseFromJSON, ToJSON, Type};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter};
use serde::Serialize;

use super::name_list::NameTable;
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput, SnapshotVersion},
    database::{
        reader::ReadSize,
        sql::{ReadConnection, Sql, VERSION_COLUMNS, is_loaded, read_rows},
    },
    error::ApiError,
    find::{ItemRef, count_upcoming},
    query::{Filters, parse_path},
    response::Envelope,
};

/// A kind of item.
pub(crate) trait Item: Clone + Send + Sync + 'static {
    /// Its name.
    const NAME: &'static str;
    /// The path of the list.
    const PATH: &'static str;
    /// The kind of its aliases.
    const ALIAS: AliasKind;
    /// Its table.
    const TABLE: NameTable;
    /// Columns beside those of the list, each followed by a comma.
    const COLUMNS: &'static str;
    /// The tables with its events, and the condition that they are those of the item.
    const EVENTS: (&'static str, &'static str);
    /// The resource in metrics.
    const RESOURCE: CachedResource;
    /// What it is read from.
    const SCOPES: &'static [Scope];

    /// The columns, with the number `upcoming_events`.
    type Row: FromQueryResult + Send + Unpin;
    /// The response.
    type Body: From<Self::Row> + Serialize + Type + ParseFromJSON + ToJSON + Example;

    /// The version of the snapshot from which a row was read.
    fn snapshot(row: &Self::Row) -> SnapshotVersion;
}

/// A request for one item.
#[derive(Clone, Debug, Serialize)]
#[serde(bound = "")]
pub(crate) struct ItemQuery<I> {
    #[serde(skip)]
    item: ItemRef,
    #[serde(skip)]
    of: PhantomData<fn() -> I>,
}

impl<I: Item> ItemQuery<I> {
    /// Parses the parameter `id` of a path.
    pub(crate) fn parse(id: &str) -> Result<Self, ApiError> {
        Ok(Self { item: parse_path("id", id, ItemRef::REQUIREMENT)?, of: PhantomData })
    }

    /// Why the item does not exist.
    async fn explain_missing(&self, database: &impl ReadConnection) -> Result<ApiError, ApiError> {
        if let ItemRef::Id(id) = self.item {
            let alias = alias::Entity::find_by_id(id).filter(alias::Column::Kind.eq(I::ALIAS)).one(database).await?;
            if let Some(alias) = alias {
                return Ok(ApiError::Moved { what: I::NAME, id: id.to_string(), location: alias.target.to_string() });
            }
        }
        Ok(ApiError::not_found(I::NAME, &self.item))
    }
}

impl<I: Item> Filters for ItemQuery<I> {
    fn path(&self) -> Cow<'static, str> {
        format!("{}/{}", I::PATH, self.item).into()
    }
}

impl<I: Item> CachedQuery for ItemQuery<I> {
    const RESOURCE: CachedResource = I::RESOURCE;

    fn selection(&self) -> Selection {
        Selection::all_of(I::SCOPES)
    }

    fn read_size(&self) -> ReadSize {
        ReadSize::Small
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let backend = ConnectionTrait::get_database_backend(database);
        let NameTable { table, columns, joins } = I::TABLE;
        let (more, (event_tables, of_item)) = (I::COLUMNS, I::EVENTS);
        let upcoming = count_upcoming(backend, event_tables, of_item);
        let mut sql = Sql::default();
        let (condition, is_loaded) = (self.item.condition(table, &mut sql), is_loaded(table));
        let text = format!(
            "SELECT {table}.id, {table}.folded_name AS sort_text, {columns}, {more} {upcoming} AS upcoming_events, {VERSION_COLUMNS} \
             FROM {table} {joins} WHERE {condition} AND {is_loaded}"
        );
        let Some(row) = read_rows::<I::Row>(database, sql.statement(backend, text)).await?.pop() else {
            return Err(self.explain_missing(database).await?);
        };
        let snapshot = Some(I::snapshot(&row));
        let body = serde_json::to_vec(&Envelope::from(I::Body::from(row))).map_err(ApiError::Encoding)?;
        Ok(QueryOutput { snapshot, body: body.into(), link: None })
    }
}
