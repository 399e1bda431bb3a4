//! The load generator: a separate process that sends requests over many connections and reports responses and latencies.
//!
//! A *closed* load sends the next request after each response, and measures throughput. An *open* load sends requests at a
//! constant rate. Its latencies start when a request is due, so that a server that stalls affects all requests of that time
//! (no coordinated omission). Failed requests are not retried.

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
    connection::{Connection, ConnectionError},
    tally::LoadTally,
};
pub(crate) use self::{
    report::{ClockMoment, LoadReport},
    tally::ResponseTier,
};
use crate::Failure;

/// How long an open load continues to send due requests after its end. The rest counts as not sent.
const GRACE: Duration = Duration::from_secs(2);
/// The pause after a refused connection, so that a closed load does not spin while the server is down.
const AFTER_REFUSAL: Duration = Duration::from_millis(10);

/// A load.
#[derive(Args, Clone, Debug)]
pub(crate) struct LoadSettings {
    /// Addresses of the servers, comma-separated: each connection uses one of them
    #[arg(long, value_delimiter = ',', required = true)]
    addresses: Vec<SocketAddr>,
    /// File of paths with queries, one per line, requested in turn
    #[arg(long)]
    targets: PathBuf,
    /// Number of connections
    #[arg(long, default_value_t = 32)]
    pub(crate) connections: usize,
    /// Duration
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Requests per second of an open load; without it the load is closed
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Stop after one request for each path
    #[arg(long)]
    pub(crate) once: bool,
    /// Accept responses in gzip, as browsers do
    #[arg(long)]
    is_compressed: bool,
    /// Timeout of a response
    #[arg(long, default_value_t = 15.0)]
    patience_seconds: f64,
}

impl LoadSettings {
    /// A closed load that repeats all paths.
    pub(crate) fn closed(address: SocketAddr, connections: usize, seconds: f64) -> Self {
        Self {
            addresses: vec![address],
            targets: PathBuf::new(),
            connections,
            seconds,
            rate: None,
            once: false,
            is_compressed: false,
            patience_seconds: 15.0,
        }
    }

    /// An open load.
    pub(crate) fn open(address: SocketAddr, connections: usize, seconds: f64, rate: f64) -> Self {
        Self { rate: Some(rate), ..Self::closed(address, connections, seconds) }
    }

    /// Distributes the connections over several servers.
    pub(crate) fn distributed(self, addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, ..self }
    }

    /// Requests each path at most once.
    pub(crate) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Accepts responses in gzip.
    pub(crate) fn compressed(self, is_compressed: bool) -> Self {
        Self { is_compressed, ..self }
    }

    fn connection(&self, number: usize) -> Connection {
        let address = self.addresses[number % self.addresses.len()];
        Connection::to(address, Duration::from_secs_f64(self.patience_seconds))
    }

    /// Runs the load in a separate process.
    pub(crate) async fn run(&self, targets: &[String]) -> Result<LoadReport, Failure> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), targets.join("\n"))?;
        let mut command = Command::new(std::env::current_exe()?);
        let addresses: Vec<String> = self.addresses.iter().map(SocketAddr::to_string).collect();
        command.arg("load").args(["--addresses", &addresses.join(",")]).arg("--targets").arg(file.path());
        command.args(["--connections", &self.connections.to_string(), "--seconds", &self.seconds.to_string()]);
        command.args(["--patience-seconds", &self.patience_seconds.to_string()]);
        if let Some(rate) = self.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        if self.once {
            command.arg("--once");
        }
        if self.is_compressed {
            command.arg("--is-compressed");
        }
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true).output().await?;
        if !output.status.success() {
            return Err(format!("the load generator exited with {}", output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// The encoded requests, and the next one.
#[derive(Debug)]
struct Targets {
    requests: Vec<Vec<u8>>,
    sent: AtomicUsize,
    once: bool,
}

impl Targets {
    fn read(settings: &LoadSettings) -> Result<Self, Failure> {
        let host = settings.addresses[0];
        let coding = if settings.is_compressed { "Accept-Encoding: gzip\r\n" } else { "" };
        let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n{coding}\r\n").into_bytes();
        let requests: Vec<_> = fs::read_to_string(&settings.targets)?.lines().map(request).collect();
        if requests.is_empty() {
            return Err("the file of paths is empty".into());
        }
        Ok(Self { requests, sent: AtomicUsize::new(0), once: settings.once })
    }

    fn next(&self) -> Option<&[u8]> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let is_left = !self.once || number < self.requests.len();
        is_left.then(|| self.requests[number % self.requests.len()].as_slice())
    }
}

/// Runs the load and prints its report.
#[expect(clippy::print_stdout, reason = "the parent process parses the report")]
pub(crate) async fn run_load(settings: LoadSettings) -> Result<(), Failure> {
    let targets = Arc::new(Targets::read(&settings)?);
    let started_at = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..settings.connections)
        .map(|number| {
            let (targets, settings) = (targets.clone(), settings.clone());
            tokio::spawn(async move {
                match settings.rate {
                    Some(rate) => open(&settings, &targets, begin, number, rate).await,
                    None => closed(&settings, &targets, begin, number).await,
                }
            })
        })
        .collect();
    let mut tally = LoadTally::since(begin);
    for task in tasks {
        tally.add(task.await?);
    }
    println!("{}", serde_json::to_string(&tally.report(started_at))?);
    Ok(())
}

async fn closed(settings: &LoadSettings, targets: &Targets, begin: Instant, number: usize) -> LoadTally {
    let end = begin + Duration::from_secs_f64(settings.seconds);
    let mut tally = LoadTally::since(begin);
    let mut connection = settings.connection(number);
    while Instant::now() < end {
        let Some(request) = targets.next() else { break };
        let sent_at = Instant::now();
        let outcome = connection.send(request).await;
        if matches!(outcome, Err(ConnectionError::NotConnected)) {
            tokio::time::sleep(AFTER_REFUSAL).await;
        }
        tally.record(sent_at, outcome);
    }
    tally
}

async fn open(settings: &LoadSettings, targets: &Targets, begin: Instant, number: usize, rate: f64) -> LoadTally {
    let mut tally = LoadTally::since(begin);
    let mut connection = settings.connection(number);
    let give_up = begin + Duration::from_secs_f64(settings.seconds) + GRACE;
    for turn in 0.. {
        let due_after = (turn * settings.connections + number) as f64 / rate;
        if due_after >= settings.seconds {
            break;
        }
        let due = begin + Duration::from_secs_f64(due_after);
        tokio::time::sleep_until(due.into()).await;
        if Instant::now() > give_up {
            tally.record(due, Err(ConnectionError::NotSent));
            continue;
        }
        let Some(request) = targets.next() else { break };
        let outcome = connection.send(request).await;
        tally.record(due, outcome);
    }
    tally
}
