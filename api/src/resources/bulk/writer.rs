//! Writes a copy in a separate task, which owns the snapshot: it ends in time, whatever the client does.

use std::{collections::HashMap, io, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use poem::Body;
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};
use tracing::Instrument;

use super::rows;
use crate::{
    database::Snapshot,
    error::ApiError,
    resources::events::EventDetails,
    response::{StreamEncoder, encode_json},
};

/// How long a copy may take. Until it ends, PostgreSQL does not remove dead rows, and SQLite does not reuse its write-ahead log.
const MAX_DURATION: Duration = Duration::from_secs(10 * 60);
/// How long a client may take to receive a part: less than the time after which PostgreSQL ends an idle transaction.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// A part of the body. A stream without `End` is incomplete.
#[derive(Debug)]
enum Part {
    Bytes(Bytes),
    End,
}

/// Why a copy is incomplete.
#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error("the client has disconnected")]
    Disconnected,
    #[error("the client does not receive the response")]
    ClientTooSlow,
    #[error("the copy takes too long")]
    TooLong,
    #[error(transparent)]
    Failed(#[from] ApiError),
}

/// What the client receives.
struct CopyOutput {
    encoder: StreamEncoder,
    parts: mpsc::Sender<Part>,
}

/// Starts to write a copy, and returns its body.
pub(super) fn start(snapshot: Snapshot, cursor: String, provider: Option<String>, encoder: StreamEncoder) -> Body {
    // One part waits while another one is read.
    let (parts, receiver) = mpsc::channel(1);
    let write = async move {
        let output = CopyOutput { encoder, parts };
        let written = timeout(MAX_DURATION, write_copy(snapshot, &cursor, provider.as_deref(), output)).await;
        match written.unwrap_or(Err(CopyError::TooLong)) {
            Ok(()) | Err(CopyError::Disconnected) => {}
            Err(error) => tracing::warn!(error = telemetry::with_causes(&error), "copy of events aborted"),
        }
    };
    tokio::spawn(write.in_current_span());
    let next = |mut receiver: mpsc::Receiver<Part>| async move {
        match receiver.recv().await {
            Some(Part::Bytes(bytes)) => Ok(Some((bytes, receiver))),
            Some(Part::End) => Ok(None),
            // The connection is closed without the last chunk.
            None => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        }
    };
    Body::from_bytes_stream(stream::try_unfold(receiver, next))
}

async fn write_copy(snapshot: Snapshot, cursor: &str, slug: Option<&str>, mut output: CopyOutput) -> Result<(), CopyError> {
    let transaction = &snapshot.transaction;
    output = output.send(format!("{}\n", json!({ "cursor": cursor })).into_bytes()).await?;
    let mut count = 0;
    for provider in snapshot.read(rows::list_providers(transaction, slug)).await? {
        let mut after = None;
        loop {
            let page = rows::list_base_events(transaction, provider.id, after.as_deref());
            let base_events = snapshot.read(page).await?;
            let Some(last) = base_events.last() else { break };
            after = Some(last.source_id.clone());
            let ids = snapshot.read(rows::list_events(transaction, &base_events)).await?;
            let base_events: HashMap<_, _> = base_events.into_iter().map(|base_event| (base_event.id, base_event)).collect();
            for ids in ids.chunks(rows::EVENTS_PER_PART) {
                let events = snapshot.read(rows::load_events(transaction, &provider, &base_events, ids)).await?;
                count += events.len();
                output = output.send(encode_lines(&events)?).await?;
            }
        }
    }
    snapshot.end().await?;
    output = output.send(format!("{}\n", json!({ "events": count })).into_bytes()).await?;
    output.finish().await
}

fn encode_lines(events: &[EventDetails]) -> Result<Vec<u8>, ApiError> {
    let mut lines = String::new();
    for event in events {
        lines.push_str(&encode_json(event).map_err(ApiError::Encoding)?);
        lines.push('\n');
    }
    Ok(lines.into_bytes())
}

impl CopyOutput {
    async fn send(mut self, lines: Vec<u8>) -> Result<Self, CopyError> {
        let (encoder, encoded) = self.encoder.encode(lines).await?;
        self.encoder = encoder;
        send(&self.parts, Part::Bytes(encoded)).await?;
        Ok(self)
    }

    async fn finish(self) -> Result<(), CopyError> {
        send(&self.parts, Part::Bytes(self.encoder.finish())).await?;
        send(&self.parts, Part::End).await
    }
}

async fn send(parts: &mpsc::Sender<Part>, part: Part) -> Result<(), CopyError> {
    match timeout(MAX_PAUSE, parts.send(part)).await {
        Ok(sent) => sent.map_err(|_| CopyError::Disconnected),
        Err(_) => Err(CopyError::ClientTooSlow),
    }
}
