//! Lists of what has a name: found by its beginning, in the order of names.

use entity::folded;
use sea_orm::prelude::Uuid;

use crate::{
    http::{Cursor, Mistakes, Page, Parameters},
    sql::Sql,
};

/// Characters of what is looked for: more than any name has.
const MAX_CHARACTERS: usize = 200;

/// Which part of such a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// How the names begin, folded; any name if it is not given.
    beginning: Option<String>,
    /// Which page.
    pub(crate) page: Page<(String, Uuid)>,
}

impl Named {
    /// Reads `q`, `limit` and `cursor` of the list whose other filters are these.
    pub(crate) fn read(parameters: &Parameters<'_>, list: &str, others: &[(&str, String)], mistakes: &mut Mistakes) -> Self {
        let beginning = parameters.get("q", mistakes, |text| match text.chars().count() {
            0 => Err("want the beginning of a name".to_owned()),
            1..=MAX_CHARACTERS => Ok(folded(text)),
            _ => Err(format!("want {MAX_CHARACTERS} characters at most")),
        });
        let mut named = Self { beginning, page: Page::default() };
        named.page = Page::read(parameters, &named.filter_key(list, others), mistakes);
        named
    }

    /// All filters in one form.
    pub(crate) fn filters(&self, others: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
        self.beginning.iter().map(|beginning| ("q", beginning.clone())).chain(others.iter().cloned()).collect()
    }

    /// The filters as a text that is equal for equal lists; a cursor is bound to it.
    pub(crate) fn filter_key(&self, list: &str, others: &[(&str, String)]) -> String {
        let mut key = form_urlencoded::Serializer::new(format!("{list} "));
        key.extend_pairs(self.beginning.iter().map(|beginning| ("q", beginning))).extend_pairs(others);
        key.finish()
    }

    /// What follows `FROM` in a statement that reads one row more than the page: a range of the index by name, in its order.
    pub(crate) fn page_of(&self, table: &str, joined: &str, mut conditions: Vec<String>, sql: &mut Sql) -> String {
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
        let conditions = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let wanted = sql.bind(self.page.rows() + 1);
        format!("{table}{joined}{conditions} ORDER BY {table}.folded_name, {table}.id LIMIT {wanted}")
    }
}
