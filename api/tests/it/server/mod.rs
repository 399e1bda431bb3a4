//! Sockets: [`api::server::serve`] in this process over a stub endpoint, and the real process where signals and open
//! files matter.

mod connections;
mod graceful_shutdown;
mod memory;
mod process;
mod rate_limit;
mod raw_requests;
mod request_limits;
mod timeouts;

pub(crate) use self::memory::{MIB, read_status};

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use api::server::{Limits, Readiness, serve};
use poem::{Body, Endpoint, Request, Response, http::StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// Generous, because the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The size of `/big`: more than the socket buffers of both ends.
const BIG_BYTES: usize = 64 * 1024 * 1024;

/// An endpoint that responds when the test lets it.
#[derive(Clone)]
struct StubEndpoint {
    /// A permit for each request for `/gate` that may complete.
    gate: Arc<Semaphore>,
    /// A permit for each request for `/gate` that has started.
    started: Arc<Semaphore>,
    /// A permit for each request for `/gate` that was cancelled.
    cancelled: Arc<Semaphore>,
}

/// Adds a permit when it is dropped before the request has completed.
struct CancellationProbe {
    cancelled: Arc<Semaphore>,
    is_completed: bool,
}

impl Drop for CancellationProbe {
    fn drop(&mut self) {
        if !self.is_completed {
            self.cancelled.add_permits(1);
        }
    }
}

impl Endpoint for StubEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(match request.uri().path() {
            "/gate" => {
                let mut probe = CancellationProbe { cancelled: self.cancelled.clone(), is_completed: false };
                self.started.add_permits(1);
                self.gate.acquire().await.unwrap().forget();
                probe.is_completed = true;
                Response::builder().body("opened")
            }
            "/big" => Response::builder().body(Body::from_vec(vec![b'x'; BIG_BYTES])),
            "/panic" => panic!("deliberate panic"),
            path => Response::builder().status(StatusCode::OK).body(path.to_owned()),
        })
    }
}

/// A server in this process.
struct TestServer {
    address: SocketAddr,
    endpoint: StubEndpoint,
    readiness: Readiness,
    shutdown: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl TestServer {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let closed = || Arc::new(Semaphore::new(0));
        let endpoint = StubEndpoint { gate: closed(), started: closed(), cancelled: closed() };
        let (readiness, shutdown) = (Readiness::default(), CancellationToken::new());
        let task = tokio::spawn(serve(listener, endpoint.clone(), limits, readiness.clone(), shutdown.clone()));
        Self { address, endpoint, readiness, shutdown, task }
    }

    async fn connect(&self) -> ClientConnection {
        ClientConnection::open(self.address).await
    }

    /// Waits until this many more requests for `/gate` have started.
    async fn wait_for_requests(&self, requests: u32) {
        within_timeout(self.endpoint.started.acquire_many(requests)).await.unwrap().forget();
    }

    /// Waits until the server has shut down, and returns how long that took.
    async fn wait(self) -> Duration {
        let started = Instant::now();
        within_timeout(self.task).await.unwrap().unwrap();
        started.elapsed()
    }
}

/// A client's connection.
struct ClientConnection(TcpStream);

impl ClientConnection {
    async fn open(address: SocketAddr) -> Self {
        Self(within_timeout(TcpStream::connect(address)).await.unwrap())
    }

    /// Opens a connection with a small receive window, so that unread bytes stay at the server.
    async fn open_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self(socket.connect(address).await.unwrap())
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn send_get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
    }

    /// Reads the head, in lower case, and the body of the next response.
    async fn read_response(&mut self) -> (String, String) {
        within_timeout(self.try_read_response()).await.unwrap()
    }

    async fn try_read_response(&mut self) -> io::Result<(String, String)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.split("content-length: ").nth(1).map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok((head, String::from_utf8(body).unwrap()))
    }

    async fn get(&mut self, path: &str) -> (String, String) {
        self.send_get(path).await;
        self.read_response().await
    }

    /// Reads until the server closes the connection or resets it.
    async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        within_timeout(self.0.read_to_end(&mut rest)).await?;
        Ok(rest)
    }

    /// Waits until the server closes or resets the connection, and returns how long that took.
    async fn wait_for_close(&mut self) -> Duration {
        let started = Instant::now();
        let _ = self.read_to_end().await;
        started.elapsed()
    }
}

async fn within_timeout<T>(future: impl Future<Output = T>) -> T {
    timeout(TIMEOUT, future).await.expect("completes before the timeout")
}
