//! The wish of the operator or the platform that the process end.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGTERM or SIGINT (Ctrl-C). A second one ends the process at once, with the
/// status a shell gives to a process that Ctrl-C ended: whoever asks twice does not want to wait.
///
/// # Errors
///
/// When the process may not listen to signals.
pub fn shutdown_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        let name = next(&mut terminate, &mut interrupt).await;
        cancel.cancel();
        tracing::info!(signal = name, "told to stop: finishing what has begun");
        next(&mut terminate, &mut interrupt).await;
        std::process::exit(130);
    });
    Ok(token)
}

async fn next(terminate: &mut tokio::signal::unix::Signal, interrupt: &mut tokio::signal::unix::Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
