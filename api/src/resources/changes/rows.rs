//! Reads pages of the log for requests.

use entity::{
    change_log::{self, ChangeCursor, ChangesQuery, LoggedChange},
    sql::begin_snapshot,
};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};

use crate::{
    error::ApiError,
    resources::events::{explain_missing, select_visible},
};

/// A page of the log.
#[derive(Debug)]
pub(super) struct LogPage {
    pub(super) rows: Vec<LoggedChange>,
    /// After the last row that was examined, or at the end of the log.
    pub(super) next: ChangeCursor,
    /// Whether the log ends with this page.
    pub(super) is_last: bool,
    /// The version of the catalogue in the snapshot.
    pub(super) version: i64,
    /// The newest takedown that was known before it was read: the page contains no values of what that one has removed.
    pub(super) takedown: Option<i64>,
}

/// Reads a page. The newest takedown must be in the database.
pub(super) async fn find(
    database: &DatabaseConnection,
    query: &ChangesQuery,
    takedown: Option<i64>,
) -> Result<LogPage, ApiError> {
    let snapshot = begin_snapshot(database).await?;
    let page = match find_missing(&snapshot, query).await? {
        Some(missing) => Err(missing),
        None => {
            let page = change_log::read_page(&snapshot, query).await?.ok_or(ApiError::CursorExpired);
            page.map(|page| LogPage { rows: page.rows, next: page.next, is_last: page.is_last, version: page.version, takedown })
        }
    };
    // Not a rollback, which would close the connection.
    snapshot.commit().await?;
    page
}

/// Why readers do not see the event of a query.
async fn find_missing(snapshot: &DatabaseTransaction, query: &ChangesQuery) -> Result<Option<ApiError>, DbErr> {
    let Some(event) = query.event else { return Ok(None) };
    if select_visible(event).one(snapshot).await?.is_some() {
        return Ok(None);
    }
    explain_missing(snapshot, event, |target| format!("../{target}/history")).await.map(Some)
}
