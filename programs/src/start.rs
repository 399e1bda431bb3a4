//! Starting a program on a free port, and sending it signals.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

use crate::Failure;

/// The timeout until a program listens.
const START_TIME: Duration = Duration::from_secs(20);
/// The interval between two connection attempts.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Starts a program that logs to a file, and waits until it listens. It is killed on drop.
///
/// # Errors
///
/// When it cannot be started, exits, or does not listen in time.
pub async fn start_and_wait(mut command: Command, address: SocketAddr, log: &Path) -> Result<Child, Failure> {
    let file = fs::OpenOptions::new().create(true).append(true).open(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
    let mut child = command.spawn()?;
    let until = Instant::now() + START_TIME;
    while TcpStream::connect(address).await.is_err() {
        if let Some(status) = child.try_wait()? {
            return Err(format!("{:?} exited with {status}: {}", command.as_std().get_program(), read_tail(log)).into());
        }
        if Instant::now() > until {
            return Err(format!("{:?} does not listen: {}", command.as_std().get_program(), read_tail(log)).into());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(child)
}

/// A free address. Most servers cannot report a port that they select.
///
/// # Errors
///
/// When no port is free.
pub async fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}

/// Sends a signal to processes: KILL, STOP, CONT, TERM.
///
/// # Errors
///
/// When a process has exited.
pub async fn send_signal(ids: &[u32], name: &str) -> Result<(), Failure> {
    let ids = ids.iter().map(u32::to_string);
    let output = Command::new("kill").arg(format!("-{name}")).args(ids).output().await?;
    if output.status.success() { Ok(()) } else { Err(format!("SIG{name} cannot be sent").into()) }
}

/// The last lines of a log.
#[must_use]
pub fn read_tail(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}
