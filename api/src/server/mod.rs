//! How the service meets sockets: accepting, limits of time and number, and the end ([ADR 13](../../../docs/adr/0013-server.md)).
//!
//! It knows nothing of what is served, and TLS and HTTP/2 are a proxy's work.

mod body;
mod connection;
mod ending;
mod entry;
mod fast_path;
mod limits;

mod observe;
mod progress;
mod request_id;
mod request_metrics;
mod routes;
mod socket;
mod watchdog;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use poem::{Endpoint, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

pub use self::{
    body::{MAX_BODY_BYTES, bound_body},
    limits::{CONNECTIONS, DRAIN_TIME, Limits, ServeSettings},
};
use self::{connection::serve_connection, ending::Ending, request_id::RequestId};
pub(crate) use self::{entry::Entry, fast_path::HOT_ROUTES, observe::Observer, request_metrics::describe as describe_metrics};
pub use crate::state::Readiness;

/// How long to leave the listener alone when it cannot accept (no file is left): trying again at once would take a whole core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the log may say the same of the listener: often enough to be seen, and no flood.
const LOG_PAUSE: Duration = Duration::from_secs(60);
/// How long connections that are cut may take to let go of what they hold.
const CUT_TIME: Duration = Duration::from_secs(1);

/// What all connections share.
struct House<E> {
    app: E,
    limits: Arc<Limits>,
    readiness: Readiness,
    ending: Ending,
}

/// Serves `app` on `listener` until `shutdown` is cancelled, then drains: for [`Limits::drain_delay`] it serves on, told as not ready
/// and with `Connection: close` on every answer; then it takes what the kernel has accepted, closes the listener, and waits until all
/// that was asked is answered, at most [`Limits::drain_time`].
///
/// # Errors
///
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    app: impl Endpoint<Output = Response> + 'static,
    limits: Limits,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let server = Server {
        local: listener.local_addr()?,
        room: Arc::new(Semaphore::new(limits.connections as usize)),
        house: Arc::new(House { app, limits: Arc::new(limits), readiness, ending: Ending::default() }),
    };
    let house = server.house.clone();
    let is_time_to_end = async {
        shutdown.cancelled().await;
        house.readiness.begin_drain();
        tracing::info!(delay_ms = millis(house.limits.drain_delay), "the API is about to stop");
        sleep(house.limits.drain_delay).await;
    };
    tokio::select! {
        () = is_time_to_end => {}
        () = server.accept(&listener) => {}
    }
    let deadline = Instant::now() + house.limits.drain_time;
    house.ending.stop();
    server.take_backlog(listener.into_std()?, deadline).await;
    server.drain(deadline).await;
    Ok(())
}

struct Server<E> {
    house: Arc<House<E>>,
    local: SocketAddr,
    /// A permit for each connection.
    room: Arc<Semaphore>,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    /// Accepts for ever.
    async fn accept(&self, listener: &TcpListener) {
        let mut full = Seldom::default();
        let mut failing = Seldom::default();
        loop {
            if self.room.available_permits() == 0 && full.may() {
                tracing::warn!(connections = self.house.limits.connections, "no room for more connections: new ones wait");
            }
            // The semaphore is never closed.
            let Ok(permit) = self.room.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, remote)) => self.begin(stream, remote, permit),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if failing.may() {
                        tracing::error!(error = telemetry::with_causes(&error), "connections cannot be accepted");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Accepts what clients have connected already: closing the listener would reset it.
    async fn take_backlog(&self, listener: std::net::TcpListener, deadline: Instant) {
        while let Ok(Ok(permit)) = timeout_at(deadline, self.room.clone().acquire_owned()).await {
            // Straight from the kernel: the runtime may not have heard of the last ones.
            let accepted = listener.accept().and_then(|(stream, remote)| {
                stream.set_nonblocking(true)?;
                Ok((TcpStream::from_std(stream)?, remote))
            });
            match accepted {
                Ok((stream, remote)) => self.begin(stream, remote, permit),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    tracing::error!(error = telemetry::with_causes(&error), "the last connections cannot be accepted");
                    return;
                }
            }
        }
    }

    fn begin(&self, stream: TcpStream, remote: SocketAddr, permit: OwnedSemaphorePermit) {
        // Answers are written whole: to wait for more would only delay their last packet. A socket that refuses is broken anyway.
        let _ = stream.set_nodelay(true);
        let (house, local) = (self.house.clone(), self.local);
        tokio::spawn(async move {
            let _place = Place::take(permit);
            serve_connection(house, stream, local, remote).await;
        });
    }

    async fn drain(&self, deadline: Instant) {
        let connections = self.house.limits.connections;
        if timeout_at(deadline, self.room.acquire_many(connections)).await.is_ok() {
            return;
        }
        let left = connections as usize - self.room.available_permits();
        tracing::warn!(connections = left, "connections were cut: they took longer than the time to drain");
        metrics::counter!("marquee_http_connections_closed_total", "reason" => "drain").increment(left as u64);
        self.house.ending.cut();
        let _ = timeout(CUT_TIME, self.room.acquire_many(connections)).await;
    }
}

/// The place of a connection among those that there may be.
struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn take(permit: OwnedSemaphorePermit) -> Self {
        metrics::gauge!("marquee_http_connections").increment(1);
        Self { _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("marquee_http_connections").decrement(1);
    }
}

/// Whether only the connection that was about to be accepted is broken.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Says now and then what would else be said all the time.
#[derive(Debug, Default)]
struct Seldom(Option<Instant>);

impl Seldom {
    fn may(&mut self) -> bool {
        let may = self.0.is_none_or(|last| last.elapsed() >= LOG_PAUSE);
        if may {
            self.0 = Some(Instant::now());
        }
        may
    }
}
