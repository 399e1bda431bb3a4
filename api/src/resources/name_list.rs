//! Lists that are filtered by the beginning of a name and sorted by name.

use entity::fold_name;
use poem_openapi::registry::MetaSchema;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    cache::{QueryOutput, SnapshotVersion},
    database::sql::{ReadConnection, Sql, VERSION_COLUMNS, is_loaded, read_rows},
    error::ApiError,
    query::{Cursor, ListFilters, ListQuery, ParameterKind, Parameters, WITHOUT_NUL},
};

/// Characters of a filter: more than any name has.
pub(crate) const MAX_CHARACTERS: usize = 200;

/// The folded name, and the id.
pub(crate) type NameSortKey = (String, Uuid);

/// The filter `q`: the beginning of a name, folded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NamePrefix {
    #[serde(rename = "q", skip_serializing_if = "Option::is_none")]
    folded: Option<String>,
}

/// The text of `q`.
#[derive(Debug)]
pub(crate) struct NamePrefixText;

/// The table of such a list.
#[derive(Debug)]
pub(crate) struct NameTable {
    /// Its name. It has the columns `folded_name`, `id` and `provider_id`.
    pub(crate) table: &'static str,
    /// Columns of the table and its joins.
    pub(crate) columns: &'static str,
    /// The joins.
    pub(crate) joins: &'static str,
}

/// A row of such a list.
pub(crate) trait NamedRow: FromQueryResult + Send + Unpin {
    fn sort_key(&self) -> NameSortKey;

    /// The version of the snapshot from which it was read.
    fn snapshot(&self) -> SnapshotVersion;
}

impl ParameterKind for NamePrefixText {
    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(MAX_CHARACTERS), pattern: Some(WITHOUT_NUL.to_owned()), ..MetaSchema::new("string") }
    }
}

impl NamePrefix {
    /// Reads `q`.
    pub(crate) fn read(parameters: &mut Parameters<'_>) -> Self {
        let folded = parameters.get("q", |text| match text.chars().count() {
            0..=MAX_CHARACTERS => Ok(fold_name(text)),
            _ => Err(format!("must have at most {MAX_CHARACTERS} characters")),
        });
        // White space alone selects all names, and must have the cache key of that query.
        Self { folded: folded.filter(|prefix| !prefix.is_empty()) }
    }

    /// The condition on the names of a table.
    fn condition(&self, table: &str, sql: &mut Sql) -> Option<String> {
        let prefix = self.folded.as_ref()?;
        let first = sql.bind(prefix.clone());
        // Sorts after all names with the prefix: no name contains the last of all characters.
        let end = sql.bind(format!("{prefix}\u{10ffff}"));
        Some(format!("{table}.folded_name >= {first} AND {table}.folded_name < {end}"))
    }
}

/// Reads and encodes a page: a range of the index by name. `conditions` are those of the other filters, with values bound in `sql`.
pub(crate) async fn find_page<F, Row, Body>(
    query: &ListQuery<F>,
    prefix: &NamePrefix,
    database: &impl ReadConnection,
    source: &NameTable,
    mut conditions: Vec<String>,
    mut sql: Sql,
) -> Result<QueryOutput, ApiError>
where
    F: ListFilters<SortKey = NameSortKey>,
    Row: NamedRow,
    Body: From<Vec<Row>> + Serialize,
{
    let NameTable { table, columns, joins } = source;
    conditions.extend(prefix.condition(table, &mut sql));
    conditions.push(is_loaded(table));
    if let Some(Cursor { sort_key: (name, id), .. }) = &query.page.after {
        let (name, id) = (sql.bind(name.clone()), sql.bind(*id));
        conditions.push(format!("({table}.folded_name, {table}.id) > ({name}, {id})"));
    }
    let conditions = conditions.join(" AND ");
    let limit = sql.bind(query.page.rows() + 1);
    let text = format!(
        "SELECT {table}.id, {table}.folded_name, {columns}, {VERSION_COLUMNS} FROM {table} {joins} WHERE {conditions} \
         ORDER BY {table}.folded_name, {table}.id LIMIT {limit}"
    );
    let statement = sql.statement(ConnectionTrait::get_database_backend(database), text);
    let rows = read_rows::<Row>(database, statement).await?;
    let snapshot = rows.first().map(Row::snapshot);
    let (rows, link) = query.paginate(rows, Row::sort_key);
    let body = serde_json::to_vec(&Body::from(rows)).map_err(ApiError::Encoding)?;
    Ok(QueryOutput { snapshot, body: body.into(), link })
}
