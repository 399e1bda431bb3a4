//! Cuts the changes that an endpoint selects into batches.

use std::sync::Arc;

use entity::{
    UtcInstant,
    change_log::{self, ChangeCursor, ChangesQuery},
    sql::begin_snapshot,
    webhook::{Batch, FrozenBatch, WebhookSelection},
};
use sea_orm::{DatabaseConnection, DbErr};
use tokio::time::Instant;
use uuid::Uuid;

use super::pages::{EncodedPage, SharedPages};

/// Changes of a batch: a few kilobytes to some tens of them, which a receiver can process within the time limit.
const MAX_BATCH_CHANGES: usize = 100;
/// Bytes of a batch, except of one change that is larger alone. Common servers accept a megabyte.
const MAX_BATCH_BYTES: usize = 256 * 1024;
/// Changes that are read together, for several batches. Most have some 500 bytes.
const PAGE_CHANGES: u64 = 1_000;
/// Bytes of changes after which no more are read: two batches, which each delivery of the process may hold.
const PAGE_BYTES: usize = 512 * 1024;
/// The type of messages with changes.
pub(super) const CHANGES: &str = "changes";

/// What follows at a position of the log.
#[derive(Debug)]
pub(super) enum Next {
    /// Changes.
    Batch(FrozenBatch),
    /// The end of the log, or of the time. All changes before the position were delivered or are not selected.
    End(ChangeCursor),
    /// The log no longer contains all changes after the position.
    Expired,
}

/// The changes after a position.
#[derive(Debug)]
pub(super) struct BatchSource {
    query: ChangesQuery,
    /// The text of the filters.
    selection: Arc<str>,
    page: Arc<EncodedPage>,
    /// How many changes of the page are in batches.
    used: usize,
}

impl BatchSource {
    /// The changes of an endpoint with these filters, and their text.
    pub(super) fn new((selection, text): (WebhookSelection, Arc<str>), position: ChangeCursor) -> Self {
        let query = ChangesQuery { max_bytes: PAGE_BYTES, ..selection.into_query(position, PAGE_CHANGES) };
        Self { query, selection: text, page: Arc::new(EncodedPage::before(position)), used: 0 }
    }

    /// The version of the catalogue when the changes of the last batch were read; `None` if none was frozen. They have no content that was
    /// removed before.
    pub(super) fn version(&self) -> Option<i64> {
        self.page.version
    }

    /// Freezes the next batch.
    pub(super) async fn freeze(
        &mut self,
        (database, pages): (&DatabaseConnection, &SharedPages),
        now: UtcInstant,
        until: Instant,
    ) -> Result<Next, DbErr> {
        while self.used == self.page.changes.len() {
            if self.page.is_last || Instant::now() > until {
                return Ok(Next::End(self.page.next));
            }
            let Some(page) = pages.read(database, &self.query, &self.selection).await? else { return Ok(Next::Expired) };
            self.query.after = Some(page.next);
            (self.page, self.used) = (page, 0);
        }
        Ok(Next::Batch(self.cut(now)))
    }

    fn cut(&mut self, now: UtcInstant) -> FrozenBatch {
        let (mut changes, mut bytes, mut position) = (Vec::new(), 0, self.page.next);
        for (cursor, json) in &self.page.changes[self.used..] {
            let is_full = changes.len() == MAX_BATCH_CHANGES || bytes + json.get().len() > MAX_BATCH_BYTES;
            if is_full && !changes.is_empty() {
                break;
            }
            position = *cursor;
            bytes += json.get().len();
            changes.push(&**json);
        }
        self.used += changes.len();
        if self.used == self.page.changes.len() {
            position = self.page.next;
        }
        let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        let body = Batch::new(CHANGES, now, changes, position).encode();
        FrozenBatch { id: new_message_id(), body, changes: count, position }
    }
}

/// A unique id, by which a receiver recognizes a message that it has received before.
pub(super) fn new_message_id() -> String {
    format!("msg_{}", Uuid::new_v4().simple())
}

/// Reads a page; `None` if the log no longer contains all changes after its position.
pub(super) async fn read(database: &DatabaseConnection, query: &ChangesQuery) -> Result<Option<change_log::LogPage>, DbErr> {
    let snapshot = begin_snapshot(database).await?;
    let page = change_log::read_page(&snapshot, query).await?;
    // Not a rollback, which would close the connection.
    snapshot.commit().await?;
    Ok(page)
}
