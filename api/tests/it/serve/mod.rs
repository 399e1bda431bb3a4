//! How the service meets sockets: [`api::serve`] in this process over a small service, and the real process where signals and files
//! matter.

mod connections;
mod drain;
mod heads;
mod patience;
mod process;
mod rate;
mod recorder;

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

/// Far more than anything here takes, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// The size of `/big`: more than the buffers of both ends of a connection hold.
const BIG_BYTES: usize = 64 * 1024 * 1024;

/// A service whose answers take as long as a test wants.
#[derive(Clone)]
struct Small {
    /// A permit for each `/gate` that may be answered.
    gate: Arc<Semaphore>,
    /// A permit for each `/gate` that was asked for.
    asked: Arc<Semaphore>,
    /// A permit for each `/gate` whose client went before its answer.
    left: Arc<Semaphore>,
}

struct Leaving(Arc<Semaphore>, bool);

impl Drop for Leaving {
    fn drop(&mut self) {
        if !self.1 {
            self.0.add_permits(1);
        }
    }
}

impl Endpoint for Small {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(match request.uri().path() {
            "/gate" => {
                let mut leaving = Leaving(self.left.clone(), false);
                self.asked.add_permits(1);
                self.gate.acquire().await.unwrap().forget();
                leaving.1 = true;
                Response::builder().body("opened")
            }
            "/big" => Response::builder().body(Body::from_vec(vec![b'x'; BIG_BYTES])),
            "/panic" => panic!("a test panics"),
            path => Response::builder().status(StatusCode::OK).body(path.to_owned()),
        })
    }
}

/// A server in this process.
struct Served {
    address: SocketAddr,
    small: Small,
    readiness: Readiness,
    shutdown: CancellationToken,
    end: JoinHandle<io::Result<()>>,
}

impl Served {
    async fn with(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let closed = || Arc::new(Semaphore::new(0));
        let small = Small { gate: closed(), asked: closed(), left: closed() };
        let (readiness, shutdown) = (Readiness::default(), CancellationToken::new());
        let end = tokio::spawn(serve(listener, small.clone(), limits, readiness.clone(), shutdown.clone()));
        Self { address, small, readiness, shutdown, end }
    }

    async fn connect(&self) -> Line {
        Line::to(self.address).await
    }

    /// Waits until so many requests stand before the gate.
    async fn asked(&self, requests: u32) {
        in_time(self.small.asked.acquire_many(requests)).await.unwrap().forget();
    }

    /// Waits for the end, which was asked for.
    async fn ended(self) -> Duration {
        let started = Instant::now();
        in_time(self.end).await.unwrap().unwrap();
        started.elapsed()
    }
}

/// A client's connection.
struct Line(TcpStream);

impl Line {
    async fn to(address: SocketAddr) -> Self {
        Self(in_time(TcpStream::connect(address)).await.unwrap())
    }

    /// With a small window, so that what is not read does not leave the server.
    async fn narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self(socket.connect(address).await.unwrap())
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn ask(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
    }

    /// The head and the body of the next answer.
    async fn answer(&mut self) -> (String, String) {
        in_time(self.try_answer()).await.unwrap()
    }

    async fn try_answer(&mut self) -> io::Result<(String, String)> {
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
        self.ask(path).await;
        self.answer().await
    }

    /// All that comes until the server closes, or the error that it ends with.
    async fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        in_time(self.0.read_to_end(&mut rest)).await?;
        Ok(rest)
    }

    /// Waits until the server lets go, however it does so, and tells how long that took.
    async fn is_let_go(&mut self) -> Duration {
        let started = Instant::now();
        let _ = self.rest().await;
        started.elapsed()
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it did not come in time")
}
