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
    ConnectionContext,
    progress::{ActiveRequest, Progress},
    socket::Socket,
    watchdog::{Verdict, Watchdog},
};

/// The request line and headers. Those of browsers and proxies fit into 16 KiB, and each connection may hold this much memory.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The read buffer of a connection, and the write buffer of a streamed response.
const MAX_BUFFER_BYTES: usize = 64 * 1024;

/// What the requests of one connection share, in a separate `Arc`, so that connections on different cores share no reference count.
struct ConnectionState<E> {
    context: Arc<ConnectionContext<E>>,
    progress: Arc<Progress>,
    local: SocketAddr,
    remote: SocketAddr,
}

/// Serves one connection until it is closed.
pub(super) async fn serve_connection<E>(
    context: Arc<ConnectionContext<E>>,
    stream: TcpStream,
    local: SocketAddr,
    remote: SocketAddr,
    progress: Arc<Progress>,
) where
    E: Endpoint<Output = Response> + 'static,
{
    let mut watchdog = Watchdog::new(context.limits.clone(), progress.clone());
    let socket = TokioIo::new(Socket::new(stream, progress.clone()));
    let state = Arc::new(ConnectionState { context: context.clone(), progress, local, remote });
    let service = service_fn(move |request| handle(state.clone(), request));
    let mut connection = pin!(
        http1::Builder::new()
            .header_read_timeout(None)
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(MAX_BUFFER_BYTES)
            .serve_connection(socket, service)
    );

    // Polled once, so that they wake this task. After that only the flags are read.
    let mut drain_started = pin!(context.shutdown.drain_started());
    let mut abort_started = pin!(context.shutdown.abort_started());
    let mut is_registered = false;
    poll_fn(|task| {
        if !is_registered {
            is_registered = true;
            let _ = (drain_started.as_mut().poll(task), abort_started.as_mut().poll(task));
        }
        loop {
            // Errors of a connection are caused by its client, so they are not logged.
            if connection.as_mut().poll(task).is_ready() || context.shutdown.is_aborting() {
                return Poll::Ready(());
            }
            match watchdog.poll(task, context.shutdown.is_draining()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Verdict::Close(reason)) => {
                    count_closed(reason);
                    connection.as_mut().graceful_shutdown();
                }
                Poll::Ready(Verdict::Abort(reason)) => {
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

async fn handle<E>(
    state: Arc<ConnectionState<E>>,
    request: Request<Incoming>,
) -> Result<hyper::Response<TrackedBody<impl PoemBody>>, Infallible>
where
    E: Endpoint<Output = Response>,
{
    let active = ActiveRequest::begin(&state.progress);
    let (local, remote) = (LocalAddr(Addr::SocketAddr(state.local)), RemoteAddr(Addr::SocketAddr(state.remote)));
    let mut response = state.context.app.get_response((request, local, remote, Scheme::HTTP).into()).await;
    if state.context.readiness.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let response: hyper::Response<_> = response.into();
    Ok(response.map(|body| TrackedBody { body, _active: active }))
}

/// The body type of poem, which has no name.
trait PoemBody: Body<Data = Bytes, Error = io::Error> + Unpin + Send + 'static {}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin + Send + 'static> PoemBody for B {}

/// A response body that records when it was sent or dropped.
struct TrackedBody<B> {
    body: B,
    _active: ActiveRequest,
}

impl<B: PoemBody> Body for TrackedBody<B> {
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
