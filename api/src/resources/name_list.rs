//! Lists of what has a name: found by its beginning, in the order of names.

use entity::{UtcInstant, fold_name};
use sea_orm::{DatabaseConnection, FromQueryResult, prelude::Uuid};
use serde::Serialize;

use crate::{
    cache::Found,
    database::sql::{OF_VERSION, Sql},
    error::ApiError,
    query::{Cursor, Page, Parameters, ValidationErrors, next_link},
};

/// Characters of what is looked for: more than any name has.
const MAX_CHARACTERS: usize = 200;

/// Which part of such a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its path without the slash.
    list: &'static str,
    /// How the names begin, folded; any name if it is not given.
    beginning: Option<String>,
    /// The other filters, in one form.
    others: Vec<(&'static str, String)>,
    page: Page<(String, Uuid)>,
}

/// Where the rows of such a list stand.
#[derive(Debug)]
pub(crate) struct Source {
    /// The table that has `folded_name` and `id`.
    pub(crate) table: &'static str,
    /// What is read of it and of what is joined to it.
    pub(crate) columns: &'static str,
    /// The joins.
    pub(crate) joined: &'static str,
}

/// A row of such a list.
pub(crate) trait NamedRow: FromQueryResult {
    /// Its folded name and its id.
    fn place(&self) -> (String, Uuid);

    /// Of which version the snapshot was that it was read from.
    fn snapshot(&self) -> (i64, UtcInstant);
}

impl Named {
    /// Reads `q`, `limit` and `cursor` of a list whose other filters are these.
    pub(crate) fn read(
        list: &'static str,
        others: Vec<(&'static str, String)>,
        parameters: &Parameters<'_>,
        errors: &mut ValidationErrors,
    ) -> Self {
        let beginning = parameters.get("q", errors, |text| match text.chars().count() {
            0 => Err("want the beginning of a name".to_owned()),
            1..=MAX_CHARACTERS => Ok(fold_name(text)),
            _ => Err(format!("want {MAX_CHARACTERS} characters at most")),
        });
        let mut named = Self { list, beginning, others, page: Page::default() };
        named.page = Page::read(parameters, &named.filter_key(), errors);
        named
    }

    /// All of it as a text that is equal for equal questions.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.filter_key(), self.page.key())
    }

    /// The encoded page, and the link to what follows it: a range of the index by name, in its order. `conditions` are those of the
    /// other filters, whose values are bound already.
    pub(crate) async fn find<Row, Answer>(
        &self,
        database: &DatabaseConnection,
        source: &Source,
        mut conditions: Vec<String>,
        mut sql: Sql,
    ) -> Result<Found, ApiError>
    where
        Row: NamedRow,
        Answer: From<Vec<Row>> + Serialize,
    {
        let Source { table, columns, joined } = source;
        if let Some(beginning) = &self.beginning {
            let first = sql.bind(beginning.clone());
            // Behind everything that begins so: no name holds the last of all characters.
            let behind = sql.bind(format!("{beginning}\u{10ffff}"));
            conditions.push(format!("{table}.folded_name >= {first} AND {table}.folded_name < {behind}"));
        }
        if let Some(Cursor { place: (name, id), .. }) = &self.page.after {
            let (name, id) = (sql.bind(name.clone()), sql.bind(*id));
            conditions.push(format!("({table}.folded_name, {table}.id) > ({name}, {id})"));
        }
        let conditions = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
        let wanted = sql.bind(self.page.rows() + 1);
        let text = format!(
            "SELECT {table}.id, {table}.folded_name, {columns}, {OF_VERSION} FROM {table} {joined} {conditions} \
             ORDER BY {table}.folded_name, {table}.id LIMIT {wanted}"
        );
        let rows = Row::find_by_statement(sql.statement(database.get_database_backend(), text)).all(database).await?;
        let snapshot = rows.first().map(Row::snapshot);
        let (rows, next) = self.page.cut(rows, &self.filter_key(), Row::place);
        let link = next.map(|cursor| next_link(&format!("/{}", self.list), &self.filters(), self.page.limit, &cursor));
        let body = serde_json::to_vec(&Answer::from(rows)).map_err(ApiError::Encoding)?;
        Ok(Found::page(snapshot, body, link))
    }

    fn filters(&self) -> Vec<(&'static str, String)> {
        self.beginning.iter().map(|beginning| ("q", beginning.clone())).chain(self.others.iter().cloned()).collect()
    }

    /// The filters as a text that is equal for equal lists; a cursor is bound to it.
    fn filter_key(&self) -> String {
        let mut key = form_urlencoded::Serializer::new(format!("{} ", self.list));
        key.extend_pairs(self.filters());
        key.finish()
    }
}
