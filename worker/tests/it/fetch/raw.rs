//! A server that says exactly what a test wants it to say, and counts.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What each connection is answered.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) head: String,
    /// A piece of the body and how many bytes of such pieces there are.
    pub(super) body: (Vec<u8>, usize),
}

impl Answer {
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
    _ends_with_it: DropGuard,
}

impl RawServer {
    pub(super) async fn new(answer: impl FnOnce(&str) -> Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/feed", listener.local_addr().unwrap());
        let answer = answer(&url);
        let (sent, requests) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let end = CancellationToken::new();
        let (counted, heard) = (sent.clone(), requests.clone());
        tokio::spawn(end.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), counted.clone(), heard.clone()));
            }
        }));
        Self { url, sent, requests, _ends_with_it: end.drop_guard() }
    }

    /// Bytes of bodies that the system took from the server.
    pub(super) fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// The heads of the requests so far, in lower case.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: Answer, sent: Arc<AtomicUsize>, requests: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    requests.lock().unwrap().push(String::from_utf8(head).unwrap().to_lowercase());
    if stream.write_all(answer.head.as_bytes()).await.is_err() {
        return;
    }
    let (piece, total) = answer.body;
    let mut written = 0;
    while written < total && stream.write_all(&piece).await.is_ok() {
        written += piece.len();
        sent.fetch_add(piece.len(), Ordering::SeqCst);
    }
    // An end that the client takes for one, if it does not know better.
    let _gone = stream.shutdown().await;
}
