//! A consumer of `/changes/stream` that disconnects at random moments, and continues after the last change that it has received.

use std::{net::SocketAddr, time::Duration};

use programs::Failure;
use reqwest::StatusCode;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// The pause before the next connection.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest time between two heartbeats, and a margin.
const SILENCE: Duration = Duration::from_secs(60);

/// What was received.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// The cursors in the order of their arrival.
    pub(super) cursors: Vec<String>,
    pub(super) connections: u64,
    /// The last id, also of an event without a change.
    last_id: Option<String>,
}

/// Reads the stream after a position until `stop` is cancelled. `last` has the last cursor.
pub(super) async fn read(
    address: SocketAddr,
    after: String,
    last: watch::Sender<String>,
    stop: CancellationToken,
) -> Result<Received, Failure> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut received = Received::default();
    let url = format!("http://{address}/changes/stream?after={after}");
    while !stop.is_cancelled() {
        let patience = Duration::from_millis(fastrand::u64(50..4_000));
        let reading = read_connection(&client, &url, &mut received, &last);
        match stop.run_until_cancelled(timeout(patience, reading)).await {
            // It ends because of the random disconnection, or because the API was killed.
            None | Some(Err(_) | Ok(Ok(()))) => {}
            Some(Ok(Err(failure))) => return Err(failure),
        }
        sleep(PAUSE).await;
    }
    Ok(received)
}

/// Reads until the connection ends.
async fn read_connection(
    client: &reqwest::Client,
    url: &str,
    received: &mut Received,
    last: &watch::Sender<String>,
) -> Result<(), Failure> {
    let mut request = client.get(url);
    if let Some(id) = &received.last_id {
        request = request.header("Last-Event-ID", id);
    }
    let Ok(mut response) = request.send().await else { return Ok(()) };
    match response.status() {
        StatusCode::OK => {}
        StatusCode::SERVICE_UNAVAILABLE => return Ok(()),
        status => return Err(format!("the stream responds with {status}: {}", response.text().await.unwrap_or_default()).into()),
    }
    received.connections += 1;
    let mut buffer = Vec::new();
    // Until the API is killed, or nothing arrives, not even heartbeats.
    while let Ok(Ok(Some(chunk))) = timeout(SILENCE, response.chunk()).await {
        buffer.extend_from_slice(&chunk);
        // An event is complete with the empty line after it.
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = buffer.drain(..end + 2).collect();
            received.add(&String::from_utf8_lossy(&event), last);
        }
    }
    Ok(())
}

impl Received {
    /// Adds an event, which may have an id, a change, or both.
    fn add(&mut self, event: &str, last: &watch::Sender<String>) {
        let Some(id) = event.lines().find_map(|line| line.strip_prefix("id:")).map(str::trim) else { return };
        self.last_id = Some(id.to_owned());
        if event.lines().any(|line| line.starts_with("data:")) {
            self.cursors.push(id.to_owned());
            last.send_replace(id.to_owned());
        }
    }
}
