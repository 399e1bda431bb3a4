//! Cuts the changes that an endpoint selects into batches.

use std::collections::VecDeque;

use entity::{
    UtcInstant,
    change_log::{self, ChangeCursor, ChangeDocument, ChangesQuery, LoggedChange},
    deadline,
    sql::begin_snapshot,
    webhook::{Batch, FrozenBatch, WebhookSelection},
};
use sea_orm::{DatabaseConnection, DbErr};
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;
use uuid::Uuid;

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
    /// The JSON of the changes that were read, with their positions.
    rows: VecDeque<(ChangeCursor, Box<RawValue>)>,
    /// Where the log continues after them.
    next: ChangeCursor,
    is_last: bool,
    /// The version of the catalogue in the snapshot of these rows. It has no content that was removed before.
    version: Option<i64>,
}

impl BatchSource {
    pub(super) fn new(selection: WebhookSelection, position: ChangeCursor) -> Self {
        let query = ChangesQuery { max_bytes: PAGE_BYTES, ..selection.into_query(position, PAGE_CHANGES) };
        Self { query, rows: VecDeque::new(), next: position, is_last: false, version: None }
    }

    /// The version of the catalogue when the changes of the last batch were read; `None` if none was frozen.
    pub(super) fn version(&self) -> Option<i64> {
        self.version
    }

    /// Freezes the next batch.
    pub(super) async fn freeze(&mut self, database: &DatabaseConnection, now: UtcInstant, until: Instant) -> Result<Next, DbErr> {
        while self.rows.is_empty() {
            if self.is_last || Instant::now() > until {
                return Ok(Next::End(self.next));
            }
            let reading = read(database, &self.query);
            let Some(page) = deadline::within(deadline::SHORT, database, reading).await? else { return Ok(Next::Expired) };
            (self.next, self.is_last, self.version) = (page.next, page.is_last, Some(page.version));
            self.query.after = Some(page.next);
            self.rows = page.rows.into_iter().map(encode).collect::<Result<_, _>>()?;
        }
        Ok(Next::Batch(self.cut(now)))
    }

    fn cut(&mut self, now: UtcInstant) -> FrozenBatch {
        let mut position = self.next;
        let (mut changes, mut bytes) = (Vec::new(), 0);
        while let Some((cursor, json)) = self.rows.pop_front() {
            let is_full = changes.len() == MAX_BATCH_CHANGES || bytes + json.get().len() > MAX_BATCH_BYTES;
            if is_full && !changes.is_empty() {
                self.rows.push_front((cursor, json));
                break;
            }
            position = cursor;
            bytes += json.get().len();
            changes.push(json);
        }
        if self.rows.is_empty() {
            position = self.next;
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

fn encode(row: LoggedChange) -> Result<(ChangeCursor, Box<RawValue>), DbErr> {
    let cursor = row.cursor();
    let json = to_raw_value(&ChangeDocument::<Box<RawValue>>::from(row)).map_err(|error| DbErr::Json(error.to_string()))?;
    Ok((cursor, json))
}

/// Reads a page; `None` if the log no longer contains all changes after its position.
pub(super) async fn read(database: &DatabaseConnection, query: &ChangesQuery) -> Result<Option<change_log::LogPage>, DbErr> {
    let snapshot = begin_snapshot(database).await?;
    let page = change_log::read_page(&snapshot, query).await?;
    // Not a rollback, which would close the connection.
    snapshot.commit().await?;
    Ok(page)
}
