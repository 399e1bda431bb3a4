//! The accept loop and the life of a connection.
//!
//! Owns the connections and their end. Deliberately owns neither socket nor signal: the
//! caller binds the one and translates the other. What is answered is `answer`'s.

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

use crate::answer::answer;
use crate::provider::SimProvider;

/// Serves the provider's feed at `/feed` until `shutdown` is cancelled. Answers under way
/// may then end within a few seconds; those that hang or are late are dropped at once.
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
                // The client was gone before its turn came.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    // What has not ended by then ends with the set.
    timeout(GRACE, all_ended).await.unwrap_or_default();
    Ok(())
}

/// How long answers under way may take once the server is to end.
const GRACE: Duration = Duration::from_secs(3);

async fn serve_connection(stream: TcpStream, provider: SimProvider, shutdown: CancellationToken) {
    let service = service_fn(|request| answer(provider.clone(), request, shutdown.clone()));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let outcome = match shutdown.run_until_cancelled(&mut connection).await {
        Some(outcome) => outcome,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if outcome.is_err() {
        // An answer that broke off must not look like one that ended: the client is to see a
        // reset. Where the client itself went away, this tells no one anything.
        let stream = connection.into_parts().io.into_inner();
        stream.set_zero_linger().unwrap_or_default();
    }
}
