//! Streams of changes: one task reads each part of the log once, and all streams receive it
//! ([ADR 57](../../../../../docs/adr/0057-change-stream.md)).

mod body;
mod part;
mod reply;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use entity::change_log::{ChangeCursor, ChangesQuery};
use metrics::{counter, gauge};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch},
    time::{sleep, timeout},
};

pub(super) use self::reply::EventStreamReply;
use self::{
    body::ChangeStream,
    part::{Part, StreamItem},
};
use super::{
    log::{ChangeLog, cursor_after_known},
    rows::LogPage,
};
use crate::{
    cache::{MinVersion, version::KnownVersion},
    error::ApiError,
    state::Readiness,
};

/// Streams of a process: each holds a connection and some 30 KiB for as long as its client likes. Twice the clients that a process is
/// tested with.
const MAX_STREAMS: usize = 2_000;
/// The share of the connections that streams may hold, so that the others remain for requests.
const CONNECTION_SHARE: u32 = 2;
/// Changes that are read at a time: a small read, which does not delay those of requests.
const PAGE_CHANGES: u64 = 100;
/// Parts that wait for the slowest stream. Releases are read as fast as the database responds, so this is what a reader may lag behind.
const QUEUED_PARTS: usize = 128;
/// Bytes of these parts, which all streams share. Most changes have some 600 bytes, those of descriptions up to 80 KB. Beyond it, streams
/// read pages.
const QUEUED_BYTES: usize = 32 * 1024 * 1024;
/// Pages of streams that are read at the same time, so that many clients that reconnect leave most reads to requests.
const MAX_READS: usize = 2;
/// How long a new stream may wait for its first page.
const START_TIME: Duration = Duration::from_secs(10);
/// The pause after a failed read, and before a database that lags behind is read again.
const RETRY_TIME: Duration = Duration::from_secs(1);
/// The pause if other reads come first: one read is for all streams.
const OVERLOAD_PAUSE: Duration = Duration::from_millis(100);
/// Reads with an expired position until streams end: a restored backup is detected before that, and a server that is only behind recovers.
const MAX_EXPIRED_READS: u32 = 5;

/// The streams of a process.
#[derive(Debug)]
pub struct ChangeStreams {
    log: ChangeLog,
    items: broadcast::Sender<StreamItem>,
    slots: Arc<Semaphore>,
    reads: Semaphore,
    queued_bytes: Arc<AtomicUsize>,
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
        Self { log, items: broadcast::Sender::new(QUEUED_PARTS), slots, reads, queued_bytes: Arc::default() }
    }

    /// Limits the streams to a share of the connections.
    pub(crate) fn limit_to_share_of(&self, connections: u32) {
        let share = (connections / CONNECTION_SHARE) as usize;
        self.slots.forget_permits(MAX_STREAMS.saturating_sub(share));
    }

    /// Opens a stream. Its first page is read before, so that an expired cursor is an error.
    pub(super) async fn open(self: &Arc<Self>, readiness: &Readiness, query: ChangesQuery) -> Result<EventStreamReply, ApiError> {
        let permit = self.slots.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)?;
        let query = timeout(START_TIME, self.resolve(query)).await.map_err(|_| ApiError::Overloaded)??;
        // Before the page is read, so that nothing is missed between both.
        let items = self.items.subscribe();
        let (position, first) = match query.after {
            Some(after) => {
                let read = timeout(START_TIME, self.read_page(&query)).await;
                (after, Some(read.map_err(|_| ApiError::Overloaded)??))
            }
            None => (self.log.end().await?, None),
        };
        let stream =
            ChangeStream::new((self.clone(), StreamSlot::new(permit)), readiness.clone(), (query, position), items, first);
        Ok(EventStreamReply::new(stream.into_body()))
    }

    async fn resolve(&self, query: ChangesQuery) -> Result<ChangesQuery, ApiError> {
        let _permit = self.reads.acquire().await.map_err(|_| ApiError::Overloaded)?;
        Ok(ChangesQuery { limit: PAGE_CHANGES, ..self.log.resolve(query).await? })
    }

    async fn read_page(&self, query: &ChangesQuery) -> Result<LogPage, ApiError> {
        let _permit = self.reads.acquire().await.map_err(|_| ApiError::Overloaded)?;
        self.log.read_page(query, MinVersion::default()).await
    }

    /// Reads what is committed, and sends it to the streams, forever.
    pub(crate) async fn run(&self) {
        let mut versions = self.log.watch_version();
        let mut position = None;
        loop {
            position = self.follow(position, &mut versions).await;
            if versions.changed().await.is_err() {
                return;
            }
        }
    }

    /// Sends the changes after a position, up to the version that this process knows. Returns the position after them.
    async fn follow(
        &self,
        mut position: Option<StreamPosition>,
        versions: &mut watch::Receiver<Option<KnownVersion>>,
    ) -> Option<StreamPosition> {
        let mut expired = 0;
        loop {
            let Some(known) = *versions.borrow_and_update() else { return position };
            let end = StreamPosition { cursor: cursor_after_known(known), restores: known.restores };
            let Some(reached) = position.filter(|_| self.items.receiver_count() > 0) else { return Some(end) };
            if reached.restores != end.restores || expired == MAX_EXPIRED_READS {
                self.send(StreamItem::Restored);
                return Some(end);
            }
            if reached.cursor.sort_key.order() >= end.cursor.sort_key.order() {
                return position;
            }
            let query = ChangesQuery::all_after(reached.cursor, PAGE_CHANGES);
            match self.log.read_page(&query, MinVersion::default()).await {
                Ok(page) if page.next.sort_key.order() > reached.cursor.sort_key.order() => {
                    position = Some(StreamPosition { cursor: page.next, ..reached });
                    self.send(StreamItem::Part(Arc::new(self.queue(reached.cursor, page))));
                }
                // A replica that lags behind.
                Ok(_) => sleep(RETRY_TIME).await,
                Err(ApiError::CursorExpired) => {
                    expired += 1;
                    sleep(RETRY_TIME).await;
                }
                Err(ApiError::Overloaded) => sleep(OVERLOAD_PAUSE).await,
                Err(error) => {
                    if error.should_log() && !error.is_database_unavailable() {
                        tracing::error!(error = telemetry::with_causes(&error), "reading changes for streams failed");
                    }
                    sleep(RETRY_TIME).await;
                }
            }
        }
    }

    /// The part of a page, or only its position if too much is queued.
    fn queue(&self, after: ChangeCursor, page: LogPage) -> Part {
        if self.queued_bytes.load(Relaxed) > QUEUED_BYTES {
            return Part::end_of(&page, &self.queued_bytes);
        }
        Part::new(after, page, &self.queued_bytes)
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
