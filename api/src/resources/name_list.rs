//! Lists that are filtered by the beginning of a word of a name, and sorted by name.
//!
//! The names that begin with the text precede those with a later word that begins with it. Both are ranges of indexes, so a page is found
//! without a scan, however many names there are.

use entity::{fold_name, name_word::MAX_CHARACTERS};
use poem_openapi::registry::MetaSchema;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    cache::{QueryOutput, SnapshotVersion},
    database::sql::{ReadConnection, Sql, VERSION_COLUMNS, is_loaded, read_rows},
    error::ApiError,
    query::{ListFilters, ListQuery, ParameterKind, Parameters, WITHOUT_NUL},
};

/// Sorts after all texts with a prefix that precedes it: no name contains the last of all characters.
const LAST: char = '\u{10ffff}';

/// The folded name, or a space and the part of it that begins with a later word; and the id.
pub(crate) type NameSortKey = (String, Uuid);

/// The filter `q`: the beginning of a word of a name, folded.
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
    /// Its name, the same as the kind in `name_word`. It has the columns `folded_name`, `id` and `provider_id`.
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
            // Folding may lengthen it.
            0..=MAX_CHARACTERS => Ok(fold_name(text).chars().take(MAX_CHARACTERS).collect::<String>()),
            _ => Err(format!("must have at most {MAX_CHARACTERS} characters")),
        });
        // White space alone selects all names, and must have the cache key of that query.
        Self { folded: folded.filter(|prefix| !prefix.is_empty()) }
    }
}

/// The statement for a page.
struct Search<'a> {
    source: &'a NameTable,
    prefix: &'a NamePrefix,
    conditions: Vec<String>,
    after: Option<&'a NameSortKey>,
    limit: u64,
}

impl Search<'_> {
    fn write(mut self, sql: &mut Sql) -> String {
        let limit = sql.bind(self.limit);
        self.conditions.push(is_loaded(self.source.table));
        let Some(prefix) = &self.prefix.folded else {
            return self.names(None, &limit, sql);
        };
        let range = [sql.bind(prefix.clone()), sql.bind(format!("{prefix}{LAST}"))];
        let is_after_names = self.after.is_some_and(|(text, _)| text.starts_with(' '));
        if is_after_names {
            return self.later_words(&range, &limit, sql);
        }
        let (names, later_words) = (self.names(Some(&range), &limit, sql), self.later_words(&range, &limit, sql));
        format!(
            "SELECT * FROM (SELECT * FROM ({names}) AS name UNION ALL SELECT * FROM ({later_words}) AS later) AS found \
             ORDER BY is_later, sort_text, id LIMIT {limit}"
        )
    }

    /// The names that begin with the text, or all.
    fn names(&self, range: Option<&[String; 2]>, limit: &str, sql: &mut Sql) -> String {
        let NameTable { table, columns, joins } = self.source;
        let mut conditions = self.conditions.clone();
        conditions.extend(range.map(|[first, end]| format!("{table}.folded_name >= {first} AND {table}.folded_name < {end}")));
        conditions.extend(self.after.map(|(name, id)| {
            let (name, id) = (sql.bind(name.clone()), sql.bind(*id));
            format!("({table}.folded_name, {table}.id) > ({name}, {id})")
        }));
        format!(
            "SELECT 0 AS is_later, {table}.id, {table}.folded_name AS sort_text, {columns}, {VERSION_COLUMNS} FROM {table} {joins} \
             WHERE {} ORDER BY {table}.folded_name, {table}.id LIMIT {limit}",
            conditions.join(" AND ")
        )
    }

    /// The names that do not begin with the text and have a later word that does, once each.
    fn later_words(&self, [first, end]: &[String; 2], limit: &str, sql: &mut Sql) -> String {
        let NameTable { table, columns, joins } = self.source;
        let mut conditions = self.conditions.clone();
        conditions.push(format!(
            "name_word.kind = '{table}' AND name_word.text >= {first} AND name_word.text < {end} AND {table}.id = name_word.item_id \
             AND NOT ({table}.folded_name >= {first} AND {table}.folded_name < {end}) \
             AND NOT EXISTS (SELECT 1 FROM name_word AS lesser WHERE lesser.item_id = name_word.item_id AND lesser.text >= {first} \
             AND lesser.text < name_word.text)"
        ));
        if let Some((text, id)) = self.after.filter(|(text, _)| text.starts_with(' ')) {
            let (text, id) = (sql.bind(text[1..].to_owned()), sql.bind(*id));
            conditions.push(format!("(name_word.text, name_word.item_id) > ({text}, {id})"));
        }
        // CROSS JOIN fixes the order of SQLite's loops.
        format!(
            "SELECT 1 AS is_later, {table}.id, ' ' || name_word.text AS sort_text, {columns}, {VERSION_COLUMNS} \
             FROM name_word CROSS JOIN {table} {joins} WHERE {} ORDER BY name_word.text, name_word.item_id LIMIT {limit}",
            conditions.join(" AND ")
        )
    }
}

/// Reads and encodes a page. `conditions` are those of the other filters, with values bound in `sql`.
pub(crate) async fn find_page<F, Row, Body>(
    query: &ListQuery<F>,
    prefix: &NamePrefix,
    database: &impl ReadConnection,
    source: &NameTable,
    conditions: Vec<String>,
    mut sql: Sql,
) -> Result<QueryOutput, ApiError>
where
    F: ListFilters<SortKey = NameSortKey>,
    Row: NamedRow,
    Body: From<Vec<Row>> + Serialize,
{
    let after = query.page.after.as_ref().map(|cursor| &cursor.sort_key);
    let limit = query.page.rows() + 1;
    let text = Search { source, prefix, conditions, after, limit }.write(&mut sql);
    let statement = sql.statement(ConnectionTrait::get_database_backend(database), text);
    let rows = read_rows::<Row>(database, statement).await?;
    let snapshot = rows.first().map(Row::snapshot);
    let (rows, link) = query.paginate(rows, Row::sort_key);
    let body = serde_json::to_vec(&Body::from(rows)).map_err(ApiError::Encoding)?;
    Ok(QueryOutput { snapshot, body: body.into(), link })
}
