//! A socket that records its progress, and that closes without losing what it has sent.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{
    parse_error::{HeadLines, replace_response},
    progress::Progress,
};

/// Bytes that are read and discarded after the last response: the rest of a body that was rejected.
const LINGER_BYTES: usize = 1024 * 1024;

pub(super) struct Socket {
    stream: TcpStream,
    progress: Arc<Progress>,
    /// Whether the client has closed its side.
    has_ended: bool,
    /// Whether our side is closed.
    is_shut: bool,
    lingered_bytes: usize,
    lines: HeadLines,
    /// The rest of a response that is sent instead of one of hyper.
    replacement: Bytes,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, progress: Arc<Progress>) -> Self {
        Self {
            stream,
            progress,
            has_ended: false,
            is_shut: false,
            lingered_bytes: 0,
            lines: HeadLines::default(),
            replacement: Bytes::new(),
        }
    }

    fn record_write(&self, written: &Poll<io::Result<usize>>, offered: usize) {
        match written {
            Poll::Ready(Ok(accepted)) => self.progress.record_write(*accepted, offered),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.progress.record_blocked(),
        }
    }

    /// Replaces a response that hyper writes to a request that it cannot parse.
    fn replace(&mut self, head: &[u8]) -> bool {
        let Some(replacement) = replace_response(head, &self.lines) else { return false };
        self.replacement = replacement.into();
        true
    }

    fn poll_replacement(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.replacement.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(context, &self.replacement);
            self.record_write(&written, self.replacement.len());
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.replacement.advance(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads and discards until the client closes. Closing a socket with unread bytes would reset the connection, and the client might
    /// lose the response.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut discarded = [0; 4096];
        while !self.has_ended && self.lingered_bytes < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut discarded);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            self.has_ended = read.is_err() || buffer.filled().is_empty();
            self.lingered_bytes += buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = read {
            if buffer.filled().len() > before {
                self.progress.record_read();
                self.lines.record_read(&buffer.filled()[before..]);
            } else {
                self.has_ended = true;
            }
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.replace(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.record_write(&written, bytes.len());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = slices.iter().map(|slice| slice.len()).sum();
        if slices.first().is_some_and(|head| self.replace(head)) {
            return Poll::Ready(Ok(offered));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.record_write(&written, offered);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_replacement(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_replacement(context))?;
        if !self.is_shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.is_shut = true;
            self.progress.record_linger();
        }
        self.poll_linger(context)
    }
}
