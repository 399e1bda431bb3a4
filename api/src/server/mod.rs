//! The HTTP server: accepting connections, limits of time and number, and shutdown ([ADR 13](../../../docs/adr/0013-server.md)).
//!
//! TLS and HTTP/2 are left to a proxy.

mod body;
mod connection;
mod entry;
mod fast_path;
mod handshakes;
mod limits;
mod observe;
mod open_connections;
mod parse_error;
mod progress;
mod request_id;
mod request_metrics;
mod request_target;
mod routes;
mod shutdown;
mod socket;
mod watchdog;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use poem::{Endpoint, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

pub use self::{
    body::{MAX_BODY_BYTES, bound_body},
    limits::{CONNECTIONS, DRAIN_TIME, Limits, ServeSettings},
};
use self::{connection::serve_connection, open_connections::OpenConnections, shutdown::ShutdownPhases};
pub(crate) use self::{
    entry::ServiceEntry,
    fast_path::COUNTED_ROUTES,
    observe::Observer,
    request_id::RequestId,
    request_metrics::describe as describe_metrics,
    routes::{METRICS, RouteSet},
};
pub use crate::state::Readiness;

/// How long handshakes may take that are in progress when the listener is to be closed: as long as in one data center.
const HANDSHAKE_TIME: Duration = Duration::from_millis(20);
/// The pause after a failed accept (no file descriptors are left). Retrying immediately would use a whole core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The minimum interval between equal log lines of the listener.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// How long aborted connections may take to release their resources.
const ABORT_TIME: Duration = Duration::from_secs(1);

/// What all connections share.
struct ConnectionContext<E> {
    app: E,
    limits: Arc<Limits>,
    readiness: Readiness,
    shutdown: ShutdownPhases,
}

/// Serves `app` on `listener` until `shutdown` is cancelled, then drains. For [`Limits::drain_delay`] it still serves, but reports not
/// ready, and every response has `Connection: close`. Then it accepts the connections that the kernel has queued but no new ones, closes the
/// listener, and waits at most [`Limits::drain_time`] for the requests in progress.
///
/// # Errors
///
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    app: impl Endpoint<Output = Response> + 'static,
    limits: Limits,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let server = Server {
        local: listener.local_addr()?,
        connections: OpenConnections::new(limits.connections),
        context: Arc::new(ConnectionContext { app, limits: Arc::new(limits), readiness, shutdown: ShutdownPhases::default() }),
    };
    let context = server.context.clone();
    let drain_begins = async {
        shutdown.cancelled().await;
        context.readiness.begin_drain();
        tracing::info!(drain.delay_ms = millis(context.limits.drain_delay), "API shutting down");
        sleep(context.limits.drain_delay).await;
    };
    tokio::select! {
        () = drain_begins => {}
        () = server.accept(&listener) => {}
    }
    let deadline = Instant::now() + context.limits.drain_time;
    context.shutdown.start_drain();
    context.readiness.end_streams();
    server.accept_backlog(listener.into_std()?, deadline).await;
    server.drain(deadline).await;
    Ok(())
}

struct Server<E> {
    context: Arc<ConnectionContext<E>>,
    local: SocketAddr,
    connections: Arc<OpenConnections>,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    /// Accepts connections until it is dropped.
    async fn accept(&self, listener: &TcpListener) {
        let mut limit_log = LogThrottle::default();
        let mut failure_log = LogThrottle::default();
        loop {
            if self.connections.is_full() && limit_log.permits() {
                let limit = self.context.limits.connections;
                tracing::warn!(connections.limit = limit, "connection limit reached, idle connections are closed");
            }
            let permit = self.connections.reserve().await;
            match listener.accept().await {
                Ok((stream, remote)) => self.spawn(stream, remote, permit),
                Err(error) if is_connection_error(&error) => {}
                Err(error) => {
                    if failure_log.permits() {
                        tracing::error!(error = telemetry::with_causes(&error), "accept failed");
                    }
                    // The connections have used the files that were reserved for others.
                    self.connections.evict();
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Accepts the connections that the kernel has queued: closing the listener would reset them.
    async fn accept_backlog(&self, listener: std::net::TcpListener, deadline: Instant) {
        if let Err(error) = handshakes::drop_new(&listener) {
            tracing::debug!(error = telemetry::with_causes(&error), "new connections may be reset");
        }
        sleep(HANDSHAKE_TIME).await;
        while let Some(permit) = self.connections.reserve_until(deadline).await {
            // Without the runtime, which may not have been notified of the last ones.
            let accepted = listener.accept().and_then(|(stream, remote)| {
                stream.set_nonblocking(true)?;
                Ok((TcpStream::from_std(stream)?, remote))
            });
            match accepted {
                Ok((stream, remote)) => self.spawn(stream, remote, permit),
                Err(error) if is_connection_error(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    tracing::error!(error = telemetry::with_causes(&error), "accept failed during shutdown");
                    return;
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, remote: SocketAddr, permit: OwnedSemaphorePermit) {
        // Responses are written as a whole, so Nagle's algorithm would only delay their last packet. If this fails, so will the
        // connection.
        let _ = stream.set_nodelay(true);
        let (context, local, slot) = (self.context.clone(), self.local, self.connections.open(permit));
        tokio::spawn(async move {
            serve_connection(context, stream, local, remote, slot.progress.clone()).await;
            drop(slot);
        });
    }

    async fn drain(&self, deadline: Instant) {
        let open = self.connections.wait_until_closed(deadline).await;
        if open == 0 {
            return;
        }
        tracing::warn!(connections.open = open, "drain time exceeded, connections aborted");
        metrics::counter!("marquee_http_connections_closed_total", "reason" => "drain").increment(open as u64);
        self.context.shutdown.start_abort();
        self.connections.wait_until_closed(Instant::now() + ABORT_TIME).await;
    }
}

/// Whether an error of accept concerns one connection and not the listener.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Permits a log line at most once per [`LOG_INTERVAL`].
#[derive(Debug, Default)]
struct LogThrottle(Option<Instant>);

impl LogThrottle {
    fn permits(&mut self) -> bool {
        let is_due = self.0.is_none_or(|last| last.elapsed() >= LOG_INTERVAL);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}
