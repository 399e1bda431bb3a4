//! One connection: a request out, the head of an answer read as far as it is counted, the body skipped.
//!
//! It reads no more of HTTP/1.1 than the measured servers speak: an answer without a length, or in chunks, is a fault.

use std::{io, net::SocketAddr, time::Duration};

use memchr::{memchr, memmem};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::tally::{Kind, Source};

/// Holds the head of any answer and mostly the body too, so that one read is enough.
const BUFFER_BYTES: usize = 32 * 1024;

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotConnected,
    Broken,
    /// Closed by the server before an answer was whole.
    Closed,
    TimedOut,
    /// Not to be understood.
    Malformed,
    /// Still waiting for a connection long after the load had ended.
    NotSent,
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    patience: Duration,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// What the head of an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    kind: Kind,
    /// None if the head does not say.
    body_bytes: Option<usize>,
    closes: bool,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr, patience: Duration) -> Self {
        Self { address, patience, stream: None, buffer: vec![0; BUFFER_BYTES] }
    }

    /// Asks, once; connects before if there is no connection.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Kind, Fault> {
        let patience = self.patience;
        let outcome = tokio::time::timeout(patience, self.exchange(request)).await.unwrap_or(Err(Fault::TimedOut));
        if outcome.is_err() {
            self.stream = None;
        }
        outcome
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Kind, Fault> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.address).await.map_err(|_| Fault::NotConnected)?;
                stream.set_nodelay(true)?;
                none.insert(stream)
            }
        };
        stream.write_all(request).await?;
        let mut filled = 0;
        let (head, head_bytes) = loop {
            let count = stream.read(&mut self.buffer[filled..]).await?;
            if count == 0 {
                return Err(if filled == self.buffer.len() { Fault::Malformed } else { Fault::Closed });
            }
            filled += count;
            if let Some(end) = memmem::find(&self.buffer[..filled], b"\r\n\r\n") {
                break (Head::read(&self.buffer[..end + 2]).ok_or(Fault::Malformed)?, end + 4);
            }
        };
        let body_bytes = match (head.kind.status, head.body_bytes) {
            (204 | 304, _) => 0,
            (_, bytes) => bytes.ok_or(Fault::Malformed)?,
        };
        let mut left = (head_bytes + body_bytes).checked_sub(filled).ok_or(Fault::Malformed)?;
        while left > 0 {
            let most = left.min(self.buffer.len());
            let count = stream.read(&mut self.buffer[..most]).await?;
            if count == 0 {
                return Err(Fault::Closed);
            }
            left -= count;
        }
        if head.closes {
            self.stream = None;
        }
        Ok(head.kind)
    }
}

impl Head {
    /// Of a head whose lines all end with CR LF.
    fn read(bytes: &[u8]) -> Option<Self> {
        let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
        let status = std::str::from_utf8(status).ok()?.parse().ok()?;
        let kind = Kind { status, source: Source::Unsaid, is_warned: false, has_retry_after: false };
        let mut head = Self { kind, body_bytes: None, closes: false };
        let mut rest = &bytes[memchr(b'\n', bytes)? + 1..];
        while let Some(end) = memchr(b'\n', rest) {
            let line = &rest[..end.saturating_sub(1)];
            rest = &rest[end + 1..];
            let name_end = memchr(b':', line)?;
            let (name, value) = (&line[..name_end], line[name_end + 1..].trim_ascii());
            // By its length first: most lines are of no interest.
            match name.len() {
                7 if name.eq_ignore_ascii_case(b"warning") => head.kind.is_warned = true,
                10 if name.eq_ignore_ascii_case(b"connection") => head.closes = value.eq_ignore_ascii_case(b"close"),
                11 if name.eq_ignore_ascii_case(b"retry-after") => head.kind.has_retry_after = true,
                12 if name.eq_ignore_ascii_case(b"cache-status") => head.kind.source = Source::of(value),
                14 if name.eq_ignore_ascii_case(b"content-length") => {
                    head.body_bytes = Some(std::str::from_utf8(value).ok()?.parse().ok()?);
                }
                _ => (),
            }
        }
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_head_tells_what_is_counted() {
        let text =
            b"HTTP/1.1 200 OK\r\ncontent-Length:  12\r\nCache-Status: marquee-redis; hit, marquee-process; fwd=uri-miss\r\n\
            WARNING: 110 - \"stale\"\r\nx: y\r\nConnection: close\r\n";
        let kind = Kind { status: 200, source: Source::Redis, is_warned: true, has_retry_after: false };
        assert_eq!(Head::read(text), Some(Head { kind, body_bytes: Some(12), closes: true }));
        assert_eq!(Head::read(b"HTTP/1.1 2x0 OK\r\n"), None);
        assert!(Head::read(b"HTTP/1.1 503 x\r\nretry-after: 1\r\n").is_some_and(|head| head.kind.has_retry_after));
    }

    /// A server that answers each request with the next of these texts and then closes.
    async fn serving(answers: Vec<String>) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            for answer in answers {
                let mut request = [0; 64];
                let _count = stream.read(&mut request).await.expect("a request");
                stream.write_all(answer.as_bytes()).await.expect("it is taken");
            }
        });
        Connection::to(address, Duration::from_secs(5))
    }

    #[tokio::test]
    async fn answers_of_any_length_follow_each_other_on_one_connection() {
        let of = |bytes: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes));
        let mut connection = serving(vec![of(3), of(5 * BUFFER_BYTES), of(0)]).await;
        for _ in 0..3 {
            assert_eq!(connection.ask(b"GET").await.map(|kind| kind.status), Ok(200));
        }
        assert_eq!(connection.ask(b"GET").await, Err(Fault::Closed));
        assert_eq!(connection.ask(b"GET").await, Err(Fault::NotConnected));
    }

    #[tokio::test]
    async fn half_an_answer_and_one_without_a_length_are_faults() {
        let mut connection = serving(vec!["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx".to_owned()]).await;
        assert_eq!(connection.ask(b"GET").await, Err(Fault::Closed));
        let mut connection = serving(vec!["HTTP/1.1 200 OK\r\n\r\n".to_owned()]).await;
        assert_eq!(connection.ask(b"GET").await, Err(Fault::Malformed));
    }
}
