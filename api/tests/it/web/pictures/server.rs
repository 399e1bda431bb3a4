//! A server of pictures, which records what is requested.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Serves until it is dropped.
pub(super) struct PictureServer {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    /// How many responses may be sent.
    permits: Arc<Semaphore>,
    _shutdown: DropGuard,
}

impl PictureServer {
    /// Sends this head and this body to every request.
    pub(super) async fn new(host: &str, head: &str, body: &[u8]) -> Self {
        let server = Self::waiting(host, head, body).await;
        server.release(Semaphore::MAX_PERMITS);
        server
    }

    /// The same, but responses wait for their release.
    pub(super) async fn waiting(host: &str, head: &str, body: &[u8]) -> Self {
        Self::start(host, (head, body), false).await
    }

    /// Sends the same, and then nothing: the connection remains open.
    pub(super) async fn hanging(host: &str, head: &str, body: &[u8]) -> Self {
        let server = Self::start(host, (head, body), true).await;
        server.release(Semaphore::MAX_PERMITS);
        server
    }

    async fn start(host: &str, (head, body): (&str, &[u8]), is_hanging: bool) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let head = format!("HTTP/1.1 {}\r\nConnection: close\r\n\r\n", head.replace('\n', "\r\n"));
        let response: Arc<[u8]> = [head.as_bytes(), body].concat().into();
        let (requests, permits) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Semaphore::new(0)));
        let shutdown = CancellationToken::new();
        let (recorded, sent) = (requests.clone(), permits.clone());
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, (response.clone(), is_hanging), recorded.clone(), sent.clone()));
            }
        }));
        Self { address, requests, permits, _shutdown: shutdown.drop_guard() }
    }

    /// The URL of a picture.
    pub(super) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Allows this number of responses to be sent.
    pub(super) fn release(&self, responses: usize) {
        self.permits.add_permits(responses);
    }

    /// The request lines so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until this number of requests has arrived.
    pub(super) async fn wait_for_requests(&self, count: usize) {
        while self.requests().len() < count {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    (response, is_hanging): (Arc<[u8]>, bool),
    requests: Arc<Mutex<Vec<String>>>,
    permits: Arc<Semaphore>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    requests.lock().unwrap().push(head.lines().next().unwrap().to_owned());
    permits.acquire().await.unwrap().forget();
    let _closed_by_client = stream.write_all(&response).await;
    if is_hanging {
        std::future::pending::<()>().await;
    }
    let _closed_by_client = stream.shutdown().await;
}
