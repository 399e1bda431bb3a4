//! One stream: pages from its position to the end of the log, and then the parts that all streams receive.
//!
//! A stream is at a position: everything before it that its filters select was sent. A part that begins after the position would leave a
//! gap, so that the stream reads pages again; what is before the position is skipped. So no change is missed, and none is repeated.

use std::{io, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use entity::change_log::{ChangeCursor, ChangesQuery};
use futures_util::{FutureExt, future::BoxFuture, stream};
use metrics::counter;
use poem::Body;
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep},
};

use super::{
    super::rows::LogPage,
    ChangeStreams, RETRY_TIME, StreamSlot,
    part::{Blocks, StreamItem},
};
use crate::{error::ApiError, state::Readiness};

/// How often a block is sent while nothing changes: many proxies close connections that are idle for 15 seconds, and a client that has not
/// received one for longer knows that its connection is lost.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);
/// When clients should reconnect after a stream has ended, in milliseconds: spread, so that a process that replaces this one does not
/// receive all at the same time.
const RECONNECTION_MS: Range<u64> = 500..5_500;
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// A page that is being read.
type PageRead = BoxFuture<'static, Result<LogPage, ApiError>>;

pub(super) struct ChangeStream {
    streams: Arc<ChangeStreams>,
    readiness: Readiness,
    slot: StreamSlot,
    query: ChangesQuery,
    position: ChangeCursor,
    /// The last id that was sent.
    sent: Option<ChangeCursor>,
    items: broadcast::Receiver<StreamItem>,
    /// Whether the stream has received a part since it last read a page. A lag before that is one of reading pages.
    has_joined: bool,
    /// The page that is read, if there may be changes that no part will contain.
    page: Option<PageRead>,
    heartbeats: Interval,
    has_ended: bool,
}

/// What happens next.
enum Step {
    Page(Result<LogPage, ApiError>),
    Item(StreamItem),
    Lagged,
    Heartbeat,
    ShuttingDown,
}

impl ChangeStream {
    /// A stream after the position of the query, of which the first page may have been read.
    pub(super) fn new(
        (streams, slot): (Arc<ChangeStreams>, StreamSlot),
        readiness: Readiness,
        (query, position): (ChangesQuery, ChangeCursor),
        items: broadcast::Receiver<StreamItem>,
        first: Option<LogPage>,
    ) -> Self {
        let mut heartbeats = interval_at(Instant::now() + HEARTBEAT_INTERVAL, HEARTBEAT_INTERVAL);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let page = first.map(|page| async { Ok(page) }.boxed());
        Self {
            streams,
            readiness,
            slot,
            query,
            position,
            sent: None,
            items,
            has_joined: false,
            page,
            heartbeats,
            has_ended: false,
        }
    }

    pub(super) fn into_body(self) -> Body {
        let next = |mut stream: Self| async move {
            let block = stream.next().await;
            block.map(|block| (Ok::<_, io::Error>(block), stream))
        };
        Body::from_bytes_stream(stream::unfold(self, next))
    }

    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        // The first block, so that a client that reconnects continues from here.
        if self.sent.is_none() {
            return Some(self.send_id());
        }
        loop {
            let bytes = match self.wait().await {
                // It may contain values that were removed since it was read.
                Step::Page(Ok(page)) if self.streams.log.has_takedown_after(page.takedown) => {
                    self.read_page(Duration::ZERO);
                    Bytes::new()
                }
                Step::Page(Ok(page)) => self.send_page(page),
                Step::Page(Err(ApiError::CursorExpired)) => self.end("expired"),
                Step::Page(Err(error)) if error.retry_after().is_some() => {
                    self.read_page(RETRY_TIME);
                    Bytes::new()
                }
                Step::Page(Err(error)) => {
                    tracing::error!(error = telemetry::with_causes(&error), "reading changes for a stream failed");
                    self.end("failed")
                }
                Step::Item(StreamItem::Restored) => self.end("restored"),
                Step::Item(StreamItem::Part(part))
                    if part.after.sort_key.order() > self.position.sort_key.order()
                        || self.streams.log.has_takedown_after(part.takedown) =>
                {
                    self.read_page(Duration::ZERO);
                    Bytes::new()
                }
                Step::Item(StreamItem::Part(part)) => {
                    self.has_joined = true;
                    let blocks = part.select(&self.query, self.position.sort_key);
                    self.send_blocks(blocks, part.until)
                }
                Step::Lagged if self.has_joined => self.end("slow_reader"),
                Step::Lagged => {
                    self.read_page(Duration::ZERO);
                    Bytes::new()
                }
                Step::Heartbeat if self.sent != Some(self.position) => self.send_id(),
                Step::Heartbeat => COMMENT,
                Step::ShuttingDown => self.end("shutdown"),
            };
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
    }

    async fn wait(&mut self) -> Step {
        tokio::select! {
            biased;
            () = self.readiness.streams_ended() => Step::ShuttingDown,
            _ = self.heartbeats.tick() => Step::Heartbeat,
            step = receive(&mut self.page, &mut self.items) => step,
        }
    }

    fn send_page(&mut self, page: LogPage) -> Bytes {
        let (next, is_last) = (page.next, page.is_last);
        let bytes = self.send_blocks(Blocks::of_page(page), next);
        if !is_last {
            self.read_page(Duration::ZERO);
        } else if self.streams.log.continues_after(next) {
            // It was read from a replica that lags behind what the other streams have received.
            self.read_page(RETRY_TIME);
        }
        bytes
    }

    /// Sends blocks, after which the stream is at a position, if that is not before the one where it is.
    fn send_blocks(&mut self, blocks: Blocks, position: ChangeCursor) -> Bytes {
        if position.sort_key.order() > self.position.sort_key.order() {
            self.position = position;
        }
        counter!("marquee_streamed_changes_total").increment(blocks.count as u64);
        blocks.text
    }

    /// Sends a block that only has an id: clients reconnect from there, and report no event.
    fn send_id(&mut self) -> Bytes {
        self.sent = Some(self.position);
        format!("id: {}\n\n", self.position.encode()).into()
    }

    /// Reads the page after the position, after a pause.
    fn read_page(&mut self, pause: Duration) {
        let (streams, query) = (self.streams.clone(), ChangesQuery { after: Some(self.position), ..self.query.clone() });
        // What is queued is older than what the page contains.
        self.items = self.items.resubscribe();
        self.has_joined = false;
        let read = async move {
            sleep(pause).await;
            streams.read_page(&query).await
        };
        self.page = Some(read.boxed());
    }

    /// The last bytes of the stream.
    fn end(&mut self, reason: &'static str) -> Bytes {
        self.has_ended = true;
        self.slot.reason = reason;
        format!("id: {}\nretry: {}\n\n", self.position.encode(), fastrand::u64(RECONNECTION_MS)).into()
    }
}

/// Waits for the page that is read, or else for the next item.
async fn receive(page: &mut Option<PageRead>, items: &mut broadcast::Receiver<StreamItem>) -> Step {
    if let Some(read) = page {
        let result = read.await;
        *page = None;
        return Step::Page(result);
    }
    match items.recv().await {
        Ok(item) => Step::Item(item),
        Err(RecvError::Lagged(_)) => Step::Lagged,
        Err(RecvError::Closed) => Step::ShuttingDown,
    }
}
