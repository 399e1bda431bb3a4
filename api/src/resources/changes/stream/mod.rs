//! Streams of changes: one task reads each part of the log once, and all streams receive it
//! ([ADR 57](../../../../../docs/adr/0057-change-stream.md)).

mod body;
mod part;
mod reply;

use std::{sync::Arc, time::Duration};

use metrics::{counter, gauge};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast},
    time::{sleep, timeout},
};

pub(super) use self::reply::EventStreamReply;
use self::{
    body::ChangeStream,
    part::{Part, StreamItem},
};
use super::{
    filters::ChangesQuery,
    log::{ChangeLog, cursor_after_known},
    position::ChangeCursor,
    rows::LogPage,
};
use crate::{cache::version::KnownVersion, error::ApiError, state::Readiness};

/// Streams of a process: each holds a connection and some 30 KiB for as long as its client likes. Twice the clients that a process is
/// tested with.
const MAX_STREAMS: usize = 2_000;
/// The share of the connections that streams may hold, so that the others remain for requests.
const CONNECTION_SHARE: u32 = 2;
/// Changes that are read at a time: a small read, which does not delay those of requests.
const PAGE_CHANGES: u64 = 100;
/// Parts that wait for the slowest stream. Releases are read as fast as the database responds, so this is what a reader may lag behind:
/// 50,000 changes, in some 30 MB that all streams share.
const QUEUED_PARTS: usize = 512;
/// Pages of streams that are read at the same time, so that many clients that reconnect leave most reads to requests.
const MAX_READS: usize = 2;
/// How long a new stream may wait for its first page.
const START_TIME: Duration = Duration::from_secs(10);
/// The pause after a failed read, and before a database that lags behind is read again.
const RETRY_TIME: Duration = Duration::from_secs(1);

/// The streams of a process.
#[derive(Debug)]
pub struct ChangeStreams {
    log: ChangeLog,
    items: broadcast::Sender<StreamItem>,
    slots: Arc<Semaphore>,
    reads: Semaphore,
}

/// One of the streams that the limit allows. It counts why it has ended.
#[derive(Debug)]
struct StreamSlot {
    reason: &'static str,
    _permit: OwnedSemaphorePermit,
}

impl StreamSlot {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        gauge!("marquee_change_streams").increment(1);
        Self { reason: "client", _permit: permit }
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        gauge!("marquee_change_streams").decrement(1);
        counter!("marquee_change_streams_closed_total", "reason" => self.reason).increment(1);
    }
}

impl ChangeStreams {
    pub(crate) fn new(log: ChangeLog) -> Self {
        let (slots, reads) = (Arc::new(Semaphore::new(MAX_STREAMS)), Semaphore::new(MAX_READS));
        Self { log, items: broadcast::Sender::new(QUEUED_PARTS), slots, reads }
    }

    /// Limits the streams to a share of the connections.
    pub(crate) fn limit_to_share_of(&self, connections: u32) {
        let share = (connections / CONNECTION_SHARE) as usize;
        self.slots.forget_permits(MAX_STREAMS.saturating_sub(share));
    }

    /// Opens a stream. Its first page is read before, so that an expired cursor is an error.
    pub(super) async fn open(self: &Arc<Self>, readiness: &Readiness, query: ChangesQuery) -> Result<EventStreamReply, ApiError> {
        let permit = self.slots.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)?;
        let slot = StreamSlot::new(permit);
        let query = ChangesQuery { limit: PAGE_CHANGES, ..query };
        // Before the page is read, so that nothing is missed between both.
        let items = self.items.subscribe();
        let (position, first) = match query.after {
            Some(after) => {
                let read = timeout(START_TIME, self.read_page(&query)).await;
                (after, Some(read.map_err(|_| ApiError::Overloaded)??))
            }
            None => (self.log.end().await?, None),
        };
        let stream = ChangeStream::new((self.clone(), slot), readiness.clone(), (query, position), items, first);
        Ok(EventStreamReply::new(stream.into_body()))
    }

    async fn read_page(&self, query: &ChangesQuery) -> Result<LogPage, ApiError> {
        let _permit = self.reads.acquire().await.map_err(|_| ApiError::Overloaded)?;
        self.log.read_page(query).await
    }

    /// Reads what is committed, and sends it to the streams, forever.
    pub(crate) async fn run(&self) {
        let mut versions = self.log.watch_version();
        let mut position = None;
        loop {
            let known = *versions.borrow_and_update();
            if let Some(known) = known {
                position = Some(self.follow(position, known).await);
            }
            if versions.changed().await.is_err() {
                return;
            }
        }
    }

    /// Sends the changes after a position, up to a version that this process knows. Returns the position after them.
    async fn follow(&self, position: Option<StreamPosition>, known: KnownVersion) -> StreamPosition {
        let end = StreamPosition { cursor: cursor_after_known(known), restores: known.restores };
        let Some(mut position) = position else { return end };
        if position.restores != end.restores {
            self.send(StreamItem::Restored);
            return end;
        }
        while position.cursor.sort_key.order() < end.cursor.sort_key.order() {
            if self.items.receiver_count() == 0 {
                return end;
            }
            let query = ChangesQuery::all_after(position.cursor, PAGE_CHANGES);
            match self.log.read_page(&query).await {
                Ok(page) if page.next.sort_key.order() > position.cursor.sort_key.order() => {
                    let part = Part::new(position.cursor, page);
                    position.cursor = part.until;
                    self.send(StreamItem::Part(Arc::new(part)));
                }
                // A replica that lags behind.
                Ok(_) => sleep(RETRY_TIME).await,
                Err(ApiError::CursorExpired) => {
                    self.send(StreamItem::Restored);
                    return end;
                }
                Err(error) => {
                    if error.should_log() && !error.is_database_unavailable() {
                        tracing::error!(error = telemetry::with_causes(&error), "reading changes for streams failed");
                    }
                    sleep(RETRY_TIME).await;
                }
            }
        }
        position
    }

    /// Without streams, nothing receives it.
    fn send(&self, item: StreamItem) {
        let _no_streams = self.items.send(item);
    }
}

/// Up to where the log was sent.
#[derive(Clone, Copy, Debug)]
struct StreamPosition {
    cursor: ChangeCursor,
    /// How often the database had been restored.
    restores: u64,
}
