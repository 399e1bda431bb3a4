//! A minimal HTTP server of one document, because its cost is part of the measurement.
//!
//! Unlike `provider_sim` it does not compute the `ETag`, and can serve the same bytes with another one.

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

use crate::{Failure, feed::BenchFeed};

/// The size of a chunk.
const CHUNK_BYTES: usize = 256 * 1024;

/// A server that runs until the runtime stops.
#[derive(Clone, Debug)]
pub(crate) struct DocumentServer {
    pub(crate) address: SocketAddr,
    served: Arc<Mutex<ServedDocument>>,
}

#[derive(Clone, Debug)]
struct ServedDocument {
    etag: String,
    document: HttpDocument,
}

/// The served document.
#[derive(Clone, Debug)]
pub(crate) enum HttpDocument {
    Whole(Bytes),
    /// Generated while it is sent.
    Streamed(BenchFeed),
}

impl DocumentServer {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let served = ServedDocument { etag: String::new(), document: HttpDocument::Whole(Bytes::new()) };
        let server = Self { address: listener.local_addr()?, served: Arc::new(Mutex::new(served)) };
        tokio::spawn(server.clone().accept(listener));
        Ok(server)
    }

    /// Replaces the document and its `ETag`.
    pub(crate) fn serve(&self, document: HttpDocument, etag: impl AsRef<str>) {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) =
            ServedDocument { etag: format!("\"{}\"", etag.as_ref()), document };
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/feed", self.address)
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let server = self.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| std::future::ready(server.respond(&request)));
                // A closed connection is reported by the client.
                let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    fn respond(&self, request: &Request<Incoming>) -> Result<Response<DocumentBody>, Infallible> {
        let ServedDocument { etag, document } = self.served.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_known = request.headers().get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
        let (status, chunks) = if is_known {
            (StatusCode::NOT_MODIFIED, DocumentBody::Whole(Bytes::new()))
        } else {
            (StatusCode::OK, DocumentBody::of(document))
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

enum DocumentBody {
    Whole(Bytes),
    Streamed(Box<dyn Iterator<Item = Bytes> + Send>),
}

impl DocumentBody {
    fn of(document: HttpDocument) -> Self {
        match document {
            HttpDocument::Whole(bytes) => Self::Whole(bytes),
            HttpDocument::Streamed(feed) => Self::Streamed(Box::new(feed.pieces())),
        }
    }
}

impl Body for DocumentBody {
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
