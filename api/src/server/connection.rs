//! One connection: HTTP/1.1 by hyper between a [`Socket`] and the service, with a [`Watchdog`] beside.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::{
    Request,
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use poem::{
    Addr, Endpoint, Response,
    http::{HeaderValue, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::net::TcpStream;

use super::{
    House,
    progress::{Answering, Progress},
    socket::Socket,
    watchdog::{Verdict, Watchdog},
};

/// A request's line and headers: what browsers and proxies send fits into 16 KiB, and each client may make us hold so much.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Of a connection's bytes that wait to be read, or of a streamed answer to be written.
const MAX_BUFFER_BYTES: usize = 64 * 1024;

/// What the requests of one connection share: an `Arc` of its own, so that connections on different cores share no counter.
struct Peer<E> {
    house: Arc<House<E>>,
    progress: Arc<Progress>,
    local: SocketAddr,
    remote: SocketAddr,
}

/// Serves one connection to its end.
pub(super) async fn serve_connection<E>(house: Arc<House<E>>, stream: TcpStream, local: SocketAddr, remote: SocketAddr)
where
    E: Endpoint<Output = Response> + 'static,
{
    let progress = Arc::new(Progress::default());
    let mut watchdog = Watchdog::new(house.limits.clone(), progress.clone());
    let socket = TokioIo::new(Socket::new(stream, progress.clone()));
    let peer = Arc::new(Peer { house: house.clone(), progress, local, remote });
    let service = service_fn(move |request| answer(peer.clone(), request));
    let mut connection = pin!(
        http1::Builder::new()
            .header_read_timeout(None)
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(MAX_BUFFER_BYTES)
            .serve_connection(socket, service)
    );

    // Polled once, they wake this task when their time has come; all other times a plain flag is read.
    let mut stops = pin!(house.ending.stops());
    let mut is_cut = pin!(house.ending.is_cut());
    let mut is_registered = false;
    poll_fn(|context| {
        if !is_registered {
            is_registered = true;
            let _ = (stops.as_mut().poll(context), is_cut.as_mut().poll(context));
        }
        loop {
            // How a connection broke is its client's affair, and no news.
            if connection.as_mut().poll(context).is_ready() || house.ending.has_cut() {
                return Poll::Ready(());
            }
            match watchdog.poll(context, house.ending.is_stopping()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Verdict::Close(reason)) => {
                    count_closed(reason);
                    connection.as_mut().graceful_shutdown();
                }
                Poll::Ready(Verdict::Cut(reason)) => {
                    reason.into_iter().for_each(count_closed);
                    return Poll::Ready(());
                }
            }
        }
    })
    .await;
}

fn count_closed(reason: &'static str) {
    metrics::counter!("marquee_http_connections_closed_total", "reason" => reason).increment(1);
}

async fn answer<E>(peer: Arc<Peer<E>>, request: Request<Incoming>) -> Result<hyper::Response<Answer<impl PlainBody>>, Infallible>
where
    E: Endpoint<Output = Response>,
{
    let answering = Answering::begin(&peer.progress);
    let (local, remote) = (LocalAddr(Addr::SocketAddr(peer.local)), RemoteAddr(Addr::SocketAddr(peer.remote)));
    let mut response = peer.house.app.get_response((request, local, remote, Scheme::HTTP).into()).await;
    if peer.house.readiness.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let response: hyper::Response<_> = response.into();
    Ok(response.map(|body| Answer { body, _answering: answering }))
}

/// What the bodies of poem can do.
trait PlainBody: Body<Data = Bytes, Error = io::Error> + Unpin + Send + 'static {}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin + Send + 'static> PlainBody for B {}

/// A body that notes its end.
struct Answer<B> {
    body: B,
    _answering: Answering,
}

impl<B: PlainBody> Body for Answer<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
