//! A bare HTTP server of one document: it costs as little as it can, for its work is part of what is measured.
//!
//! Unlike `provider_sim` it computes no validator from the bytes and can name the same bytes differently.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::{Failure, feed::Feed};

/// Bytes that are handed to the connection at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// A running server; it ends with the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    served: Arc<Mutex<Served>>,
}

#[derive(Clone, Debug)]
struct Served {
    etag: String,
    document: Document,
}

/// What is served.
#[derive(Clone, Debug)]
pub(crate) enum Document {
    Whole(Bytes),
    /// Made while it is sent.
    Streamed(Feed),
}

impl Server {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let served = Served { etag: String::new(), document: Document::Whole(Bytes::new()) };
        let server = Self { address: listener.local_addr()?, served: Arc::new(Mutex::new(served)) };
        tokio::spawn(server.clone().accept(listener));
        Ok(server)
    }

    /// From now on serves this document under this name.
    pub(crate) fn serve(&self, document: Document, etag: impl AsRef<str>) {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Served { etag: format!("\"{}\"", etag.as_ref()), document };
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/feed", self.address)
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let server = self.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| std::future::ready(server.answer(&request)));
                // A client that goes away shows on its own side.
                let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Result<Response<Chunks>, Infallible> {
        let Served { etag, document } = self.served.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_known = request.headers().get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
        let (status, chunks) = if is_known {
            (StatusCode::NOT_MODIFIED, Chunks::Whole(Bytes::new()))
        } else {
            (StatusCode::OK, Chunks::of(document))
        };
        let mut response = Response::new(chunks);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/xml"));
        if let Ok(etag) = etag.parse() {
            headers.insert(ETAG, etag);
        }
        Ok(response)
    }
}

enum Chunks {
    Whole(Bytes),
    Streamed(Box<dyn Iterator<Item = Bytes> + Send>),
}

impl Chunks {
    fn of(document: Document) -> Self {
        match document {
            Document::Whole(bytes) => Self::Whole(bytes),
            Document::Streamed(feed) => Self::Streamed(Box::new(feed.pieces())),
        }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match &mut *self {
            Self::Whole(rest) if rest.is_empty() => None,
            Self::Whole(rest) => Some(rest.split_to(rest.len().min(CHUNK_BYTES))),
            Self::Streamed(pieces) => pieces.next(),
        };
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}
