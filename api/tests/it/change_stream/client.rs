//! A client of Server-Sent Events.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpSocket, time::timeout};

/// Generous, because the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The kernel would buffer most of a stream.
const RECEIVE_BUFFER_BYTES: u32 = 64 * 1024;

/// A block of a stream: its fields, or a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) id: Option<String>,
    pub(super) event: Option<String>,
    pub(super) data: Option<String>,
    pub(super) retry: Option<u64>,
}

/// An open stream.
pub(super) struct StreamClient {
    response: Response<Incoming>,
    received: Vec<u8>,
    blocks: VecDeque<Block>,
    /// The last id that was received, as a browser remembers it.
    pub(super) last_id: Option<String>,
    /// Whether the stream is incomplete, because its connection failed.
    pub(super) has_failed: bool,
}

impl StreamClient {
    /// Opens a stream; the status and the body if it is rejected.
    pub(super) async fn try_open(address: SocketAddr, query: &str, last_id: Option<&str>) -> Result<Self, (u16, String)> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).unwrap();
        let stream = timeout(TIMEOUT, socket.connect(address)).await.unwrap().unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::get(format!("/changes/stream?{query}")).header("host", "test");
        if let Some(last_id) = last_id {
            request = request.header("last-event-id", last_id);
        }
        let request = request.body(Empty::<&[u8]>::new()).unwrap();
        let response = timeout(TIMEOUT, sender.send_request(request)).await.unwrap().unwrap();
        let status = response.status().as_u16();
        if status != 200 {
            let body = response.into_body().collect().await.unwrap().to_bytes();
            return Err((status, String::from_utf8(body.to_vec()).unwrap()));
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let blocks = VecDeque::new();
        Ok(Self { response, received: Vec::new(), blocks, last_id: last_id.map(str::to_owned), has_failed: false })
    }

    pub(super) async fn open(address: SocketAddr, query: &str, last_id: Option<&str>) -> Self {
        Self::try_open(address, query, last_id).await.unwrap_or_else(|rejected| panic!("{rejected:?}"))
    }

    /// The next block; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Block> {
        while self.blocks.is_empty() {
            match timeout(TIMEOUT, self.response.frame()).await.unwrap()? {
                Ok(frame) => self.received.extend_from_slice(&frame.into_data().unwrap()),
                Err(_) => {
                    self.has_failed = true;
                    return None;
                }
            }
            if let Some(end) = self.received.windows(2).rposition(|bytes| bytes == b"\n\n") {
                let complete: Vec<u8> = self.received.drain(..end + 2).collect();
                self.blocks.extend(std::str::from_utf8(&complete).unwrap().split_terminator("\n\n").map(Block::parse));
            }
        }
        let block = self.blocks.pop_front()?;
        self.last_id = block.id.clone().or(self.last_id.take());
        Some(block)
    }

    /// The next change, after checking that its fields agree; `None` at the end.
    pub(super) async fn next_change(&mut self) -> Option<Value> {
        loop {
            let block = self.next().await?;
            let Some(data) = block.data else { continue };
            let change: Value = serde_json::from_str(&data).unwrap();
            assert_eq!((block.id.as_deref(), block.event.as_deref()), (change["cursor"].as_str(), change["kind"].as_str()));
            return Some(change);
        }
    }

    /// The next changes.
    pub(super) async fn next_changes(&mut self, count: usize) -> Vec<Value> {
        let mut changes = Vec::new();
        while changes.len() < count {
            changes.push(self.next_change().await.expect("the stream is open"));
        }
        changes
    }

    /// The last block, after all others.
    pub(super) async fn last(&mut self) -> Option<Block> {
        let read = async {
            let mut last = None;
            while let Some(block) = self.next().await {
                last = Some(block);
            }
            last
        };
        timeout(TIMEOUT, read).await.expect("the stream has ended")
    }
}

impl Block {
    fn parse(text: &str) -> Self {
        let mut block = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.split_once(": ") {
                Some(("id", value)) => block.id = Some(value.to_owned()),
                Some(("event", value)) => block.event = Some(value.to_owned()),
                Some(("data", value)) => block.data = Some(value.to_owned()),
                Some(("retry", value)) => block.retry = Some(value.parse().unwrap()),
                _ => assert_eq!(line, ":", "{text:?}"),
            }
        }
        block
    }
}
