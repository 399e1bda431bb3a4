//! Counts the upcoming events of each category.

use std::{borrow::Cow, collections::HashMap};

use entity::{
    Category, UtcInstant,
    footprint::{Scope, Selection},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;

use super::response::CategoryList;
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{
        reader::ReadSize,
        sql::{ReadConnection, Sql, VERSION_COLUMNS, read_rows},
    },
    error::ApiError,
    find::count_upcoming,
    query::Filters,
    response::Envelope,
};

/// A request for all categories.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CategoriesQuery {}

#[derive(Debug, FromQueryResult)]
struct CategoryRow {
    slug: String,
    upcoming_events: i64,
    version: i64,
    raised_at: UtcInstant,
}

impl Filters for CategoriesQuery {
    fn path(&self) -> Cow<'static, str> {
        "/categories".into()
    }
}

impl CachedQuery for CategoriesQuery {
    const RESOURCE: CachedResource = CachedResource::Categories;

    fn selection(&self) -> Selection {
        Selection::all_of(&[Scope::Events])
    }

    fn read_size(&self) -> ReadSize {
        ReadSize::Large
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let backend = ConnectionTrait::get_database_backend(database);
        let upcoming = count_upcoming(backend, "listing", "listing.category = category.slug");
        // The slugs are ours.
        let slugs: Vec<String> = Category::all().map(|category| format!("('{}')", category.slug())).collect();
        let text = format!(
            "WITH category (slug) AS (VALUES {}) \
             SELECT category.slug, {upcoming} AS upcoming_events, {VERSION_COLUMNS} FROM category",
            slugs.join(", ")
        );
        let rows = read_rows::<CategoryRow>(database, Sql::default().statement(backend, text)).await?;
        let snapshot = rows.first().map(|row| (row.version, row.raised_at));
        let counts: HashMap<String, i64> = rows.into_iter().map(|row| (row.slug, row.upcoming_events)).collect();
        let body = serde_json::to_vec(&Envelope::from(CategoryList::new(&counts))).map_err(ApiError::Encoding)?;
        Ok(QueryOutput { snapshot, body: body.into(), link: None })
    }
}
