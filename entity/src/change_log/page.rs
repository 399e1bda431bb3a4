//! Reads a page of the log. The version and the rows are of one snapshot, so that the cursor of the version is after all of them, and no
//! change that is committed later is before it.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, prelude::Uuid,
};
use tokio::task::consume_budget;

use super::{
    ChangesQuery,
    position::{ChangeCursor, ChangePosition, cursor_after, cursor_after_release},
    statement::statement,
};
use crate::{
    UtcInstant, catalogue_version,
    change::{self, ChangeKind},
    change_retention,
    event_state::ChangedStates,
    release,
};

/// A change, with the slug of its provider.
#[derive(Clone, Debug, FromQueryResult)]
pub struct LoggedChange {
    /// The version of the release.
    pub version: i64,
    /// The position in the release.
    pub ordinal: i32,
    /// When the release was made.
    pub at: UtcInstant,
    /// What happened.
    pub kind: ChangeKind,
    /// The slug of the provider.
    pub provider: String,
    /// The event.
    pub event_id: Uuid,
    /// The changed fields as JSON.
    pub changed: String,
    states: Option<String>,
}

/// A page of the log.
#[derive(Debug)]
pub struct LogPage {
    /// The changes that are selected.
    pub rows: Vec<LoggedChange>,
    /// After the last change that was examined, or at the end of the log.
    pub next: ChangeCursor,
    /// Whether the log ends with this page.
    pub is_last: bool,
    /// The version of the catalogue in the snapshot.
    pub version: i64,
}

impl LoggedChange {
    /// The position after the change.
    #[must_use]
    pub fn cursor(&self) -> ChangeCursor {
        cursor_after(self.version, self.ordinal, self.at)
    }

    /// The bytes of its fields and states.
    fn bytes(&self) -> usize {
        self.changed.len() + self.states.as_ref().map_or(0, String::len)
    }

    /// About the memory that its states take.
    #[must_use]
    pub fn states_bytes(&self) -> usize {
        self.states.as_ref().map_or(0, |states| 2 * states.len())
    }

    /// What filters select, if it was read and is known.
    #[must_use]
    pub fn states(&self) -> Option<ChangedStates> {
        self.states.as_deref().and_then(ChangedStates::from_json)
    }
}

/// Reads a page in a [snapshot](crate::sql::begin_snapshot). `None` if the log no longer contains all changes after the cursor.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn read_page(snapshot: &DatabaseTransaction, query: &ChangesQuery) -> Result<Option<LogPage>, DbErr> {
    let catalogue = catalogue_version::fetch(snapshot).await?;
    if let Some(cursor) = &query.after
        && (!is_of_log(snapshot, &catalogue, cursor.sort_key).await?
            // A history lacks what was removed on its first page, too.
            || query.event.is_none() && was_removed_after(snapshot, cursor.sort_key, &query.kinds).await?)
    {
        return Ok(None);
    }
    let statement = statement(snapshot.get_database_backend(), query);
    let mut rows = LoggedChange::find_by_statement(statement).stream(snapshot).await?;
    let mut page = PageBuilder::default();
    // To the end also if the page is full: the connection can be used again after that.
    while let Some(row) = rows.try_next().await? {
        page.add(row, query);
        // The driver may have all rows ready.
        consume_budget().await;
    }
    let next = page.last.filter(|_| page.is_full).unwrap_or_else(|| cursor_after_release(&catalogue));
    Ok(Some(LogPage { rows: page.rows, next, is_last: !page.is_full, version: catalogue.version }))
}

/// The rows of a page that are selected. The others are not held in memory.
#[derive(Debug, Default)]
struct PageBuilder {
    rows: Vec<LoggedChange>,
    bytes: usize,
    examined: u64,
    /// After the last row that was examined.
    last: Option<ChangeCursor>,
    /// Whether the page ends before a row.
    is_full: bool,
}

impl PageBuilder {
    fn add(&mut self, row: LoggedChange, query: &ChangesQuery) {
        let selected = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        if self.examined == query.examined() || selected == query.limit || self.bytes >= query.max_bytes {
            self.is_full = true;
            return;
        }
        self.examined += 1;
        self.last = Some(row.cursor());
        if query.selects_states(row.states().as_ref(), &row.provider) {
            self.bytes += row.bytes();
            self.rows.push(row);
        }
    }
}

/// Whether a position is one of this log, and not of the database before it was restored from a backup.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn is_of_log(
    snapshot: &impl ConnectionTrait,
    catalogue: &catalogue_version::Model,
    position: ChangePosition,
) -> Result<bool, DbErr> {
    if position.version > catalogue.version {
        return Ok(false);
    }
    let made_at = find_instant(snapshot, catalogue, position.version).await?;
    Ok(made_at.is_none_or(|UtcInstant(at)| at == position.at))
}

/// Whether changes of these kinds after a position may have been removed.
async fn was_removed_after(
    snapshot: &impl ConnectionTrait,
    position: ChangePosition,
    kinds: &BTreeSet<ChangeKind>,
) -> Result<bool, DbErr> {
    let removed = change_retention::Entity::find().all(snapshot).await?;
    let mut removed = removed.into_iter().filter(|removed| kinds.is_empty() || kinds.contains(&removed.kind));
    Ok(removed.any(|removed| position.is_before_end_of(removed.removed_through)))
}

/// When a version was raised; `None` if that is no longer stored. Changes are retained longer than releases.
async fn find_instant(
    snapshot: &impl ConnectionTrait,
    catalogue: &catalogue_version::Model,
    version: i64,
) -> Result<Option<UtcInstant>, DbErr> {
    if version == catalogue.version {
        return Ok(Some(catalogue.raised_at));
    }
    let raised_at = release::Entity::find_by_id(version).select_only().column(release::Column::RaisedAt);
    if let Some(raised_at) = raised_at.into_tuple().one(snapshot).await? {
        return Ok(Some(raised_at));
    }
    let change = change::Entity::find().filter(change::COLUMN.version.eq(version)).select_only().column(change::Column::At);
    change.into_tuple().one(snapshot).await
}
