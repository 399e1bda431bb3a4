//! A provider on a free port, and a client that exposes the received bytes and the end of the connection.

use std::io::{self, Read};
use std::net::SocketAddr;

use flate2::read::GzDecoder;
use provider_sim::{SimCatalogue, SimProvider, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A served provider, which stops on drop.
pub(crate) struct SimProviderServer {
    pub(crate) provider: SimProvider,
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
    shutdown: DropGuard,
}

impl SimProviderServer {
    pub(crate) async fn start(catalogue: SimCatalogue) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let provider = SimProvider::new(catalogue);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(listener, provider.clone(), shutdown.clone()));
        Self { provider, address, task, shutdown: shutdown.drop_guard() }
    }

    pub(crate) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> ReceivedResponse {
        self.send("GET", target, headers).await
    }

    pub(crate) async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> ReceivedResponse {
        read_response(self.open(method, target, headers).await).await
    }

    /// Sends a request and returns the connection.
    pub(crate) async fn open(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{method} {target} HTTP/1.1\r\nHost: provider\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Shuts the server down and waits for it.
    pub(crate) async fn stop(self) -> io::Result<()> {
        self.shutdown.disarm().cancel();
        self.task.await.unwrap()
    }
}

/// The end of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ResponseEnd {
    /// The response is complete.
    Complete,
    /// The connection was closed before the end.
    Incomplete,
    /// The connection was reset.
    Reset,
}

pub(crate) struct ReceivedResponse {
    pub(crate) status: u16,
    head: String,
    /// Without chunked framing, with content coding.
    pub(crate) body: Vec<u8>,
    pub(crate) end: ResponseEnd,
}

impl ReceivedResponse {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn etag(&self) -> &str {
        self.header("etag").unwrap()
    }

    /// The body as text, decompressed.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        match self.header("content-encoding") {
            None => text.push_str(str::from_utf8(&self.body).unwrap()),
            Some(coding) => {
                assert_eq!(coding, "gzip");
                GzDecoder::new(self.body.as_slice()).read_to_string(&mut text).unwrap();
            }
        }
        text
    }
}

async fn read_response(mut stream: TcpStream) -> ReceivedResponse {
    let mut bytes = Vec::new();
    let outcome = stream.read_to_end(&mut bytes).await;
    let head_length = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a response head") + 4;
    let head = String::from_utf8(bytes[..head_length].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut response = ReceivedResponse { status, head, body: Vec::new(), end: ResponseEnd::Complete };
    let rest = &bytes[head_length..];
    let is_complete = match response.header("transfer-encoding") {
        Some(coding) => {
            assert_eq!(coding, "chunked");
            append_chunks(rest, &mut response.body)
        }
        None => {
            response.body.extend_from_slice(rest);
            response.header("content-length").is_none_or(|length| length.parse() == Ok(rest.len()))
        }
    };
    response.end = match outcome {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => ResponseEnd::Reset,
        Err(error) => panic!("{error}"),
        Ok(_) if is_complete => ResponseEnd::Complete,
        Ok(_) => ResponseEnd::Incomplete,
    };
    response
}

/// Decodes chunks; returns whether the last chunk was received.
fn append_chunks(mut rest: &[u8], body: &mut Vec<u8>) -> bool {
    while let Some(line_length) = rest.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(str::from_utf8(&rest[..line_length]).unwrap(), 16).unwrap();
        rest = &rest[line_length + 2..];
        if length == 0 {
            return true;
        }
        let Some(chunk) = rest.get(..length) else { break };
        body.extend_from_slice(chunk);
        rest = rest.get(length + 2..).unwrap_or_default();
    }
    false
}
