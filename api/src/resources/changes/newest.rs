//! The newest changes of one kind, for the lists of what is new on the web.

use entity::{
    UtcInstant,
    change::ChangeKind,
    change_log::{ChangeCursor, cursor_after},
};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, FromQueryResult, Statement, prelude::Uuid};
use serde_json::{Map, Value};

use crate::{
    database::{
        reader::ReadSize,
        sql::{END_OF_LOG, Sql, is_loaded, newest_before, read_rows},
    },
    error::ApiError,
    state::State,
};

/// Changes that are read for a page: filters may select few of their events.
const EXAMINED: u64 = 100;

/// What a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum News {
    /// Events that are shown for the first time.
    #[default]
    Created,
    /// Events with a lower lowest price.
    Cheaper,
    /// Events that were cancelled.
    Cancelled,
}

/// A change of a list.
#[derive(Debug)]
pub(crate) struct NewsEntry {
    pub(crate) event_id: Uuid,
    pub(crate) at: UtcInstant,
    /// The position after which older changes follow.
    pub(crate) cursor: ChangeCursor,
    /// The previous lowest price and the new one, if it is cheaper.
    pub(crate) prices: Option<(f64, f64)>,
}

/// A part of a list, the newest first.
#[derive(Debug)]
pub(crate) struct NewsPage {
    pub(crate) entries: Vec<NewsEntry>,
    /// After the last change that was examined; `None` if it is the oldest one.
    pub(crate) next: Option<ChangeCursor>,
}

#[derive(Debug, FromQueryResult)]
struct NewsRow {
    version: i64,
    ordinal: i32,
    at: UtcInstant,
    event_id: Uuid,
    changed: String,
}

impl News {
    /// All lists.
    pub(crate) const ALL: [Self; 3] = [Self::Created, Self::Cheaper, Self::Cancelled];

    /// The name in URLs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Cheaper => "cheaper",
            Self::Cancelled => "cancelled",
        }
    }

    /// Parses a name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|news| news.name() == text);
        found.ok_or_else(|| format!("must be {}", Self::ALL.map(Self::name).join(", ")))
    }

    fn kind(self) -> ChangeKind {
        match self {
            Self::Created => ChangeKind::Created,
            Self::Cheaper => ChangeKind::PriceChanged,
            Self::Cancelled => ChangeKind::Cancelled,
        }
    }

    fn entry(self, row: &NewsRow) -> Option<NewsEntry> {
        let prices = if self == Self::Cheaper { Some(find_reduction(&row.changed)?) } else { None };
        Some(NewsEntry { event_id: row.event_id, at: row.at, cursor: row.cursor(), prices })
    }
}

impl NewsRow {
    fn cursor(&self) -> ChangeCursor {
        cursor_after(self.version, self.ordinal, self.at)
    }
}

/// Reads a part of a list, before a position.
pub(crate) async fn read_news(state: &State, news: News, before: Option<&ChangeCursor>) -> Result<NewsPage, ApiError> {
    let source = state.reader.with_version(state.version.current(), state.version.newest_takedown());
    let rows = state.reader.read(source, ReadSize::Small, find(&source.connection, news, before)).await?;
    let next = rows.last().filter(|_| rows.len() as u64 == EXAMINED).map(NewsRow::cursor);
    Ok(NewsPage { entries: rows.iter().filter_map(|row| news.entry(row)).collect(), next })
}

async fn find(database: &DatabaseConnection, news: News, before: Option<&ChangeCursor>) -> Result<Vec<NewsRow>, DbErr> {
    read_rows(database, newest_statement(database.get_database_backend(), news.kind(), before)).await
}

/// The statement for the newest changes of a kind: a range of one index, backwards.
#[must_use]
pub fn newest_statement(backend: DbBackend, kind: ChangeKind, before: Option<&ChangeCursor>) -> Statement {
    let mut sql = Sql::default();
    let (version, ordinal) = before.map_or(END_OF_LOG, |cursor| (cursor.sort_key.version, cursor.sort_key.ordinal));
    let (kind, version, ordinal) = (sql.bind(kind.name()), sql.bind(version), sql.bind(ordinal));
    let limit = sql.bind(EXAMINED);
    let newest = newest_before(backend, ("kind", &kind), (&version, &ordinal));
    let is_loaded = is_loaded("change");
    let text = format!("SELECT version, ordinal, at, event_id, changed FROM change WHERE {is_loaded} AND {newest} LIMIT {limit}");
    sql.statement(backend, text)
}

/// The previous lowest price and the new one, if it is lower in the same currency.
fn find_reduction(changed: &str) -> Option<(f64, f64)> {
    let changed: Map<String, Value> = serde_json::from_str(changed).ok()?;
    let values = changed.get("min_price").filter(|_| !changed.contains_key("currency"))?;
    let [old, new] = ["old", "new"].map(|name| values.get(name).and_then(Value::as_f64));
    old.zip(new).filter(|(old, new)| new < old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_price_in_the_same_currency_is_a_reduction() {
        for (changed, expected) in [
            (r#"{"min_price":{"old":30.0,"new":25.5}}"#, Some((30.0, 25.5))),
            (r#"{"min_price":{"old":30.0,"new":0.0},"max_price":{"old":1,"new":2}}"#, Some((30.0, 0.0))),
            (r#"{"min_price":{"old":25.5,"new":30.0}}"#, None),
            (r#"{"min_price":{"old":null,"new":30.0}}"#, None),
            (r#"{"min_price":{"old":30.0,"new":25.5},"currency":{"old":null,"new":"USD"}}"#, None),
            (r#"{"max_price":{"old":30.0,"new":25.5}}"#, None),
            ("{}", None),
            ("", None),
        ] {
            assert_eq!(find_reduction(changed), expected, "{changed}");
        }
    }
}
