//! A reader of `/changes/stream` that costs little, so that many of them can run beside the API.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
};
use xxhash_rust::xxh3::Xxh3Default;

use crate::{Failure, samples::Samples};

/// The number and the digest of a sequence of cursors.
#[derive(Clone, Default)]
pub(super) struct LogDigest {
    count: u64,
    hash: Xxh3Default,
}

impl LogDigest {
    pub(super) fn add(&mut self, cursor: &str) {
        self.count += 1;
        self.hash.update(cursor.as_bytes());
        self.hash.update(b"\n");
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

impl PartialEq for LogDigest {
    fn eq(&self, other: &Self) -> bool {
        (self.count, self.hash.digest128()) == (other.count, other.hash.digest128())
    }
}

impl std::fmt::Debug for LogDigest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} changes, {:032x}", self.count, self.hash.digest128())
    }
}

/// What a stream has sent.
#[derive(Debug, Default)]
pub(super) struct ReceivedLog {
    pub(super) log: LogDigest,
    /// From the instant of each change to its arrival.
    pub(super) delays: Samples,
}

/// An open stream, read by a task.
pub(super) struct StreamReader {
    task: JoinHandle<Result<ReceivedLog, std::io::Error>>,
    /// The number of changes so far.
    count: watch::Receiver<u64>,
    close: watch::Sender<bool>,
}

impl StreamReader {
    /// Opens a stream after a position.
    pub(super) async fn open(address: SocketAddr, after: &str) -> Result<Self, Failure> {
        let mut stream = TcpStream::connect(address).await?;
        // Responses to HTTP/1.0 are not divided into chunks.
        stream.write_all(format!("GET /changes/stream?after={after} HTTP/1.0\r\n\r\n").as_bytes()).await?;
        let mut lines = BufReader::new(stream);
        let mut status = String::new();
        lines.read_line(&mut status).await?;
        if !status.contains(" 200 ") {
            return Err(format!("a stream is rejected: {status}").into());
        }
        let ((counted, count), (close, closed)) = (watch::channel(0), watch::channel(false));
        Ok(Self { task: tokio::spawn(read(lines, counted, closed)), count, close })
    }

    /// Waits until it has this many changes.
    pub(super) async fn wait_for(&self, count: u64, patience: Duration) -> Result<(), Failure> {
        let (mut counted, started) = (self.count.clone(), Instant::now());
        let reached = tokio::time::timeout(patience, counted.wait_for(|counted| *counted >= count)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            _ => Err(format!("a stream has {} of {count} changes after {:?}", *self.count.borrow(), started.elapsed()).into()),
        }
    }

    /// Closes the stream and returns what it has sent.
    pub(super) async fn close(self) -> Result<ReceivedLog, Failure> {
        // Fails if the stream has ended, which the task reports.
        let _sent = self.close.send(true);
        Ok(self.task.await??)
    }
}

async fn read(
    mut lines: BufReader<TcpStream>,
    counted: watch::Sender<u64>,
    mut closed: watch::Receiver<bool>,
) -> Result<ReceivedLog, std::io::Error> {
    let (mut received, mut line) = (ReceivedLog::default(), Vec::new());
    loop {
        line.clear();
        let read = tokio::select! {
            read = lines.read_until(b'\n', &mut line) => read?,
            _ = closed.changed() => return Ok(received),
        };
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(data) = line.strip_prefix(b"data: ") else { continue };
        let change: Value = serde_json::from_slice(data)?;
        received.log.add(change["cursor"].as_str().unwrap_or_default());
        if let Some(at) = change["at"].as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok()) {
            received.delays.push((Utc::now() - at.to_utc()).to_std().unwrap_or_default());
        }
        counted.send_replace(received.log.count());
    }
}
