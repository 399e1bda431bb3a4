//! The load: a process of its own that asks a server over many connections and tells what came back, and how soon.
//!
//! *Closed*: each connection asks again as soon as it has its answer; what counts is answers a second. *Open*: requests fall due at a
//! constant rate, whatever the server does, and the time of an answer counts from when its request was due, so that a server that stops
//! for a second has that second in the times of all requests that waited for it. A request that fails is asked once and never again.

mod connection;
mod report;
mod tally;

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clap::Args;
use tokio::process::Command;

use self::{
    connection::{Connection, Fault},
    tally::Tally,
};
pub(crate) use self::{
    report::{Moment, Report},
    tally::Source,
};
use crate::Failure;

/// Past the end of an open load requests that are due are still sent for so long; those left then count as not sent.
const GRACE: Duration = Duration::from_secs(2);
/// A connection that was refused is not tried again sooner, or a closed load on a dead server would do nothing else.
const AFTER_REFUSAL: Duration = Duration::from_millis(10);

/// One load.
#[derive(Args, Clone, Debug)]
pub(crate) struct LoadSettings {
    /// The server
    #[arg(long)]
    pub(crate) address: SocketAddr,
    /// File of paths with their queries, one a line, asked in turn
    #[arg(long)]
    targets: PathBuf,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 32)]
    pub(crate) connections: usize,
    /// How long
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Requests a second; without it the load is closed
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Ends when each path was asked once
    #[arg(long)]
    pub(crate) once: bool,
    /// After so long an answer is given up
    #[arg(long, default_value_t = 15.0)]
    patience_seconds: f64,
}

impl LoadSettings {
    /// A closed load over all targets again and again.
    pub(crate) fn closed(address: SocketAddr, connections: usize, seconds: f64) -> Self {
        Self { address, targets: PathBuf::new(), connections, seconds, rate: None, once: false, patience_seconds: 15.0 }
    }

    /// An open load.
    pub(crate) fn open(address: SocketAddr, connections: usize, seconds: f64, rate: f64) -> Self {
        Self { rate: Some(rate), ..Self::closed(address, connections, seconds) }
    }

    /// The same, with no path asked twice.
    pub(crate) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Runs this load in a process of its own.
    pub(crate) async fn run(&self, targets: &[String]) -> Result<Report, Failure> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), targets.join("\n"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("load").args(["--address", &self.address.to_string()]).arg("--targets").arg(file.path());
        command.args(["--connections", &self.connections.to_string(), "--seconds", &self.seconds.to_string()]);
        command.args(["--patience-seconds", &self.patience_seconds.to_string()]);
        if let Some(rate) = self.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        if self.once {
            command.arg("--once");
        }
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true).output().await?;
        if !output.status.success() {
            return Err(format!("the load ended with {}", output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// Requests as they are sent, and which of them is next.
#[derive(Debug)]
struct Targets {
    requests: Vec<Vec<u8>>,
    asked: AtomicUsize,
    once: bool,
}

impl Targets {
    fn read(settings: &LoadSettings) -> Result<Self, Failure> {
        let request =
            |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n\r\n", settings.address).into_bytes();
        let requests: Vec<_> = fs::read_to_string(&settings.targets)?.lines().map(request).collect();
        if requests.is_empty() {
            return Err("there is nothing to ask".into());
        }
        Ok(Self { requests, asked: AtomicUsize::new(0), once: settings.once })
    }

    fn next(&self) -> Option<&[u8]> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let is_left = !self.once || number < self.requests.len();
        is_left.then(|| self.requests[number % self.requests.len()].as_slice())
    }
}

/// The hidden command: puts the load on and prints its report.
#[expect(clippy::print_stdout, reason = "the parent reads the report there")]
pub(crate) async fn put(settings: LoadSettings) -> Result<(), Failure> {
    let targets = Arc::new(Targets::read(&settings)?);
    let started_at = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..settings.connections)
        .map(|number| {
            let (targets, settings) = (targets.clone(), settings.clone());
            tokio::spawn(async move {
                match settings.rate {
                    Some(rate) => open(&settings, &targets, begin, number, rate).await,
                    None => closed(&settings, &targets, begin).await,
                }
            })
        })
        .collect();
    let mut tally = Tally::since(begin);
    for task in tasks {
        tally.add(task.await?);
    }
    println!("{}", serde_json::to_string(&tally.report(started_at))?);
    Ok(())
}

async fn closed(settings: &LoadSettings, targets: &Targets, begin: Instant) -> Tally {
    let end = begin + Duration::from_secs_f64(settings.seconds);
    let mut tally = Tally::since(begin);
    let mut connection = Connection::to(settings.address, Duration::from_secs_f64(settings.patience_seconds));
    while Instant::now() < end {
        let Some(request) = targets.next() else { break };
        let asked = Instant::now();
        let outcome = connection.ask(request).await;
        if matches!(outcome, Err(Fault::NotConnected)) {
            tokio::time::sleep(AFTER_REFUSAL).await;
        }
        tally.enter(asked, outcome);
    }
    tally
}

async fn open(settings: &LoadSettings, targets: &Targets, begin: Instant, number: usize, rate: f64) -> Tally {
    let mut tally = Tally::since(begin);
    let mut connection = Connection::to(settings.address, Duration::from_secs_f64(settings.patience_seconds));
    let give_up = begin + Duration::from_secs_f64(settings.seconds) + GRACE;
    for turn in 0.. {
        let due_after = (turn * settings.connections + number) as f64 / rate;
        if due_after >= settings.seconds {
            break;
        }
        let due = begin + Duration::from_secs_f64(due_after);
        tokio::time::sleep_until(due.into()).await;
        if Instant::now() > give_up {
            tally.enter(due, Err(Fault::NotSent));
            continue;
        }
        let Some(request) = targets.next() else { break };
        let outcome = connection.ask(request).await;
        tally.enter(due, outcome);
    }
    tally
}
