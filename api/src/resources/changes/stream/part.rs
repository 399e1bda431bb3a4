//! Parts of the log, encoded once for all streams.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use entity::{
    change::ChangeKind,
    change_log::{ChangeCursor, ChangePosition, ChangesQuery, LoggedChange},
    event_state::ChangedStates,
};

use super::super::{response::Change, rows::LogPage};
use crate::response::encode_json;

/// What every stream receives.
#[derive(Clone, Debug)]
pub(super) enum StreamItem {
    Part(Arc<Part>),
    /// The database was restored from a backup.
    Restored,
}

/// All changes between two positions.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) after: ChangeCursor,
    pub(super) until: ChangeCursor,
    /// As of the page.
    pub(super) takedown: Option<i64>,
    blocks: Vec<Block>,
    text: Bytes,
    _memory: QueuedBytes,
}

/// The bytes of a part, in the sum of all that are queued.
#[derive(Debug)]
struct QueuedBytes {
    bytes: usize,
    sum: Arc<AtomicUsize>,
}

impl QueuedBytes {
    fn new(bytes: usize, sum: &Arc<AtomicUsize>) -> Self {
        sum.fetch_add(bytes, Relaxed);
        Self { bytes, sum: sum.clone() }
    }
}

impl Drop for QueuedBytes {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.bytes, Relaxed);
    }
}

/// A change in the text of a part.
#[derive(Debug)]
struct Block {
    order: (i64, i32),
    kind: ChangeKind,
    provider: String,
    states: Option<ChangedStates>,
    bytes: Range<usize>,
}

/// Blocks of changes.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pub(super) text: Bytes,
    pub(super) count: usize,
}

impl Part {
    /// The part of a page. Its bytes are added to the sum of those that are queued.
    pub(super) fn new(after: ChangeCursor, page: LogPage, queued: &Arc<AtomicUsize>) -> Self {
        let (mut text, mut states_bytes) = (Vec::new(), 0);
        let mut blocks = Vec::with_capacity(page.rows.len());
        for row in page.rows {
            let (order, kind, provider, states) = ((row.version, row.ordinal), row.kind, row.provider.clone(), row.states());
            states_bytes += row.states_bytes();
            let start = text.len();
            encode_block(row, &mut text);
            blocks.push(Block { order, kind, provider, states, bytes: start..text.len() });
        }
        let memory = QueuedBytes::new(text.len() + states_bytes, queued);
        Self { after, until: page.next, takedown: page.takedown, blocks, text: text.into(), _memory: memory }
    }

    /// Nothing at the end of a page: streams that are not there read the page.
    pub(super) fn end_of(page: &LogPage, queued: &Arc<AtomicUsize>) -> Self {
        let (after, until, takedown) = (page.next, page.next, page.takedown);
        Self { after, until, takedown, blocks: Vec::new(), text: Bytes::new(), _memory: QueuedBytes::new(0, queued) }
    }

    /// The changes after a position that a query selects.
    pub(super) fn select(&self, query: &ChangesQuery, after: ChangePosition) -> Blocks {
        let is_selected =
            |block: &&Block| block.order > after.order() && query.selects(block.kind, &block.provider, block.states.as_ref());
        let selected: Vec<&Block> = self.blocks.iter().filter(is_selected).collect();
        let count = selected.len();
        if count == self.blocks.len() {
            return Blocks { text: self.text.clone(), count };
        }
        let mut text = BytesMut::new();
        selected.into_iter().for_each(|block| text.extend_from_slice(&self.text[block.bytes.clone()]));
        Blocks { text: text.freeze(), count }
    }
}

impl Blocks {
    /// All changes of a page.
    pub(super) fn of_page(page: LogPage) -> Self {
        let count = page.rows.len();
        let mut text = Vec::new();
        page.rows.into_iter().for_each(|row| encode_block(row, &mut text));
        Self { text: text.into(), count }
    }
}

/// JSON has no line breaks, so each field is one line.
fn encode_block(row: LoggedChange, text: &mut Vec<u8>) {
    let (kind, change) = (row.kind, Change::from(row));
    // Texts, numbers and maps of them always serialize.
    let data = encode_json(&change).unwrap_or_default();
    text.extend_from_slice(format!("id: {}\nevent: {}\ndata: {data}\n\n", change.cursor, kind.name()).as_bytes());
}
