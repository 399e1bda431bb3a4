//! The signals that stop a process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after a second signal: that of a process stopped by Ctrl-C in a shell.
const INTERRUPTED: i32 = 130;

/// Returns a token that the first SIGTERM or SIGINT (Ctrl-C) cancels: the process shuts down gracefully. A second signal ends the process
/// immediately.
///
/// # Errors
///
/// When the signal handlers cannot be installed.
pub fn shutdown_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        let name = receive(&mut terminate, &mut interrupt).await;
        cancel.cancel();
        tracing::info!(signal = name, "shutdown signal received");
        receive(&mut terminate, &mut interrupt).await;
        std::process::exit(INTERRUPTED);
    });
    Ok(token)
}

async fn receive(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
