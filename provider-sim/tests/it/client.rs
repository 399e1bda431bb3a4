//! A provider on a free port and a client that hides nothing: it keeps the bytes as they
//! came and how the connection ended. Not a general client: it knows what the server sends.

use std::io::{self, Read};
use std::net::SocketAddr;

use flate2::read::GzDecoder;
use provider_sim::{SimCatalogue, SimProvider, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A served provider; ends when dropped.
pub(crate) struct Served {
    pub(crate) provider: SimProvider,
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
    shutdown: DropGuard,
}

impl Served {
    pub(crate) async fn start(catalogue: SimCatalogue) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let provider = SimProvider::new(catalogue);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(listener, provider.clone(), shutdown.clone()));
        Self { provider, address, task, shutdown: shutdown.drop_guard() }
    }

    pub(crate) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", target, headers).await
    }

    pub(crate) async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        read_answer(self.open(method, target, headers).await).await
    }

    /// A connection on which a request has been sent.
    pub(crate) async fn open(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{method} {target} HTTP/1.1\r\nHost: provider\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Asks the server to end and waits until it has.
    pub(crate) async fn end(self) -> io::Result<()> {
        self.shutdown.disarm().cancel();
        self.task.await.unwrap()
    }
}

/// How an answer ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All that was promised has come.
    Whole,
    /// The connection closed before that.
    Short,
    /// The connection was reset.
    Reset,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    /// Without the framing of the message, but with the content coding.
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn etag(&self) -> &str {
        self.header("etag").unwrap()
    }

    /// The body as text, its content coding undone.
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

async fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let outcome = stream.read_to_end(&mut bytes).await;
    let head_length = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(bytes[..head_length].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head, body: Vec::new(), end: End::Whole };
    let rest = &bytes[head_length..];
    let is_whole = match answer.header("transfer-encoding") {
        Some(coding) => {
            assert_eq!(coding, "chunked");
            append_chunks(rest, &mut answer.body)
        }
        None => {
            answer.body.extend_from_slice(rest);
            answer.header("content-length").is_none_or(|length| length.parse() == Ok(rest.len()))
        }
    };
    answer.end = match outcome {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => End::Reset,
        Err(error) => panic!("{error}"),
        Ok(_) if is_whole => End::Whole,
        Ok(_) => End::Short,
    };
    answer
}

/// Whether the last chunk was there.
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
