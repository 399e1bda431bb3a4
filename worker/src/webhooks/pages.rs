//! Pages of the log that deliveries share: after a release, all endpoints with the same filters read the same changes.

use std::{mem::size_of, sync::Arc, time::Duration};

use entity::{
    change_log::{ChangeCursor, ChangeDocument, ChangePosition, ChangesQuery, LogPage, LoggedChange},
    deadline,
};
use moka::sync::Cache;
use sea_orm::{DatabaseConnection, DbErr};
use serde_json::value::{RawValue, to_raw_value};

use super::source::read;

/// Bytes of pages in memory: those of a dozen different filters or positions.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
/// How long a page is shared: as long as a job delivers. What was removed from the log since then is removed from each message.
const SHARED_FOR: Duration = Duration::from_secs(10);

/// The changes after a position, as JSON.
#[derive(Debug)]
pub(super) struct EncodedPage {
    pub(super) changes: Vec<(ChangeCursor, Box<RawValue>)>,
    /// Where the log continues.
    pub(super) next: ChangeCursor,
    pub(super) is_last: bool,
    /// The version of the catalogue in the snapshot of the changes; `None` if they were not read.
    pub(super) version: Option<i64>,
}

impl EncodedPage {
    /// No changes.
    pub(super) fn before(position: ChangeCursor) -> Self {
        Self { changes: Vec::new(), next: position, is_last: false, version: None }
    }

    fn encode(page: LogPage) -> Result<Self, DbErr> {
        let LogPage { rows, next, is_last, version } = page;
        let encode = |row: LoggedChange| {
            let cursor = row.cursor();
            let json =
                to_raw_value(&ChangeDocument::<Box<RawValue>>::from(row)).map_err(|error| DbErr::Json(error.to_string()))?;
            Ok((cursor, json))
        };
        let changes = rows.into_iter().map(encode).collect::<Result<_, DbErr>>()?;
        Ok(Self { changes, next, is_last, version: Some(version) })
    }

    fn bytes(&self) -> usize {
        self.changes.iter().map(|(_, json)| json.get().len() + size_of::<(ChangeCursor, Box<RawValue>)>()).sum()
    }
}

/// Pages by position and filters. The last one of the log is not among them, because more changes will follow.
#[derive(Clone, Debug)]
pub(super) struct SharedPages(Cache<(ChangePosition, Arc<str>), Arc<EncodedPage>>);

impl SharedPages {
    pub(super) fn new() -> Self {
        let weigh = |_: &(ChangePosition, Arc<str>), page: &Arc<EncodedPage>| u32::try_from(page.bytes()).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(MAX_BYTES).time_to_live(SHARED_FOR).weigher(weigh).build())
    }

    /// Reads a page of the filters with this text; `None` if the log no longer contains all changes after its position.
    pub(super) async fn read(
        &self,
        database: &DatabaseConnection,
        query: &ChangesQuery,
        selection: &Arc<str>,
    ) -> Result<Option<Arc<EncodedPage>>, DbErr> {
        let key = query.after.map(|after| (after.sort_key, selection.clone()));
        if let Some(page) = key.as_ref().and_then(|key| self.0.get(key)) {
            return Ok(Some(page));
        }
        let Some(page) = deadline::within(deadline::SHORT, database, read(database, query)).await? else { return Ok(None) };
        let page = Arc::new(EncodedPage::encode(page)?);
        if let Some(key) = key.filter(|_| !page.is_last) {
            self.0.insert(key, page.clone());
        }
        Ok(Some(page))
    }
}
