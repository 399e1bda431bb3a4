//! A server that sends exactly the bytes of a test, and counts them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A response.
#[derive(Clone)]
pub(super) struct RawResponse {
    pub(super) head: String,
    /// A chunk of the body, and the total number of bytes that are sent in such chunks.
    pub(super) body: (Vec<u8>, usize),
}

impl RawResponse {
    pub(super) fn new(head: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {}\r\nConnection: close\r\n\r\n", head.replace('\n', "\r\n"));
        Self { head, body: (body.to_vec(), body.len()) }
    }
}

/// Serves until it is dropped.
pub(super) struct RawServer {
    pub(super) url: String,
    sent: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    _shutdown: DropGuard,
}

impl RawServer {
    /// Sends the same response to every request.
    pub(super) async fn new(response: impl FnOnce(&str) -> RawResponse) -> Self {
        Self::with_script(|url| vec![response(url)]).await
    }

    /// Sends these responses, and then the last one again.
    pub(super) async fn with_script(responses: impl FnOnce(&str) -> Vec<RawResponse>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/feed", listener.local_addr().unwrap());
        let mut responses = responses(&url);
        responses.reverse();
        let (sent, requests) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let shutdown = CancellationToken::new();
        let (sent_by_task, requests_of_task) = (sent.clone(), requests.clone());
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let response = if responses.len() > 1 { responses.pop() } else { responses.last().cloned() };
                tokio::spawn(serve(stream, response.unwrap(), sent_by_task.clone(), requests_of_task.clone()));
            }
        }));
        Self { url, sent, requests, _shutdown: shutdown.drop_guard() }
    }

    /// Bytes of bodies that were written to sockets.
    pub(super) fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// The request heads so far, in lower case.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, response: RawResponse, sent: Arc<AtomicUsize>, requests: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    requests.lock().unwrap().push(String::from_utf8(head).unwrap().to_lowercase());
    if stream.write_all(response.head.as_bytes()).await.is_err() {
        return;
    }
    let (chunk, total) = response.body;
    let mut written = 0;
    while written < total && stream.write_all(&chunk).await.is_ok() {
        written += chunk.len();
        sent.fetch_add(chunk.len(), Ordering::SeqCst);
    }
    // The client sees an end of the body, unless it knows the length.
    let _closed_by_client = stream.shutdown().await;
}
