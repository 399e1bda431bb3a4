//! One connection: sends a request, parses the counted headers of the response, and skips the body.
//!
//! It supports only the HTTP/1.1 of the measured servers: a response without `Content-Length` is an error.

use std::{io, net::SocketAddr, time::Duration};

use memchr::{memchr, memmem};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::tally::{ResponseKind, ResponseTier};

/// Large enough for most responses, so that one read is sufficient.
const BUFFER_BYTES: usize = 32 * 1024;

/// The reason for a missing response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionError {
    NotConnected,
    Broken,
    /// The server closed the connection before the end of the response.
    Closed,
    TimedOut,
    /// The response cannot be parsed.
    Malformed,
    /// No connection was free until after the end of the load.
    NotSent,
}

impl From<io::Error> for ConnectionError {
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

/// The parsed head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ResponseHead {
    kind: ResponseKind,
    /// `None` without `Content-Length`.
    body_bytes: Option<usize>,
    closes: bool,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr, patience: Duration) -> Self {
        Self { address, patience, stream: None, buffer: vec![0; BUFFER_BYTES] }
    }

    /// Sends a request once, and connects before if necessary.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<ResponseKind, ConnectionError> {
        let patience = self.patience;
        let outcome = tokio::time::timeout(patience, self.exchange(request)).await.unwrap_or(Err(ConnectionError::TimedOut));
        if outcome.is_err() {
            self.stream = None;
        }
        outcome
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<ResponseKind, ConnectionError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.address).await.map_err(|_| ConnectionError::NotConnected)?;
                stream.set_nodelay(true)?;
                none.insert(stream)
            }
        };
        stream.write_all(request).await?;
        let mut filled = 0;
        let (head, head_bytes) = loop {
            let count = stream.read(&mut self.buffer[filled..]).await?;
            if count == 0 {
                return Err(if filled == self.buffer.len() { ConnectionError::Malformed } else { ConnectionError::Closed });
            }
            filled += count;
            if let Some(end) = memmem::find(&self.buffer[..filled], b"\r\n\r\n") {
                break (ResponseHead::parse(&self.buffer[..end + 2]).ok_or(ConnectionError::Malformed)?, end + 4);
            }
        };
        let body_bytes = match (head.kind.status, head.body_bytes) {
            (204 | 304, _) => 0,
            (_, bytes) => bytes.ok_or(ConnectionError::Malformed)?,
        };
        let mut left = (head_bytes + body_bytes).checked_sub(filled).ok_or(ConnectionError::Malformed)?;
        while left > 0 {
            let most = left.min(self.buffer.len());
            let count = stream.read(&mut self.buffer[..most]).await?;
            if count == 0 {
                return Err(ConnectionError::Closed);
            }
            left -= count;
        }
        if head.closes {
            self.stream = None;
        }
        Ok(head.kind)
    }
}

impl ResponseHead {
    /// Parses a head with lines that end with CR LF.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
        let status = std::str::from_utf8(status).ok()?.parse().ok()?;
        let kind =
            ResponseKind { status, source: ResponseTier::Unsaid, is_warned: false, has_retry_after: false, age_seconds: 0 };
        let mut head = Self { kind, body_bytes: None, closes: false };
        let mut rest = &bytes[memchr(b'\n', bytes)? + 1..];
        while let Some(end) = memchr(b'\n', rest) {
            let line = &rest[..end.saturating_sub(1)];
            rest = &rest[end + 1..];
            let name_end = memchr(b':', line)?;
            let (name, value) = (&line[..name_end], line[name_end + 1..].trim_ascii());
            // The length rules out most headers.
            match name.len() {
                3 if name.eq_ignore_ascii_case(b"age") => {
                    head.kind.age_seconds = std::str::from_utf8(value).ok()?.parse().ok()?;
                }
                7 if name.eq_ignore_ascii_case(b"warning") => head.kind.is_warned = true,
                10 if name.eq_ignore_ascii_case(b"connection") => head.closes = value.eq_ignore_ascii_case(b"close"),
                11 if name.eq_ignore_ascii_case(b"retry-after") => head.kind.has_retry_after = true,
                12 if name.eq_ignore_ascii_case(b"cache-status") => head.kind.source = ResponseTier::parse(value),
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
    fn parses_the_counted_headers() {
        let text =
            b"HTTP/1.1 200 OK\r\ncontent-Length:  12\r\nAge: 3\r\nCache-Status: marquee-redis; hit, marquee-process; fwd=uri-miss\r\n\
            WARNING: 110 - \"stale\"\r\nx: y\r\nConnection: close\r\n";
        let kind =
            ResponseKind { status: 200, source: ResponseTier::Redis, is_warned: true, has_retry_after: false, age_seconds: 3 };
        assert_eq!(ResponseHead::parse(text), Some(ResponseHead { kind, body_bytes: Some(12), closes: true }));
        assert_eq!(ResponseHead::parse(b"HTTP/1.1 2x0 OK\r\n"), None);
        assert!(ResponseHead::parse(b"HTTP/1.1 503 x\r\nretry-after: 1\r\n").is_some_and(|head| head.kind.has_retry_after));
    }

    /// A server that sends these responses in order and then closes the connection.
    async fn serve(responses: Vec<String>) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            for answer in responses {
                let mut request = [0; 64];
                let _count = stream.read(&mut request).await.expect("a request");
                stream.write_all(answer.as_bytes()).await.expect("the response is sent");
            }
        });
        Connection::to(address, Duration::from_secs(5))
    }

    #[tokio::test]
    async fn receives_responses_of_any_length_on_one_connection() {
        let of = |bytes: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes));
        let mut connection = serve(vec![of(3), of(5 * BUFFER_BYTES), of(0)]).await;
        for _ in 0..3 {
            assert_eq!(connection.send(b"GET").await.map(|kind| kind.status), Ok(200));
        }
        assert_eq!(connection.send(b"GET").await, Err(ConnectionError::Closed));
        assert_eq!(connection.send(b"GET").await, Err(ConnectionError::NotConnected));
    }

    #[tokio::test]
    async fn incomplete_responses_and_missing_lengths_are_errors() {
        let mut connection = serve(vec!["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx".to_owned()]).await;
        assert_eq!(connection.send(b"GET").await, Err(ConnectionError::Closed));
        let mut connection = serve(vec!["HTTP/1.1 200 OK\r\n\r\n".to_owned()]).await;
        assert_eq!(connection.send(b"GET").await, Err(ConnectionError::Malformed));
    }
}
