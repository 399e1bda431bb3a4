//! The accept loop and the connections. The caller binds the socket and handles signals.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::provider::SimProvider;
use crate::response::respond;

/// Serves the provider's feed at `/feed`, and its pictures, until `shutdown` is cancelled. Responses in progress may then complete within
/// `GRACE`; those with an injected delay are dropped immediately.
///
/// # Errors
///
/// When the listener fails.
pub async fn serve(listener: TcpListener, provider: SimProvider, shutdown: CancellationToken) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, provider.clone(), shutdown.clone()));
                }
                // The client closed the connection before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            },
        }
    }
    drop(listener);
    let all_closed = async { while connections.join_next().await.is_some() {} };
    // Dropping the set aborts the connections that are left.
    timeout(GRACE, all_closed).await.unwrap_or_default();
    Ok(())
}

/// How long responses in progress may take after shutdown was requested.
const GRACE: Duration = Duration::from_secs(3);

async fn serve_connection(stream: TcpStream, provider: SimProvider, shutdown: CancellationToken) {
    let service = service_fn(|request| respond(provider.clone(), request, shutdown.clone()));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let outcome = match shutdown.run_until_cancelled(&mut connection).await {
        Some(outcome) => outcome,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if outcome.is_err() {
        // An incomplete response must not look complete: without linger, the client gets a reset.
        let stream = connection.into_parts().io.into_inner();
        stream.set_zero_linger().unwrap_or_default();
    }
}
